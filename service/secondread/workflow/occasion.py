"""When a revision's objects are written, and which earlier ones they take the place of."""

from collections.abc import Iterator
from datetime import tzinfo

from secondread.report.result import Occasion
from secondread.settings import ObjectKind
from secondread.track.tracker import Tracker
from secondread.track.values import ClaimedRevision

_Names = tuple[str, str, str]
"""Study, series and instance UID."""


def find_occasion(
    tracker: Tracker, claimed: ClaimedRevision, profile: str, zone: tzinfo | None
) -> Occasion:
    """Return the occasion of a revision's objects for a profile.

    A document replaces the last one of its kind, from whichever revision: one in between may have
    had none, as after every image was withdrawn, and left the one before it standing.
    """
    earlier = tuple(_earlier(tracker, claimed))
    return Occasion(
        written_at=claimed.content_at.astimezone(zone),
        predecessor=_last(tracker, earlier, profile, ObjectKind.CAD_SR),
        predecessor_at=earlier[0].content_at.astimezone(zone) if earlier else None,
        predecessor_measurements=_last(tracker, earlier, profile, ObjectKind.TID1500),
    )


def _earlier(tracker: Tracker, claimed: ClaimedRevision) -> Iterator[ClaimedRevision]:
    """Yield the revisions before one, the latest first."""
    while claimed.predecessor is not None:
        claimed = tracker.studies.get_claimed(claimed.study_uid, claimed.predecessor)
        yield claimed


def _last(
    tracker: Tracker, earlier: tuple[ClaimedRevision, ...], profile: str, kind: ObjectKind
) -> _Names | None:
    for one in earlier:
        for entry in tracker.results.list_outbox(one.study_uid, one.number):
            if entry.profile == profile and entry.kind is kind:
                return one.study_uid, entry.series_uid, entry.sop_instance_uid
    return None
