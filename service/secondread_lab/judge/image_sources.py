"""Sources of test images: a folder with a truth table, or exams simulated while they are read."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.dataset import FileDataset

from secondread.assemble.intent import Intent
from secondread.errors import InputError
from secondread.offline.input_files import gather_files
from secondread_lab.judge.annotations import check_truth
from secondread_lab.judge.frozen import GENERATOR, digest_spec, read_record
from secondread_lab.judge.population import PlannedExam, SetName, plan_exams
from secondread_lab.simulate.exam import simulate_views
from secondread_lab.simulate.truth import TruthRow, read_truth
from secondread_lab.simulate.vendors import list_held_out_vendors


@dataclass(frozen=True, slots=True)
class TestImage:
    """One image and its truth."""

    __test__ = False  # pytest would take it for a test by its name

    key: str
    content: Path | FileDataset
    """A file, or a simulated image that is deleted after it was read."""
    rows: tuple[TruthRow, ...]
    subset: str = ""
    """Part of the set that is reported separately."""
    differs: tuple[str, ...] = ()
    """Differences of a simulated image from the frozen record, in words."""


class ImageSource(Protocol):
    """Images that are made together, in the process that reads them."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its images, without making any."""
        ...

    def make_images(self) -> Iterator[TestImage]:
        """Yield the images, one after another."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """An image file with its rows of a truth table."""

    path: Path
    uid: str
    rows: tuple[TruthRow, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The SOP Instance UID."""
        return (self.uid,)

    def make_images(self) -> Iterator[TestImage]:
        """Yield the file."""
        yield TestImage(self.uid, self.path, self.rows)


@dataclass(frozen=True, slots=True)
class ExamSource:
    """A simulated exam without its prior."""

    exam: PlannedExam

    @property
    def keys(self) -> tuple[str, ...]:
        """The exam's name with each view, and with a suffix for For Processing images."""
        spec = self.exam.spec
        return tuple(self._make_key(view, intent) for view in spec.views for intent in spec.intents)

    def make_images(self) -> Iterator[TestImage]:
        """Simulate one view after another, and compare each with the frozen record."""
        frozen = read_record()
        for view in simulate_views(self.exam.spec):
            if view.exam != "current":
                continue
            differs = frozen.list_differences(self.exam, view)
            for intent, ds in view.instances:
                rows = tuple(r for r in view.rows if r.sop_instance_uid == ds.SOPInstanceUID)
                key = self._make_key(view.identity.label, intent)
                yield TestImage(key, ds, rows, differs=differs)

    def _make_key(self, label: str, intent: Intent) -> str:
        raw = "" if intent is Intent.PRESENTATION else "-raw"
        return f"{self.exam.name}/{label}{raw}"


@dataclass(frozen=True, slots=True)
class TestSet:
    """The images that a detector is judged on."""

    __test__ = False  # pytest would take it for a test by its name

    name: str
    sources: tuple[ImageSource, ...]
    held_out: frozenset[str]
    """Vendor families that the model never saw."""
    digest: str = ""
    """Of the specifications of simulated exams; empty for files, which have UIDs of their own."""
    unannotated: tuple[str, ...] = ()
    """Images without a truth row, which are not scored."""
    faults: tuple[str, ...] = ()
    """Faults of the inputs: files that are not images, truth without an image."""

    @property
    def truth(self) -> dict[str, tuple[TruthRow, ...]]:
        """The rows of images that are files, by key, since a person may correct them."""
        return {case.uid: case.rows for case in self.sources if isinstance(case, FileSource)}


def make_simulated_set(name: SetName) -> TestSet:
    """Return the frozen simulated exams of a name."""
    families = frozenset(vendor.name for vendor in list_held_out_vendors())
    exams = plan_exams(name)
    stated = [str(GENERATOR), *(digest_spec(exam.spec) for exam in exams)]
    digest = hashlib.sha256(" ".join(stated).encode()).hexdigest()
    return TestSet(name, tuple(ExamSource(exam) for exam in exams), families, digest)


def read_folder_set(
    paths: Sequence[Path], truths: Sequence[Path], held_out_families: frozenset[str]
) -> TestSet:
    """Return those images of files and folders that truth tables have rows of.

    Raises
    ------
    SettingsError
        A path does not exist or holds no image.
    InputError
        A truth table cannot be read or contradicts itself, or has rows of none of the images.
    """
    inputs = gather_files(paths)
    rows, lines = _group_by_image(truths)
    paths_by_uid = inputs.paths
    cases = tuple(
        FileSource(paths_by_uid[uid], uid, rows[uid])
        for uid in sorted(set(paths_by_uid) & set(rows))
    )
    if not cases:
        raise InputError(f"{', '.join(map(str, truths))}: no row is of any image given")
    return TestSet(
        name=", ".join(path.name or str(path) for path in paths),
        sources=cases,
        held_out=held_out_families,
        unannotated=tuple(str(paths_by_uid[uid]) for uid in sorted(set(paths_by_uid) - set(rows))),
        faults=(
            *(
                f"{unreadable.path}: {unreadable.detail or unreadable.reason.value}"
                for unreadable in inputs.unreadable
            ),
            *(f"{lines[uid]}: no image {uid} was given" for uid in rows if uid not in paths_by_uid),
        ),
    )


def _group_by_image(
    truths: Sequence[Path],
) -> tuple[Mapping[str, tuple[TruthRow, ...]], Mapping[str, str]]:
    """Return the rows of each image, and file and line of the first of them."""
    rows: dict[str, list[TruthRow]] = defaultdict(list)
    lines: dict[str, str] = {}
    for path in truths:
        table = read_truth(path)
        check_truth(path, table)
        for number, row in enumerate(table, start=2):
            rows[row.sop_instance_uid].append(row)
            lines.setdefault(row.sop_instance_uid, f"{path} row {number}")
    return {uid: tuple(image_rows) for uid, image_rows in rows.items()}, lines
