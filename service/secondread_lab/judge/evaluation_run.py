"""The run: cases to records, records to figures, and on again after an interruption.

A folder of results holds `run.json` (which model, which set), `views.jsonl` (a line for every
image read, `records.ViewRecord`), `crops/`, and once scored `results.json`, `report.md` and the
pictures. The same model, set and rules go on where a run stopped; others need another folder.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from secondread import __version__
from secondread.detect.manifest import Manifest
from secondread.errors import DetectorDiedError, SettingsError
from secondread_lab.judge.crops import CropAlbum
from secondread_lab.judge.image_sources import ImageSource, TestSet
from secondread_lab.judge.records import ViewRecord, read_records, trim_partial_line
from secondread_lab.judge.rules import SCORING
from secondread_lab.judge.viewing import ImageReader, OpenReader

Progress = Callable[[str, int], None]
"""Is told what was read and how many images are done."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """What reads the images: a model, how it is opened, and where everything goes."""

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
    test_set: TestSet, bench: EvaluationRun, progress: Progress
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
        A reading process was killed or ran out of memory; what was read is kept.
    """
    _claim_folder(test_set, bench)
    wanted = {key for case in test_set.sources for key in case.keys}
    trim_partial_line(bench.lines)
    records = {
        record.key: record
        for record in read_records(bench.lines)
        # An image whose truth was corrected since is read again, so that its crops fit.
        if record.key in wanted and test_set.truth.get(record.key, record.truth) == record.truth
    }
    album = CropAlbum(bench.crops)
    for record in records.values():
        album.add_crops(record.crops)
    left = [case for case in test_set.sources if not set(case.keys) <= set(records)]
    progress("", len(records))
    with bench.lines.open("a", encoding="utf-8") as lines:
        for case_records in _read_sources(left, bench):
            for record in case_records:
                if record.key not in records:
                    lines.write(json.dumps(record.as_json(), separators=(",", ":")) + "\n")
                    album.add_crops(record.crops)
                records[record.key] = record
                progress(record.key, len(records))
            lines.flush()
    return tuple(records[key] for key in sorted(records))


def _claim_folder(test_set: TestSet, bench: EvaluationRun) -> None:
    """Say in the folder what its results are of, or make sure that it says the same."""
    mine = {
        "set": test_set.name,
        "exams": test_set.digest,
        "model": bench.manifest.digest,
        "scoring": SCORING,
        "node_version": __version__,
    }
    bench.out.mkdir(parents=True, exist_ok=True)
    path = bench.out / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if differing := [
            name for name in ("set", "exams", "model") if before.get(name) != mine[name]
        ]:
            raise SettingsError(
                f"{bench.out}: holds results of another {' and '.join(differing)}; "
                "name another folder with --out, or remove it"
            )
    path.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")


def _read_sources(cases: Sequence[ImageSource], bench: EvaluationRun) -> Iterator[list[ViewRecord]]:
    if bench.processes == 1 or len(cases) < 2:
        if cases:
            viewer = ImageReader.from_manifest(bench.manifest_path, bench.open_reader, bench.crops)
            yield from (
                [viewer.read_image(image) for image in case.make_images()] for case in cases
            )
        return
    with ProcessPoolExecutor(
        min(bench.processes, len(cases)),
        # A forked child would share the parent's locks and threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open_reader,
        initargs=(bench.manifest_path, bench.open_reader, bench.crops),
    ) as pool:
        yield from _gather(pool, cases)


def _gather(pool: ProcessPoolExecutor, cases: Sequence[ImageSource]) -> Iterator[list[ViewRecord]]:
    waiting: set[Future[list[ViewRecord]]] = {pool.submit(_read_source, case) for case in cases}
    try:
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                waiting.remove(future)
                yield future.result()
    except BrokenProcessPool as error:
        raise DetectorDiedError(
            "a reading process was killed, perhaps for want of memory; the same command goes on "
            "with what is left, and fewer --processes need less"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_reader: list[ImageReader] = []
"""The reading process's own; a process pool hands nothing else from its start to its tasks."""


def _open_reader(manifest: Path | None, open_reader: OpenReader, crops: Path) -> None:
    _reader[:] = [ImageReader.from_manifest(manifest, open_reader, crops)]


def _read_source(case: ImageSource) -> list[ViewRecord]:
    return [_reader[0].read_image(image) for image in case.make_images()]
