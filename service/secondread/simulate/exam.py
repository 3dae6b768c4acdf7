"""A follow-up exam and its prior, in memory (`simulate_exam`) or on disk (`write_exam`)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset

from secondread.assemble.mammogram import Intent
from secondread.codes import Laterality, MarkClass, View
from secondread.simulate.acquisition import Detector, Exposure, Signal, stored_for_processing
from secondread.simulate.anatomy import Breast, make_breast
from secondread.simulate.annotation import Annotation, Item, annotate, items_of
from secondread.simulate.dicom import ISSUER, StudyIdentity, ViewIdentity, mammogram
from secondread.simulate.imaging import Scene, image_view
from secondread.simulate.lesions import make_lesion
from secondread.simulate.markers import label_mask, nipple_ball, scar_wire
from secondread.simulate.metal import make_metal
from secondread.simulate.processing import present
from secondread.simulate.projection import Frame, Layout, chest_wall_side, position
from secondread.simulate.seeds import stream
from secondread.simulate.spec import TAKEN_AT, ExamName, ExamSpec, Seeds
from secondread.simulate.tissue import Tissue, make_tissue
from secondread.simulate.treatment import aftermath, treatment_rows, write_treatments
from secondread.simulate.truth import TruthRow, write_truth

__all__ = [
    "Exam",
    "ExamFiles",
    "ExamSpec",
    "Seeds",
    "SimulatedView",
    "simulate_exam",
    "simulated_views",
    "write_exam",
]

Progress = Callable[[str], None]
"""Is told, in words for a person, what has just been made."""


@dataclass(frozen=True, slots=True)
class SimulatedView:
    """One view of one exam, with its truth."""

    exam: ExamName
    identity: ViewIdentity
    instances: tuple[tuple[Intent, FileDataset], ...]
    rows: tuple[TruthRow, ...]
    """Truth of every instance."""
    mask: npt.NDArray[np.uint8]
    """Labels of `annotation.LABELS` where the noise-free contrast of a solid is visible."""
    scene: Scene
    """What stood in the beam, and how it lay."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A study and its prior, in memory."""

    spec: ExamSpec
    views: tuple[SimulatedView, ...]
    treatments: tuple[tuple[str, ...], ...]
    """Rows of the treatment record."""

    def view(self, exam: ExamName, label: str) -> SimulatedView:
        """Return one view, for example ``("current", "LCC")``."""
        return next(v for v in self.views if v.exam == exam and v.identity.label == label)


@dataclass(frozen=True, slots=True)
class ExamFiles:
    """What `write_exam` wrote."""

    current: tuple[Path, ...]
    """DICOM files of the study, views in hanging order."""
    prior: tuple[Path, ...]
    masks: tuple[Path, ...]
    truth: Path
    treatments: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All DICOM files, the prior's first."""
        return self.prior + self.current


def simulate_exam(spec: ExamSpec, progress: Progress | None = None) -> Exam:
    """Return an exam and its prior with all pixels, about 20 MB a view at full size."""
    views = tuple(simulated_views(spec, progress))
    return Exam(spec, views, tuple(_treatments(spec)))


def write_exam(spec: ExamSpec, folder: Path, progress: Progress | None = None) -> ExamFiles:
    """Write an exam, its prior, the truth table, the masks and the treatment record.

    Parameters
    ----------
    folder
        Gets ``current/``, ``prior/``, ``masks/``, ``truth.csv`` and ``treatments.csv``; files
        of the same names are replaced.
    """
    written: dict[ExamName, list[Path]] = {"current": [], "prior": []}
    masks: list[Path] = []
    rows: list[TruthRow] = []
    for view in simulated_views(spec, progress):
        label = view.identity.label
        target = folder / view.exam
        target.mkdir(parents=True, exist_ok=True)
        for intent, ds in view.instances:
            path = target / f"{label}{'' if intent is Intent.PRESENTATION else '-raw'}.dcm"
            ds.save_as(path, enforce_file_format=True)
            written[view.exam].append(path)
        masks.append(_write_mask(folder / "masks" / f"{view.exam}-{label}.png", view.mask))
        rows.extend(view.rows)
    truth, treatments = folder / "truth.csv", folder / "treatments.csv"
    write_truth(truth, rows)
    write_treatments(treatments, _treatments(spec))
    return ExamFiles(
        tuple(written["current"]), tuple(written["prior"]), tuple(masks), truth, treatments
    )


def simulated_views(spec: ExamSpec, progress: Progress | None = None) -> Iterator[SimulatedView]:
    """Make one view after another; the tissue of a view is drawn once for all exams."""
    for number, label in enumerate(spec.views, start=1):
        laterality, view = _side_and_view(label)
        breast = _breast(spec, laterality)
        tissue = make_tissue(breast, view)
        for exam, years_before in spec.exams:
            made = _make_view(spec, _Target(exam, years_before, breast, view, number), tissue)
            if progress is not None:
                progress(f"simulated {exam} {made.identity.label}")
            yield made


@dataclass(frozen=True, slots=True)
class _Target:
    """Which view of which exam."""

    exam: ExamName
    years_before: float
    breast: Breast
    view: View
    number: int


