"""How `secondread read` answers files, in this process and with the detector that is given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import NoReturn

from secondread.app.reader import make_node_identity, open_reader
from secondread.offline.input_files import gather_files
from secondread.offline.reader import OfflineAuthor, OfflineReader, read_files
from secondread.offline.reading_plan import plan_reading
from secondread.reading import FileDetector
from secondread.settings import DetectSettings, FindingsSettings
from tests.mutation.breakdowns import forbid_breakdowns

WRITTEN_AT = datetime(2026, 11, 22, 10, 1, 2, tzinfo=UTC)


def parse_json(text: str) -> object:
    """Return a document of standard JSON: NaN and Infinity are none."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


@dataclass
class OfflineWorld:
    """A folder in which files are read beside a good one.

    Gates are overridden: they would refuse images as small as these before their pixels are read.
    """

    folder: Path
    detector: FileDetector
    good: bytes

    def __post_init__(self) -> None:
        self._inputs, self._out = self.folder / "inputs", self.folder / "out"
        author = make_node_identity("installation", station_name="offline", institution="")
        self._author = OfflineAuthor(author, "installation", WRITTEN_AT)
        self._reader = open_reader(DetectSettings(), FindingsSettings())

    def check(self, files: Sequence[bytes]) -> None:
        """Have files read: each is answered once, and the good one beside them is read."""
        for folder in (self._inputs, self._out):
            rmtree(folder, ignore_errors=True)
        self._inputs.mkdir(parents=True)
        good = self._inputs / "good.dcm"
        good.write_bytes(self.good)
        given = [self._inputs / f"{number}.dcm" for number in range(len(files))]
        for path, data in zip(given, files, strict=True):
            path.write_bytes(data)
        with forbid_breakdowns():
            status = self._read()
        assert set(status) == {good, *given}, "an input is not answered"
        assert status[good] in {"read", "flagged"}, f"the good one was {status[good]}"

    def _read(self) -> dict[Path, str]:
        """Read the folder; return what became of each file."""
        inputs = gather_files([self._inputs])
        offline = OfflineReader(
            inputs,
            plan_reading(inputs),
            self.detector,
            self._reader,
            self._author,
            self._out,
            frozenset({"all"}),
        )
        path = read_files(offline, lambda _: None)
        document = parse_json(path.read_text(encoding="utf-8"))
        assert isinstance(document, dict)
        return {Path(image["path"]): image["status"] for image in document["images"]}
