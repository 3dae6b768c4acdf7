"""Which processes of the node live: heartbeats, and who has fallen silent."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from secondread.track.database import Database, insert_if_new
from secondread.track.tables import ProcessRow
from secondread.track.values import ProcessIdentity


class Processes:
    """The processes of the node.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_heartbeat(self, beat: ProcessIdentity, now: datetime) -> None:
        """Say that a process lives; a new host or process number counts as a start."""
        with self._database.begin_write() as session:
            identity = {"kind": beat.kind, "host": beat.host, "pid": beat.pid}
            times = {"started_at": now, "beat_at": now}
            values = {"name": beat.name, "version": beat.version, **identity, **times}
            if insert_if_new(session, ProcessRow, values):
                return
            row = session.get_one(ProcessRow, beat.name, with_for_update=True)
            if (row.host, row.pid) != (beat.host, beat.pid):
                row.started_at = now
            row.kind, row.host, row.pid = beat.kind, beat.host, beat.pid
            row.version, row.beat_at = beat.version, now

    def remove_process(self, name: str) -> None:
        """Take a process that ended as it should off the list."""
        with self._database.begin_write() as session:
            session.execute(delete(ProcessRow).where(ProcessRow.name == name))

    def list_silent(
        self, now: datetime, takeover_seconds: float, kind: str | None = None
    ) -> list[str]:
        """Return the names of processes, of one kind or any, that fell silent too long ago."""
        silent = select(ProcessRow.name).where(
            ProcessRow.beat_at < now - timedelta(seconds=takeover_seconds)
        )
        if kind is not None:
            silent = silent.where(ProcessRow.kind == kind)
        with self._database.begin_read() as session:
            return list(session.scalars(silent.order_by(ProcessRow.name)))
