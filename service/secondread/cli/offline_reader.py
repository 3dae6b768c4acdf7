"""The offline reader as commands open it: with a detector in a child process, and no node."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from secondread.app.reader import make_node_identity, open_reader
from secondread.clock import utc_now
from secondread.detect.child import DetectorChild
from secondread.followup.treatment_file import RecordedTreatment
from secondread.offline.input_files import InputFiles
from secondread.offline.reader import OfflineAuthor, OfflineReader
from secondread.offline.reading_plan import ReadingPlan
from secondread.settings import DetectSettings, FindingsSettings


@contextmanager
def open_offline_reader(
    inputs: InputFiles,
    plan: ReadingPlan,
    detect: DetectSettings,
    out: Path,
    overrides: frozenset[str],
    treatments: tuple[RecordedTreatment, ...] = (),
) -> Iterator[OfflineReader]:
    """Yield a reader that writes into a folder; its detector runs until the `with` block ends."""
    installation_id = uuid.uuid4().hex
    author = OfflineAuthor(
        make_node_identity(installation_id, station_name="offline", institution=""),
        installation_id,
        written_at=utc_now().astimezone().replace(microsecond=0),
    )
    with DetectorChild(detect) as child:
        yield OfflineReader(
            inputs,
            plan,
            child,
            open_reader(detect, FindingsSettings()),
            author,
            out,
            overrides,
            treatments,
        )
