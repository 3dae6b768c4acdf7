"""What the archive holds by the database: every file that some row names."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

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
    from_row,
)

_PAGE = 1000


class NamedFile(NamedTuple):
    """A file that a row names."""

    path: str
    """Relative to the archive's folder."""
    study_uid: str
    """Empty where it belongs to none."""
    size_bytes: int | None
    """None where the row does not say it."""


class ArchiveRows(TrackerPart):
    """The files that rows name; each question is asked page by page."""

    def list_outbox_files(self, after: int = 0, limit: int = _PAGE) -> list[ExpectedFile]:
        """Return the result objects, as `NodeQueries.list_expected_files` does the images."""
        page = select(OutboxObjectRow).where(OutboxObjectRow.id > after)
        with self._database.begin_read() as session:
            rows = session.scalars(page.order_by(OutboxObjectRow.id).limit(limit))
            return [from_row(ExpectedFile, row) for row in rows]

    def list_files(self) -> Iterator[NamedFile]:
        """Yield every file, those first without which others cannot be made; some repeatedly."""
        for table in (InstanceRow, OtherObjectRow, OutboxObjectRow):
            yield from self._list_stored(table)
        for findings in (FindingRow, PriorFindingRow):
            yield from self._list_crops(findings)
        yield from self._list_answers()

    def _list_stored(
        self, table: type[InstanceRow] | type[OtherObjectRow] | type[OutboxObjectRow]
    ) -> Iterator[NamedFile]:
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
