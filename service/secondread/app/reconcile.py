"""After a start, archive and database are compared: the files are the truth, SQL is the index.

A file without a row was received in full: the receiver died between the two, or the database was
restored from an older backup. It is recorded as if it arrived now. A row whose file is missing or
short is a loss that no program can repair: an alarm names the study, and a person restores it.

It goes on beside the receiver, in its process, for minutes where there are a million files: so it
works in short pieces with pauses between them, and remembers 8 bytes of each path.
"""

import contextlib
import threading
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np

from secondread import log
from secondread.accept.archive import Archive, hash_content
from secondread.accept.classify import classify, may_be_own
from secondread.accept.instance_file import read_received_file
from secondread.accept.intake import check_uids
from secondread.accept.ledger import Ledger, PeerAssociation, StoredInstance
from secondread.clock import Clock
from secondread.dicom_files import read_identity
from secondread.errors import InputError
from secondread.track.summaries import ExpectedFile
from secondread.track.tracker import Tracker
from secondread.track.values import Severity

_log = log.get_logger(__name__)

LOST_FILE_ALARM = "archive-file-lost"

SETTLED_AFTER_SECONDS = 600.0
"""Files younger than this may be on their way from archive to database at this moment."""


PIECE = 1000
"""Files that are looked for before a pause; a page of rows has as many."""

REST = 2.0
"""A pause lasts so many times as long as what was done before it: two thirds are the receiver's."""


_Piece = TypeVar("_Piece")


class _NamedPaths:
    """The paths that rows name, each as a number of 64 bits that no sender can foresee.

    That two of a million have the same number, and one without a row is taken for the other, is as
    likely as 1 in 10^13.
    """

    def __init__(self) -> None:
        self._numbers = array("q")
        self._sorted = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, rows: Iterable[ExpectedFile]) -> None:
        """Add the paths of some rows."""
        self._numbers.extend(hash(row.path) for row in rows)

    def sort(self) -> None:
        """Prepare for questions, after the last path was added."""
        self._sorted = np.sort(np.array(self._numbers, np.int64))

    def list_others(self, paths: Sequence[str]) -> list[str]:
        """Return those of some paths that no row names."""
        numbers = np.array([hash(path) for path in paths], np.int64)
        first, after = (np.searchsorted(self._sorted, numbers, side) for side in ("left", "right"))
        is_named = first < after
        return [path for path, named in zip(paths, is_named, strict=True) if not named]


