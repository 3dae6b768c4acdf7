"""The history of a lesion: what it was in each exam in which it was seen, or not seen any more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime


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
    """The likeliest type; empty where it was not described."""
    certainty: float
    """0-100."""
    suspicion: float | None
    """0-100."""
    shown: bool
    change: str
    """Against the exam's own priors, in words; empty where it was not compared."""
    read_at: datetime
    model_digest: str
    crop: str | None = None
    """Where its picture lies in the archive; None where none was kept."""

    @property
    def side(self) -> str:
        """R or L, or another letter where the header did not say."""
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
        return "".join(sorted({one.side for one in self.sightings}))

    @property
    def first_seen(self) -> date | None:
        """Day of the first exam that shows it."""
        return self.sightings[0].study_date

    @property
    def was_shown(self) -> bool:
        """Whether a radiologist was ever shown it."""
        return any(one.shown for one in self.sightings)


def build_histories(
    sightings: Iterable[Sighting],
    absences: Iterable[LesionAbsence],
    categories: Mapping[tuple[str, str], str],
) -> tuple[LesionHistory, ...]:
    """Return the history of each lesion, the one that was seen first before the others.

    Parameters
    ----------
    sightings
        In any order. Of several readings of one image the latest counts; parts that it found one
        lesion in are all kept.
    missing
        In any order.
    categories
        Assessment category by Study Instance UID and side letter.
    """
    by_lesion: dict[str, list[Sighting]] = {}
    for one in _latest(sightings):
        by_lesion.setdefault(one.lesion, []).append(one)
    absent: dict[str, list[LesionAbsence]] = {}
    for gone in absences:
        absent.setdefault(gone.lesion, []).append(gone)
    found = [
        LesionHistory(
            lesion,
            tuple(sorted(seen, key=_when)),
            tuple(sorted(absent.get(lesion, ()), key=lambda m: (_day(m.study_date), m.label))),
            _of_sides(categories, {one.side for one in seen}),
        )
        for lesion, seen in by_lesion.items()
    ]
    return tuple(sorted(found, key=lambda one: (_when(one.sightings[0]), one.lesion)))


def _latest(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return, of each image and lesion, what its latest reading found."""
    kept: dict[tuple[str, str], list[Sighting]] = {}
    for one in sorted(sightings, key=lambda s: (s.read_at, s.model_digest), reverse=True):
        known = kept.setdefault((one.lesion, one.sop_instance_uid), [])
        if not known or known[0].read_at == one.read_at:
            known.append(one)
    return [one for group in kept.values() for one in group]


def _of_sides(categories: Mapping[tuple[str, str], str], sides: set[str]) -> dict[str, str]:
    return {study: category for (study, side), category in categories.items() if side in sides}


def _when(one: Sighting) -> tuple[date, str, str]:
    return _day(one.study_date), one.label, one.finding_id


def _day(day: date | None) -> date:
    return day or date.min