def _make_view(spec: ExamSpec, target: _Target, tissue: Tissue) -> SimulatedView:
    vendor, detector = spec.vendor_of(target.exam), spec.detector_of(target.exam)
    scene = _scene(spec, target, tissue, detector)
    items = _items(spec, target)
    image = image_view(
        scene,
        (item.solid for item in items),
        Exposure(vendor.quanta_per_mm2, spec.noise),
        stream(spec.seeds.acquisition, "noise", target.exam, *_names(target)),
    )
    identity = ViewIdentity(
        _study(spec, target),
        target.breast.laterality,
        target.view,
        target.number,
        has_source=Intent.PROCESSING in spec.intents,
    )
    instances = tuple(
        (
            intent,
            mammogram(
                identity,
                intent,
                _stored(image.signal, intent, spec, target),
                vendor,
                detector,
                scene.layout.positioning,
            ),
        )
        for intent in spec.intents
    )
    shared = Annotation(vendor.name, target.breast.density, detector.spacing)
    uids = [ds.SOPInstanceUID for _, ds in instances]
    mask, rows = annotate(items, image, shared, uids)
    return SimulatedView(target.exam, identity, instances, rows, mask, scene)


def _stored(
    signal: Signal, intent: Intent, spec: ExamSpec, target: _Target
) -> npt.NDArray[np.uint16]:
    detector = spec.detector_of(target.exam)
    if intent is Intent.PROCESSING:
        return stored_for_processing(signal, detector)
    processing = spec.vendor_of(target.exam).processing
    shown = present(signal, processing, detector.pitch_mm)
    if spec.labelled:
        text = target.breast.laterality.letter + target.view.name
        side = chest_wall_side(target.breast.laterality)
        letters = label_mask(shown.shape, text, detector.pitch_mm, side, spec.text)
        inverted = processing.photometric == "MONOCHROME1"
        shown[letters] = 0 if inverted else 2**processing.bits - 1
    return shown


def _side_and_view(label: str) -> tuple[Laterality, View]:
    laterality = Laterality.from_letter(label[:1])
    if laterality is None or label[1:] not in {"CC", "MLO"}:
        raise ValueError(f"{label!r} is no view: RCC, LCC, RMLO and LMLO are simulated")
    return laterality, View[label[1:]]


def _breast(spec: ExamSpec, laterality: Laterality) -> Breast:
    return make_breast(spec.seeds.anatomy, laterality, density=spec.density, size=spec.size)


def _scene(spec: ExamSpec, target: _Target, tissue: Tissue, detector: Detector) -> Scene:
    breast = target.breast
    frame = Frame(
        detector.rows, detector.columns, detector.spacing, chest_wall_side(breast.laterality)
    )
    # The prior is another acquisition: another lie, from a seed of its own.
    seed = int(stream(spec.seeds.acquisition, target.exam).integers(2**32))
    layout = Layout(frame, position(breast, target.view, frame, seed))
    added = None
    treatment = spec.treatment
    day = spec.day_of(target.years_before)
    if treatment is not None and treatment.done(breast.laterality, day):
        added = aftermath(breast, target.view, treatment, day, tissue.canvas, spec.seeds.history)
    paddle = None
    if spec.paddle_edge:
        rng = stream(spec.seeds.acquisition, "paddle", target.exam, *_names(target))
        paddle = float(rng.uniform(1.5, 7.0))
    return Scene(breast, target.view, tissue, layout, detector, added, paddle)


def _items(spec: ExamSpec, target: _Target) -> tuple[Item, ...]:
    breast = target.breast
    lesions = [
        make_lesion(lesion, breast, spec.seeds.history, spec.prior_years or 1.0)
        for lesion in spec.lesions
        if lesion.laterality is breast.laterality
    ]
    prior = spec.prior_years if target.exam == "current" else None
    day = spec.day_of(target.years_before)
    found = items_of(
        lesions, breast, spec.treatment, day, (target.years_before, prior), spec.seeds.history
    )
    return (*found, *_marker_items(spec, breast, day), *_metal_items(spec, breast))


def _marker_items(spec: ExamSpec, breast: Breast, day: date) -> Iterator[Item]:
    if "nipple" in spec.markers:
        yield Item(nipple_ball(breast), MarkClass.METAL, 1, "marker-nipple")
    treatment = spec.treatment
    if "scar" in spec.markers and treatment is not None and treatment.done(breast.laterality, day):
        solid = scar_wire(breast, treatment, spec.seeds.history)
        yield Item(solid, MarkClass.METAL, 1, "marker-scar")


def _metal_items(spec: ExamSpec, breast: Breast) -> Iterator[Item]:
    so_far: Counter[str] = Counter()
    for one in spec.metal:
        if one.laterality is breast.laterality:
            for solid in make_metal(one, breast, spec.seeds.history):
                so_far[one.kind] += 1
                number = so_far[one.kind]
                yield Item(solid, MarkClass.METAL, number, f"{one.kind}-{number}")


def _study(spec: ExamSpec, target: _Target) -> StudyIdentity:
    day = spec.day_of(target.years_before)
    return StudyIdentity(
        key=repr(spec),
        patient_id=_patient_id(spec),
        at=datetime.combine(day, TAKEN_AT, tzinfo=UTC),
    )


def _patient_id(spec: ExamSpec) -> str:
    return f"SIM-{spec.seeds.anatomy:06d}-{spec.seeds.history:03d}"


def _treatments(spec: ExamSpec) -> list[tuple[str, ...]]:
    known = () if spec.treatment is None else (spec.treatment,)
    return treatment_rows(_patient_id(spec), ISSUER, known)


def _names(target: _Target) -> tuple[str, str]:
    return target.breast.laterality.letter, target.view.name


def _write_mask(path: Path, mask: npt.NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".png", mask)
    if not ok:
        raise OSError(f"{path}: the mask could not be encoded")
    path.write_bytes(data.tobytes())
    return path
