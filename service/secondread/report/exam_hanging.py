"""Which images an overview shows, and where: right beside left, cranio-caudal over oblique."""

from dataclasses import dataclass

from secondread.codes import Laterality, View
from secondread.findings.comparison import StudyComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.report.wording import image_names, spaced, why_not_read

ROWS = (View.CC, View.MLO)
SIDES = (Laterality.RIGHT, Laterality.LEFT)


@dataclass(frozen=True, slots=True)
class Prior:
    """The prior's image of a view."""

    image: ImageReading
    comparison: StudyComparison


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of the hanging."""

    side: Laterality
    name: str
    """As ``R CC``."""
    image: ImageReading | None
    """None where there is none to show."""
    why_not: str = ""
    """For people: why there is none."""
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class Hanging:
    """The places of an overview."""

    rows: tuple[tuple[Slot, ...], ...]
    """Cranio-caudal views over oblique ones, right before left; only sides that the exam has."""
    further: tuple[ImageReading, ...]
    """Images with shown findings that have no place: the views of these places came twice."""

    @property
    def with_priors(self) -> bool:
        """Whether a prior is shown."""
        return any(slot.prior is not None for row in self.rows for slot in row)


def hang(reading: StudyReading) -> Hanging:
    """Return the places of an exam's images."""
    sides = [side for side in SIDES if _is_imaged(reading, side)] or list(SIDES)
    rows = tuple(tuple(_slot(reading, side, row) for side in sides) for row in ROWS)
    placed = [slot.image for row in rows for slot in row]
    further = tuple(image for image in _read(reading) if image.shown and image not in placed)
    return Hanging(rows, further)


def _read(reading: StudyReading) -> list[ImageReading]:
    return [image for image in reading.images if image.status.has_findings]


def _is_imaged(reading: StudyReading, side: Laterality) -> bool:
    expected = any(label.startswith(side.letter) for label in reading.missing_views)
    return expected or any(image.mammogram.laterality is side for image in reading.images)


def _slot(reading: StudyReading, side: Laterality, row: View) -> Slot:
    label = side.letter + row.name
    found = [
        image
        for image in reading.images
        if image.mammogram.laterality is side and _stands_for(image.mammogram.view, row)
    ]
    read = [image for image in found if image.status.has_findings]
    if read:
        best = max(read, key=lambda image: (len(image.shown), image.mammogram.view is row))
        name = image_names(reading)[best.mammogram.sop_instance_uid]
        return Slot(side, name, best, prior=_prior(reading, best))
    if found:
        return Slot(side, spaced(label), None, f"not read: {why_not_read(found[0])}")
    missing = label in reading.missing_views
    return Slot(side, spaced(label), None, "not received" if missing else "no such image")


def _stands_for(view: View | None, row: View) -> bool:
    return view is not None and (view.is_cc_like if row is View.CC else view.is_mlo_like)


def _prior(reading: StudyReading, image: ImageReading) -> Prior | None:
    """Return the nearest prior's image of the view, which the image was held against."""
    uid = image.mammogram.sop_instance_uid
    read = {
        one.mammogram.sop_instance_uid: one
        for earlier in reading.earlier
        for one in earlier.images
        if one.status.has_findings
    }
    for comparison in reading.comparisons:
        for view in comparison.views:
            found = read.get(view.prior_sop_instance_uid or "")
            if view.sop_instance_uid == uid and found is not None:
                return Prior(found, comparison)
    return None
