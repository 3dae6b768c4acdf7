"""What the archive holds by the database: every file that some row names."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from secondread.track.database import TrackerPart
from secondread.track.summaries import ExpectedFile
from secondread.track.tables import (
    FindingRow,
    ImageResultRow,
    InstanceRow,
    OtherObjectRow,
    OutboxObjectRow,
    PriorFindingRow,
    RevisionRow,
    StoredAnswerRow,
    StudyRow,
)

_PAGE = 1000

_STORED = (InstanceRow, OtherObjectRow, OutboxObjectRow)
"""The tables whose rows name a file each, with its length."""


class NamedFile(NamedTuple):
    """A file that a row names."""

    path: str
    """Relative to the archive's folder."""
    study_uid: str
    """Empty where it belongs to none."""
    size_bytes: int | None
    """None where the row does not say it."""


StoredRow = type[InstanceRow] | type[OtherObjectRow] | type[OutboxObjectRow]
"""A table whose rows name a file each."""


def list_expected_files(
    session: Session, table: StoredRow, after: int, limit: int
) -> list[ExpectedFile]:
    """Return the files of a table's rows whose key is above `after`, in the order of keys."""
    # Single columns: whole rows take four times as long, and an archive has millions.
    columns = table.id, table.study_uid, table.path, table.sha256, table.size_bytes
    page = select(*columns).where(table.id > after).order_by(table.id).limit(limit)
    return [ExpectedFile(*row) for row in session.execute(page)]


def _names(table: StoredRow, file: ExpectedFile) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row names a file.

    The study is part of the content that the path is made from, and there is an index of it.
    """
    return table.study_uid == file.study_uid, table.path == file.path


class ArchiveRows(TrackerPart):
    """The files that rows name; each question is asked page by page."""

    def list_outbox_files(self, after: int = 0, limit: int = _PAGE) -> list[ExpectedFile]:
        """Return the result objects, as `NodeQueries.list_expected_files` does the images."""
        with self._database.begin_read() as session:
            return list_expected_files(session, OutboxObjectRow, after, limit)

    def judge_loss(
        self, row: ExpectedFile, find_fault: Callable[[], str | None], size: int | None
    ) -> str | None:
        """Look again at a file that seemed lost, while nobody can remove or replace it.

        Objects are removed and instances recorded while their study is locked: what was seen may
        have been the middle of that.

        Parameters
        ----------
        row
            What names the file.
        find_fault
            Returns what is wrong with the file now; None if nothing is.
        size
            The file's, where its content is right whatever the rows say; they are corrected.

        Returns
        -------
        str or None
            What is wrong; None if nothing is, or no row names the file any more.
        """
        with self._database.begin_write() as session:
            session.get(StudyRow, row.study_uid, with_for_update=True)
            if size is not None:
                for table in _STORED:
                    right = update(table).where(*_names(table, row))
                    session.execute(right.values(size_bytes=size))
                return None
            named = (select(table.id).where(*_names(table, row)).limit(1) for table in _STORED)
            is_named = any(session.scalar(question) is not None for question in named)
            return find_fault() if is_named else None

    def list_files(self) -> Iterator[NamedFile]:
        """Yield every file, those first without which others cannot be made; some repeatedly."""
        for table in _STORED:
            yield from self._list_stored(table)
        for findings in (FindingRow, PriorFindingRow):
            yield from self._list_crops(findings)
        yield from self._list_answers()

    def _list_stored(self, table: StoredRow) -> Iterator[NamedFile]:
        columns = table.id, table.path, table.study_uid, table.size_bytes
        after = 0
        while True:
            page = select(*columns).where(table.id > after).order_by(table.id).limit(_PAGE)
            with self._database.begin_read() as session:
                rows = session.execute(page).all()
            if not rows:
                return
            yield from (NamedFile(path, study, size) for _, path, study, size in rows)
            after = rows[-1][0]

    def _list_crops(self, table: type[FindingRow] | type[PriorFindingRow]) -> Iterator[NamedFile]:
        after = 0
        while True:
            page = (
                select(table.id, table.document, RevisionRow.study_uid)
                .join(RevisionRow, RevisionRow.id == table.revision)
                .where(table.id > after)
                .order_by(table.id)
                .limit(_PAGE)
            )
            with self._database.begin_read() as session:
                rows = session.execute(page).all()
            if not rows:
                return
            for _, document, study_uid in rows:
                path = (document.get("crop") or {}).get("path")
                if path:
                    yield NamedFile(path, study_uid, None)
            after = rows[-1][0]

    def _list_answers(self) -> Iterator[NamedFile]:
        path: InstrumentedAttribute[str | None] = ImageResultRow.answer_path
        of_images = (
            select(path, RevisionRow.study_uid)
            .join(RevisionRow, RevisionRow.id == ImageResultRow.revision)
            .where(path.is_not(None))
        )
        with self._database.begin_read() as session:
            rows = session.execute(of_images).all()
            known = session.scalars(select(StoredAnswerRow.path)).all()
        yield from (NamedFile(str(answer), study_uid, None) for answer, study_uid in rows)
        yield from (NamedFile(answer, "", None) for answer in known)
