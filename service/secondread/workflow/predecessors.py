"""When a revision's objects are written, and which earlier ones they replace, by destination.

Objects are made for a profile, which destinations share. What an object replaces is therefore what
all of them hold, or have under way: a destination that was added later, that was in shadow, or that
refuses what it is sent would be told to replace a report that it never got. Where they differ,
none is named; the number of the revision in the series' description still orders the reports.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from secondread.report.result import Occasion
from secondread.settings import ObjectKind
from secondread.track.values import ClaimedRevision, RecordedObject
from secondread.workflow.revision_reader import ReadingTools


@dataclass(frozen=True, slots=True)
class _EarlierObject:
    """An object of an earlier revision."""

    revision: ClaimedRevision
    entry: RecordedObject
    destinations: frozenset[str]
    """Those that hold it, or have it under way."""


def find_occasion(tools: ReadingTools, claimed: ClaimedRevision, profile: str) -> Occasion:
    """Return when a revision's objects are written for a profile, and which they replace.

    A document replaces the last one of its kind, from whichever revision: one in between may have
    had none, as after every image was withdrawn, and left the one before it standing.
    """
    earlier = tuple(_list_earlier(tools, claimed))
    # To a destination in shadow goes neither this revision nor what was made for it before.
    away = tools.tracker.destinations.list_in_shadow()
    names = [n for n, key in tools.destinations.items() if key == profile and n not in away]

    def find_lasts(*kinds: ObjectKind) -> Iterator[_EarlierObject | None]:
        """Yield the last object of some kinds for each destination of the profile."""
        of_kinds = [item for item in earlier if item.entry.kind in kinds]
        for name in names:
            yield next((item for item in of_kinds if name in item.destinations), None)
        if not names:
            # What leaves for nowhere is for the node's own page.
            yield next((item for item in of_kinds if item.entry.profile == profile), None)

    replaced = _get_common(item.revision if item else None for item in find_lasts(*ObjectKind))
    return Occasion(
        written_at=claimed.content_at.astimezone(tools.zone),
        predecessor=_get_common(_get_uids(item) for item in find_lasts(ObjectKind.CAD_SR)),
        predecessor_at=replaced.content_at.astimezone(tools.zone) if replaced else None,
        predecessor_measurements=_get_common(
            _get_uids(item) for item in find_lasts(ObjectKind.TID1500)
        ),
    )


def _get_uids(item: _EarlierObject | None) -> tuple[str, str, str] | None:
    """Return study, series and instance UID."""
    if item is None:
        return None
    return item.revision.study_uid, item.entry.series_uid, item.entry.sop_instance_uid


T = TypeVar("T")


def _get_common(values: Iterable[T | None]) -> T | None:
    """Return what all values are; None where they differ."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _list_earlier(tools: ReadingTools, claimed: ClaimedRevision) -> Iterator[_EarlierObject]:
    """Yield the objects of the revisions before one, the latest revision's first."""
    while claimed.predecessor is not None:
        claimed = tools.tracker.studies.get_claimed(claimed.study_uid, claimed.predecessor)
        results, revision = tools.tracker.results, (claimed.study_uid, claimed.number)
        destinations = results.list_destinations(*revision)
        for entry in results.list_outbox(*revision):
            names = destinations.get(entry.sop_instance_uid, frozenset())
            yield _EarlierObject(claimed, entry, names)
