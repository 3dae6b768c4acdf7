"""The history of a lesion: what it was in each exam in which it was seen, or not seen any more."""

from collections.abc import Collection, Iterable, Mapping
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
    def was_shown(self) -> bool:
        """Whether a radiologist was ever shown it."""
        return any(sighting.shown for sighting in self.sightings)


def build_histories(
    sightings: Iterable[Sighting],
    absences: Iterable[LesionAbsence],
    categories: Mapping[tuple[str, str], str],
) -> tuple[LesionHistory, ...]:
    """Return the history of each lesion, the one that was seen first before the others.

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
    return tuple(sorted(histories, key=lambda h: (_get_order(h.sightings[0]), h.lesion)))


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
