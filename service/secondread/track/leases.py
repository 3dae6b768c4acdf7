"""Leases end with their worker: what a process held that stops or is gone is taken up at once.

A lease has a time too, but a long one: an attempt at a slow peer may take minutes. Whether the
worker lives is known much sooner, by its heartbeat. That is no risk: an answer under an old claim
is not taken for the new one's, and what it proves, that the peer holds an object, is true anyhow.
"""

from sqlalchemy import select

from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import give_back as give_back_delivery
from secondread.track.fetch_rows import give_back as give_back_fetch
from secondread.track.missing_studies import give_back as give_back_check
from secondread.track.tables import ArrivalCheckRow, DeliveryRow, FetchRequestRow


class Leases(TrackerPart):
    """The leases of all workers: of deliveries, proofs, and what archives are asked for."""

    def end_all(self, worker: str) -> int:
        """End the leases of a worker that has stopped, or is lost; return how many there were."""
        ended = self._end_fetches(worker) + self._end_deliveries(worker)
        return ended + self._end_checks(worker)

    def _end_fetches(self, worker: str) -> int:
        with self._database.begin_write() as session:
            held = (
                select(FetchRequestRow)
                .where(FetchRequestRow.leased_by == worker)
                .order_by(FetchRequestRow.id)
            )
            requests = session.scalars(held.with_for_update()).all()
            for request in requests:
                give_back_fetch(request)
            return len(requests)

    def _end_deliveries(self, worker: str) -> int:
        with self._database.begin_write() as session:
            held = (
                select(DeliveryRow).where(DeliveryRow.leased_by == worker).order_by(DeliveryRow.id)
            )
            deliveries = session.scalars(held.with_for_update()).all()
            for delivery in deliveries:
                give_back_delivery(delivery)
            return len(deliveries)

    def _end_checks(self, worker: str) -> int:
        with self._database.begin_write() as session:
            held = (
                select(ArrivalCheckRow)
                .where(ArrivalCheckRow.leased_by == worker)
                .order_by(ArrivalCheckRow.source)
            )
            checks = session.scalars(held.with_for_update()).all()
            for check in checks:
                give_back_check(check)
            return len(checks)
