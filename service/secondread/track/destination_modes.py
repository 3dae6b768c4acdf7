"""Whether results leave for a destination: its mode, and the audit trail of it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.settings import DestinationMode
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.tables import DestinationChangeRow, DestinationRow

log = get_logger(__name__)

SEEDED_BY = "settings"


class Destinations(TrackerPart):
    """The destinations' modes."""

    def seed_modes(self, modes: Mapping[str, DestinationMode], now: datetime) -> None:
        """Add the destinations that the database does not know, in the mode of the settings.

        The mode of one that it knows is left: the database rules from then on.
        """
        with self._database.begin_write() as session:
            for name, mode in modes.items():
                values = {"name": name, "mode": mode, "changed_at": now, "changed_by": SEEDED_BY}
                if insert_if_new(session, DestinationRow, values):
                    session.add(_make_change(name, None, mode, SEEDED_BY, now))

    def list_in_shadow(self) -> frozenset[str]:
        """Return the destinations that nothing leaves for."""
        in_shadow = DestinationRow.mode == DestinationMode.SHADOW
        with self._database.begin_read() as session:
            return frozenset(session.scalars(select(DestinationRow.name).where(in_shadow)))

    def set_mode(self, name: str, mode: DestinationMode, by: str, now: datetime) -> bool:
        """Change a destination's mode, and record who did; return whether it was another.

        Going live sends what is read from then on; what was read in shadow stays there. What
        was read while live and has not left yet waits through a pause or a shadow time.

        Raises
        ------
        InputError
            There is no such destination.
        """
        with self._database.begin_write() as session:
            destination = session.get(DestinationRow, name, with_for_update=True)
            if destination is None:
                raise InputError(f"there is no destination {name}")
            if destination.mode is mode:
                return False
            session.add(_make_change(name, destination.mode, mode, by, now))
            words = f"destination {name}: {destination.mode.value} -> {mode.value}"
            event = AuditEvent(AuditKind.DESTINATION_CHANGED, now, by, words=words)
            add_audit_event(session, event)
            destination.mode, destination.changed_by, destination.changed_at = mode, by, now
        log.info("destination_mode_changed", destination=name, mode=mode.value, by=by)
        return True


def _make_change(
    name: str, old: DestinationMode | None, new: DestinationMode, by: str, now: datetime
) -> DestinationChangeRow:
    return DestinationChangeRow(
        destination=name, old_mode=old, new_mode=new, changed_by=by, changed_at=now
    )
