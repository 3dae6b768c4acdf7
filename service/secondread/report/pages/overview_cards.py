"""The cards of an overview: lesions by priority, each enlarged, then what is gone."""

from collections.abc import Sequence

from secondread.findings.changes import StudyComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.report.pages.breast_panel import DrawnImage
from secondread.report.pages.cards import Badge, Card
from secondread.report.pages.closeups import make_close_ups
from secondread.report.pages.compared_marks import ComparedFinding, list_outlined, without_prior
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.drawing import Color
from secondread.report.pages.exam_hanging import ExamHanging, PriorView
from secondread.report.sr.impression_words import describe_in_legend
from secondread.report.sr.report_contents import ImageFinding, ReportedLesion, group_lesions
from secondread.report.sr.wording import (
    capitalize,
    describe_measurements,
    describe_priority,
    describe_size,
    format_day,
)


def list_overview_cards(
    reading: StudyReading, hanging: ExamHanging, display: LoadDisplay
) -> list[Card]:
    """Return the lesions by priority, then what is gone.

    Parameters
    ----------
    reading
        The exam.
    hanging
        Its pictures; what they outline has a card.
    display
        Gives an image's full-resolution display array by SOP Instance UID.
    """
    maker = _CardMaker(reading, hanging, display)
    lesions = group_lesions(reading, lambda image: image.shown_findings)
    ordered = sorted(lesions, key=lambda lesion: _find_first(lesion).finding.rank)
    return [*map(maker.make_of_lesion, ordered), *maker.list_missing()]


def _find_first(lesion: ReportedLesion) -> ImageFinding:
    return min(lesion.current, key=lambda seen: seen.finding.rank)


class _CardMaker:
    """Makes cards from what the pictures of an exam outline."""

    def __init__(self, reading: StudyReading, hanging: ExamHanging, display: LoadDisplay) -> None:
        self._reading, self._display = reading, display
        self._priors: dict[str, PriorView] = {}
        self._outlined: dict[tuple[str, str], ComparedFinding] = {}
        self._images: list[ImageReading] = []
        for slot in (slot for row in hanging.rows for slot in row):
            if slot.image is None:
                continue
            uid = slot.image.sop_instance_uid
            self._images.append(slot.image)
            if slot.prior is not None:
                self._priors[uid] = slot.prior
            for entry in list_outlined(slot.image, slot.prior):
                self._outlined[uid, entry.number] = entry

    def make_of_lesion(self, lesion: ReportedLesion) -> Card:
        """Return the card of a lesion: its numbers once, its views, its first finding enlarged."""
        first = _find_first(lesion)
        view = next(view for view in lesion.views if first in view.current)
        entries = [self._find_entry(seen) for seen in view.current]
        colors: dict[str, Color] = {}
        for seen in (first, *lesion.current):
            colors.setdefault(_name(seen.image, seen.finding.number), self._find_entry(seen).color)
        views = dict.fromkeys(_name_view(seen.image) for seen in (first, *lesion.current))
        measured = first.image.mammogram.spacing is not None
        facts = [describe_measurements(first.finding, measured=measured)]
        facts += [
            f"{_name_part(seen, first)}: "
            + describe_size(seen.finding, measured=seen.image.mammogram.spacing is not None)
            for seen in lesion.current
            if seen is not first
        ]
        return Card(
            tuple(Badge(number, color) for number, color in colors.items()),
            ", ".join(views),
            describe_priority(first.finding),
            "; ".join(facts),
            describe_in_legend(self._reading, first.image, first.finding),
            make_close_ups(entries, *self._draw_images(first.image)),
        )

    def _find_entry(self, seen: ImageFinding) -> ComparedFinding:
        key = (seen.image.sop_instance_uid, seen.finding.number)
        return self._outlined.get(key) or without_prior(seen.finding)

    def list_missing(self) -> list[Card]:
        """Return the cards of what a prior shows and the exam does not."""
        return [
            Card(
                (Badge(_name(image, entry.number), entry.color),),
                _name_view(image),
                "",
                capitalize(entry.text),
                "",
                make_close_ups([entry], *self._draw_images(image)),
            )
            for image in self._images
            for (uid, _), entry in self._outlined.items()
            if uid == image.sop_instance_uid and not entry.is_current_finding
        ]

    def _draw_images(self, image: ImageReading) -> Sequence[DrawnImage]:
        """Return an image and, where it hangs beside one, its prior, with captions."""
        drawn = [DrawnImage(image, self._display(image.sop_instance_uid))]
        prior = self._priors.get(image.sop_instance_uid)
        if prior is not None:
            display = self._display(prior.image.sop_instance_uid)
            drawn.append(DrawnImage(prior.image, display, _format_day(prior.comparison)))
        return drawn


def _format_day(comparison: StudyComparison) -> str:
    return format_day(comparison.prior_date, "prior")


def _name(image: ImageReading, number: str) -> str:
    """Return a number with its breast, as ``L 1``: it is the same in all views of the breast."""
    side = image.mammogram.laterality
    return f"{side.letter} {number}" if side is not None else f"{image.name} {number}"


def _name_part(seen: ImageFinding, first: ImageFinding) -> str:
    """Return the name of another part of a lesion: its view, its number where that differs."""
    number = seen.finding.number
    return _name_view(seen.image) + (f" {number}" if number != first.finding.number else "")


def _name_view(image: ImageReading) -> str:
    """Return the name of an image without its side."""
    side = image.mammogram.laterality
    return image.name.removeprefix(f"{side.letter} ") if side is not None else ""
