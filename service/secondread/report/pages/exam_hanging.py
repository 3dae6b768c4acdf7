"""Which images an overview shows, and where: right beside left, cranio-caudal over oblique."""

from dataclasses import dataclass

from secondread.codes import Laterality, View
from secondread.findings.changes import StudyComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.image_names import format_label
from secondread.report.sr.wording import explain_why_not_read

ROWS = (View.CC, View.MLO)
SIDES = (Laterality.RIGHT, Laterality.LEFT)
_MOST_OF_VIEW = 2
"""More images of one view would leave each too little room; those not hung have their own page."""


@dataclass(frozen=True, slots=True)
class PriorView:
    """The prior's image of a view."""

    image: ImageReading
    comparison: StudyComparison


@dataclass(frozen=True, slots=True)
class ViewSlot:
    """One place of the hanging."""

    side: Laterality
    name: str
    """As ``R CC``."""
    image: ImageReading | None
    """None where no image can be shown."""
    why_not: str = ""
    """Why no image is shown, for people."""
    prior: PriorView | None = None
    is_repeat: bool = False
    """Whether it is beside the first image of its view: its image is a second one of that view, or
    None where only another row has one."""


@dataclass(frozen=True, slots=True)
class ExamHanging:
    """The places of an overview."""

    rows: tuple[tuple[ViewSlot, ...], ...]
    """Cranio-caudal views over oblique ones, right before left, a second image of a view after the
    first; only sides that the exam has, and no row of views of which none came."""

    @property
    def has_priors(self) -> bool:
        """Whether a prior is shown."""
        return any(slot.prior is not None for row in self.rows for slot in row)


def hang_exam(reading: StudyReading) -> ExamHanging:
    """Return the places of an exam's images."""
    sides = [side for side in SIDES if _is_imaged(reading, side)] or SIDES
    rows = [row for row in ROWS if any(_stands_for(i.mammogram.view, row) for i in reading.images)]
    filled = [[_fill_slots(reading, side, row) for side in sides] for row in rows or ROWS]
    # A side is as wide as its row with the most images.
    widths = [max(map(len, slots)) for slots in zip(*filled, strict=True)]
    return ExamHanging(
        tuple(
            tuple(
                slots[number] if number < len(slots) else ViewSlot(side, "", None, is_repeat=True)
                for side, slots, width in zip(sides, row, widths, strict=True)
                for number in range(width)
            )
            for row in filled
        )
    )


def order_views(reading: StudyReading) -> tuple[ImageReading, ...]:
    """Return the images with shown findings, that with the finding of highest priority first."""
    images = {image.sop_instance_uid: image for image, _ in reading.list_shown()}
    return tuple(image for image in images.values() if image.status.was_read)


def _is_imaged(reading: StudyReading, side: Laterality) -> bool:
    expected = any(label.startswith(side.letter) for label in reading.missing_views)
    return expected or any(image.mammogram.laterality is side for image in reading.images)


def _fill_slots(reading: StudyReading, side: Laterality, row: View) -> list[ViewSlot]:
    """Return the places of one view: one, or two beside each other where it came twice."""
    label = side.letter + row.name
    images = [
        image
        for image in reading.images
        if image.mammogram.laterality is side and _stands_for(image.mammogram.view, row)
    ]
    read = [image for image in images if image.status.was_read]
    if read:
        ranked = sorted(read, key=lambda image: _rank_image(image, row))
        alike = [image for image in ranked if _is_same_view(image, ranked[0])][:_MOST_OF_VIEW]
        return [
            ViewSlot(side, image.name, image, prior=_find_prior(reading, image), is_repeat=n > 0)
            for n, image in enumerate(sorted(alike, key=read.index))
        ]
    if images:
        why_not = f"not read: {explain_why_not_read(images[0])}"
    else:
        why_not = "not received" if label in reading.missing_views else "no such image"
    return [ViewSlot(side, format_label(label), None, why_not)]


def _is_same_view(image: ImageReading, other: ImageReading) -> bool:
    a, b = image.mammogram, other.mammogram
    return (a.view, a.view_modifiers) == (b.view, b.view_modifiers)


def _rank_image(image: ImageReading, row: View) -> tuple[object, ...]:
    """Return what puts the image with the finding of highest priority first."""
    first = min((finding.rank[0] for finding in image.shown_findings), default=(True, 1.0, 0.0))
    return first, -len(image.shown_findings), image.mammogram.view is not row


def _stands_for(view: View | None, row: View) -> bool:
    return view is not None and (view.is_cc_like if row is View.CC else view.is_mlo_like)


def _find_prior(reading: StudyReading, image: ImageReading) -> PriorView | None:
    """Return the nearest prior's image of the view, with which the image was compared."""
    read = {
        prior_image.mammogram.sop_instance_uid: prior_image
        for prior in reading.prior_readings
        for prior_image in prior.images
        if prior_image.status.was_read
    }
    for comparison in reading.comparisons:
        for view in comparison.views:
            prior_image = read.get(view.prior_sop_instance_uid or "")
            if view.sop_instance_uid == image.mammogram.sop_instance_uid and prior_image:
                return PriorView(prior_image, comparison)
    return None
