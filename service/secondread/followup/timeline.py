"""The history of a lesion: what it was in each exam in which it was seen, or not seen any more."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from secondread.findings.changes import ChangeKind

_RISING = {kind.words for kind in (ChangeKind.NEW, ChangeKind.MORE, ChangeKind.LARGER)}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A lesion in one image, as the latest reading of that image found it."""

    lesion: str
    """Tracking Unique Identifier."""
    study_uid: str
    study_date: date | None
    sop_instance_uid: str
    label: str
    """Side and view of the image, as ``LCC``."""
    finding_id: str
    kind: str
    calcifications: int
    long_axis_mm: float
    morphology: str
    """The type in words; empty where it was not described."""
    certainty: float
    """0-100."""
    suspicion: float | None
    """0-100."""
    priority: float | None
    """0-100; None where it has no suspicion."""
    shown: bool
    change: str
    """Against the exam's own priors, in words; empty where it was not compared."""
    read_at: datetime
    model_digest: str
    faint: int = 0
    """How many of the calcifications are less likely than not; 0 in results of earlier versions."""
    crop: str | None = None
    """Where its picture is in the archive; None where there is none."""

    @property
    def side(self) -> str:
        """R or L, or another letter where the header has none."""
        return self.label[:1]

    @property
    def view(self) -> str:
        """As ``CC``."""
        return self.label[1:]


@dataclass(frozen=True, slots=True)
class LesionAbsence:
    """An exam in which a lesion of a prior was looked for and not found."""

    lesion: str
    study_uid: str
    study_date: date | None
    label: str
    """Side and view of the prior's image that it was found in."""
    word: str
    """As ``gone``, or ``not-in-field-of-view``."""


@dataclass(frozen=True, slots=True)
class LesionHistory:
    """One lesion over all exams."""

    lesion: str
    sightings: tuple[Sighting, ...]
    """By date, then view; at least one."""
    absences: tuple[LesionAbsence, ...]
    """By date."""
    categories: Mapping[str, str]
    """The radiologist's assessment category (BI-RADS) of the breast, by Study Instance UID."""

    @property
    def sides(self) -> str:
        """The breast, as ``L``."""
        return "".join(sorted({sighting.side for sighting in self.sightings}))

    @property
    def first_seen(self) -> date | None:
        """Day of the first exam that shows it."""
        return self.sightings[0].study_date

    @property
    def latest(self) -> tuple[Sighting, ...]:
        """The sightings of the latest exam that shows it."""
        last = self.sightings[-1].study_uid
        return tuple(sighting for sighting in self.sightings if sighting.study_uid == last)

    @property
    def is_rising(self) -> bool:
        """Whether it was new, or had grown, when it was last seen, and is not gone since."""
        return not self.is_gone and any(sighting.change in _RISING for sighting in self.latest)

    @property
    def is_gone(self) -> bool:
        """Whether a later exam shows its place, and nothing there any more."""
        last_seen = self.sightings[-1].study_date or date.min
        return any(
            absence.word == ChangeKind.GONE.value and (absence.study_date or date.min) > last_seen
            for absence in self.absences
        )

    @property
    def priority(self) -> float | None:
        """The highest of its views in the latest exam that shows it."""
        known = (s.priority for s in self.latest if s.priority is not None)
        return max(known, default=None)

    @property
    def was_shown(self) -> bool:
        """Whether a radiologist was ever shown it."""
        return any(sighting.shown for sighting in self.sightings)


def build_histories(
    sightings: Iterable[Sighting],
    absences: Iterable[LesionAbsence],
    categories: Mapping[tuple[str, str], str],
) -> tuple[LesionHistory, ...]:
    """Return the history of each lesion.

    What is new or has grown comes first and what is gone last, each by priority, and of equals the
    one that was seen first.

    Parameters
    ----------
    sightings
        In any order. Of several readings of one image the latest counts; if it
        found the lesion in several parts, all of them.
    absences
        In any order.
    categories
        Assessment category by Study Instance UID and side letter.
    """
    seen: dict[str, list[Sighting]] = {}
    for sighting in _select_latest(sightings):
        seen.setdefault(sighting.lesion, []).append(sighting)
    absent: dict[str, list[LesionAbsence]] = {}
    for absence in sorted(absences, key=lambda a: (a.study_date or date.min, a.label)):
        absent.setdefault(absence.lesion, []).append(absence)
    histories = [
        LesionHistory(
            lesion,
            tuple(sorted(of_lesion, key=_get_order)),
            tuple(absent.get(lesion, ())),
            _select_sides(categories, {sighting.side for sighting in of_lesion}),
        )
        for lesion, of_lesion in seen.items()
    ]
    return tuple(sorted(histories, key=_rank_history))


def _rank_history(history: LesionHistory) -> tuple[object, ...]:
    priority = history.priority
    return (
        history.is_gone,
        not history.is_rising,
        1.0 if priority is None else -priority,
        _get_order(history.sightings[0]),
        history.lesion,
    )


def _select_latest(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return, of each image and lesion, what its latest reading found."""
    latest: dict[tuple[str, str], list[Sighting]] = {}
    for sighting in sorted(sightings, key=lambda s: (s.read_at, s.model_digest), reverse=True):
        same = latest.setdefault((sighting.lesion, sighting.sop_instance_uid), [])
        if not same or same[0].read_at == sighting.read_at:
            same.append(sighting)
    return [sighting for same in latest.values() for sighting in same]


def _select_sides(
    categories: Mapping[tuple[str, str], str], sides: Collection[str]
) -> dict[str, str]:
    return {study: category for (study, side), category in categories.items() if side in sides}


def _get_order(sighting: Sighting) -> tuple[date, str, str]:
    return sighting.study_date or date.min, sighting.label, sighting.finding_id
