"""The reading of a test set, and its continuation after an interruption.

A folder of results holds `run.json` (which detector, which set), `views.jsonl` (a line for every
image read, `records.ViewRecord`), `crops/`, and once scored `results.json`, `report.md` and the
pictures. A run with the same detector and set continues where the last one stopped; any other needs
another folder. Reading takes hours and grouping a minute: the marks of a folder are always grouped
anew, with the tables and the program in force, so that a model of the same graphs with another
calibration needs no image read again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from secondread import __version__
from secondread.detect.manifest import Manifest
from secondread.errors import DetectorDiedError, SettingsError
from secondread_lab.judge.crops import CropAlbum
from secondread_lab.judge.image_sources import ImageSource, TestSet
from secondread_lab.judge.process_pool import work_in_processes
from secondread_lab.judge.records import ViewRecord, read_records, trim_partial_line
from secondread_lab.judge.rules import SCORING
from secondread_lab.judge.viewing import ImageReader, OpenReader, group_anew, open_readers

Progress = Callable[[str, int], None]
"""Called with the key of an image that was read, and the number of images that are done."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """A model that reads images, and the folder of its results."""

    manifest: Manifest
    manifest_path: Path | None
    open_reader: OpenReader
    out: Path
    processes: int = 1

    @property
    def crops(self) -> Path:
        """Folder of the crops."""
        return self.out / "crops"

    @property
    def lines(self) -> Path:
        """File of the records."""
        return self.out / "views.jsonl"


def read_images(
    test_set: TestSet, run: EvaluationRun, progress: Progress
) -> tuple[ViewRecord, ...]:
    """Read every image of a set that was not read before.

    Returns
    -------
    tuple of ViewRecord
        All records of the set, those of earlier runs too.

    Raises
    ------
    SettingsError
        The folder holds the results of another model or set.
    DetectorDiedError
        A reading process was killed or ran out of memory; records so far are kept.
    """
    _claim_folder(test_set, run)
    readers = open_readers(run.open_reader, run.manifest.operating_points)
    wanted = {key for source in test_set.sources for key in source.keys}
    trim_partial_line(run.lines)
    records = {
        record.key: group_anew(record, readers)
        for record in read_records(run.lines)
        # An image whose truth has been corrected is read again, so that its crops fit.
        if record.key in wanted and test_set.truth.get(record.key, record.truth) == record.truth
    }
    album = CropAlbum(run.crops)
    for record in records.values():
        album.add_crops(record.crops)
    left = [source for source in test_set.sources if not set(source.keys) <= set(records)]
    progress("", len(records))
    with run.lines.open("a", encoding="utf-8") as lines:
        for source_records in _read_sources(left, run):
            for record in source_records:
                if record.key not in records:
                    lines.write(json.dumps(record.as_json(), separators=(",", ":")) + "\n")
                    album.add_crops(record.crops)
                records[record.key] = record
                progress(record.key, len(records))
            lines.flush()
    return tuple(records[key] for key in sorted(records))


def _claim_folder(test_set: TestSet, run: EvaluationRun) -> None:
    """Record in the folder which model and set its results are of, or check that record."""
    mine = {
        "set": test_set.name,
        "exams": test_set.digest,
        "model": run.manifest.digest,
        "detector": digest_detector(run.manifest),
        "scoring": SCORING,
        "node_version": __version__,
    }
    run.out.mkdir(parents=True, exist_ok=True)
    path = run.out / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        # Folders of earlier versions do not name the detector.
        model = "detector" if "detector" in before else "model"
        if differing := [
            name for name in ("set", "exams", model) if before.get(name) != mine[name]
        ]:
            raise SettingsError(
                f"{run.out}: holds results of another {' and '.join(differing)}; "
                "name another folder with --out, or remove it"
            )
    path.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")


def digest_detector(manifest: Manifest) -> str:
    """Return a digest of all that a manifest says about how marks are made, hexadecimal.

    Calibration, operating points and what is known of groups turn marks into findings. They take
    part in one gate alone, that on noise, which counts the marks that the default point would show.
    """
    after = {"name", "version", "training_commit", "calibration", "operating_points", "groups"}
    values = manifest.model_dump(mode="json", exclude={*after, "digest", "folder", "site"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _read_sources(sources: Sequence[ImageSource], run: EvaluationRun) -> Iterator[list[ViewRecord]]:
    open_reader = partial(ImageReader.from_manifest, run.manifest_path, run.open_reader, run.crops)
    try:
        for _, records in work_in_processes(sources, open_reader, _read_source, run.processes):
            yield records
    except BrokenProcessPool as error:
        raise DetectorDiedError(
            "a reading process was killed, perhaps for want of memory; the same command goes on "
            "with what is left, and fewer --processes need less"
        ) from error


def _read_source(reader: ImageReader, source: ImageSource) -> list[ViewRecord]:
    return [reader.read_image(image) for image in source.make_images()]