@dataclass(frozen=True, slots=True)
class ArchiveDifferences:
    """What the comparison found."""

    recorded: int
    """Files that had no row and have one now."""
    lost: int
    """Studies with rows whose file is gone or has another size."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Compares archive and database once."""

    archive: Archive
    tracker: Tracker
    ledger: Ledger
    """Where files without a row are recorded."""
    clock: Clock
    """Returns the present instant."""

    def compare(self, stop: threading.Event) -> ArchiveDifferences:
        """Compare, unless `stop` is set before the end; may be repeated.

        Raises
        ------
        TransientError
            The database is away; nothing is lost by trying later.
        """
        named = _NamedPaths()
        lost: dict[str, str] = {}
        for page in _rest_between(self._list_pages(), stop):
            named.add(page)
            for row in page:
                fault = self._judge(row)
                if fault is not None:
                    lost[row.study_uid] = fault
        if stop.is_set():
            return ArchiveDifferences(0, len(lost))
        self._update_alarms(lost)
        named.sort()
        recorded = 0
        for paths in _rest_between(self._list_paths(), stop):
            for path in named.list_others(paths):
                if not stop.is_set() and self._is_settled(path):
                    recorded += self._record(path)
        write_log = _log.warning if recorded or lost else _log.info
        write_log(
            "archive_compared", rows=len(named), recorded=recorded, studies_with_losses=len(lost)
        )
        return ArchiveDifferences(recorded, len(lost))

    def _list_paths(self) -> Iterator[list[str]]:
        paths = self.archive.list_instance_paths()
        while piece := list(islice(paths, PIECE)):
            yield piece

    def _list_pages(self) -> Iterator[list[ExpectedFile]]:
        tracker = self.tracker
        for list_page in (
            tracker.node_queries.list_expected_files,
            tracker.other_objects.list_expected_files,
            tracker.archive_rows.list_outbox_files,
        ):
            after = 0
            while page := list_page(after):
                yield page
                after = page[-1].id

    def _judge(self, row: ExpectedFile) -> str | None:
        """Return what is wrong with a row's file, also at a second look; None if nothing is."""
        if self._find_fault(row) is None:
            return None
        file = self.archive.resolve_path(row.path)
        size: int | None = None
        with contextlib.suppress(OSError):
            # File meta information is no part of what is stored: files with the same data set may
            # differ in length, and one takes the place of another that was damaged.
            if hash_content(file, PurePosixPath(row.path).parts[0]) == file.stem:
                size = file.stat().st_size
        return self.tracker.archive_rows.judge_loss(row, lambda: self._find_fault(row), size)

    def _find_fault(self, row: ExpectedFile) -> str | None:
        """Return what is wrong with a row's file; None if nothing is."""
        file = self.archive.resolve_path(row.path)
        size = file.stat().st_size if file.is_file() else None
        if size == row.size_bytes:
            return None
        state = "is missing" if size is None else f"has {size} of {row.size_bytes} bytes"
        is_result = row.path.startswith("outbox/")
        other = "read the study again" if is_result else "have the study sent again"
        return f"{row.path} {state}; restore it from a backup, or {other}"

    def _update_alarms(self, lost: Mapping[str, str]) -> None:
        now = self.clock()
        for alarm in self.tracker.node_queries.list_alarms():
            if alarm.kind == LOST_FILE_ALARM and alarm.subject not in lost:
                self.tracker.alarms.clear_alarm(LOST_FILE_ALARM, alarm.subject, now)
        for study_uid, fault in lost.items():
            self.tracker.alarms.raise_alarm(
                LOST_FILE_ALARM, study_uid, fault, now, Severity.CRITICAL
            )

    def _is_settled(self, path: str) -> bool:
        try:
            written = self.archive.resolve_path(path).stat().st_mtime
        except FileNotFoundError:  # removed for its age since it was listed
            return False
        age = self.clock().timestamp() - written
        return age > SETTLED_AFTER_SECONDS

    def _record(self, path: str) -> bool:
        """Record a file without a row; return whether it could be read."""
        file = self.archive.resolve_path(path)
        now = self.clock()
        try:
            identity = read_identity(file)
            syntax = str(identity.file_meta.get("TransferSyntaxUID", ""))
            sop_class = str(identity.get("SOPClassUID", ""))
            received = read_received_file(file, syntax, sop_class)
            check_uids(received.header)
        except InputError as error:
            _log.error("archive_file_unreadable", path=path, why=str(error))
            return False
        header = received.header
        # Its sender is not known any more; the intake rule treats it as from an unknown peer.
        association = PeerAssociation(f"reconciled-{received.sha256[:16]}", "", "", now)
        # Own objects that come back unchanged are not archived as received ones.
        uid = str(header.SOPInstanceUID)
        is_altered = may_be_own(sop_class) and self.ledger.find_own(uid) is not None
        instance = StoredInstance(
            sop_instance_uid=uid,
            sop_class_uid=sop_class,
            transfer_syntax=syntax,
            study_uid=str(header.StudyInstanceUID),
            series_uid=str(header.SeriesInstanceUID),
            sha256=received.sha256,
            size=received.size,
            relative_path=path,
            received_at=now,
            disposition=classify(
                header, is_own=False, is_doubtful=is_altered or not received.is_whole
            ),
            association=association,
            is_altered=is_altered,
        )
        self.ledger.record_association_start(association)
        try:
            self.ledger.record_instance(instance, header)
        finally:
            self.ledger.record_association_end(association.association_id, now)
        _log.warning("archive_file_recorded", path=path, study_uid=instance.study_uid)
        return True


def _rest_between(pieces: Iterator[_Piece], stop: threading.Event) -> Iterator[_Piece]:
    """Give pieces of work, with a pause after each, until `stop` is set."""
    while not stop.is_set():
        started = time.monotonic()
        piece = next(pieces, None)
        if piece is None:
            return
        yield piece
        stop.wait(REST * (time.monotonic() - started))
