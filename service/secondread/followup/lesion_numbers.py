"""One number for a lesion in all views of a breast, counted by priority."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from secondread.codes import MarkClass
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.lesion_identity import Link, list_links
from secondread.followup.repeated_views import match_repeats
from secondread.followup.view_correlation import correlate_views


@dataclass(frozen=True, slots=True, eq=False)
class _NumberedLesion:
    """The findings of one lesion, at most one of each image."""

    findings: tuple[tuple[int, Finding], ...]
    """With the number of the image in the reading."""

    @property
    def images(self) -> frozenset[int]:
        return frozenset(image for image, _ in self.findings)

    @property
    def priority(self) -> float | None:
        """The highest of its views."""
        known = (finding.priority for _, finding in self.findings if finding.priority is not None)
        return max(known, default=None)


def number_lesions(reading: StudyReading) -> StudyReading:
    """Return a reading with its view and repeat pairs, and whose findings are named by lesion.

    The clusters of a breast are counted from 1 by priority, over all its views: ``LCC-1`` and
    ``LMLO-1`` are one lesion, and a number that only one view has is missing in the other. Other
    findings follow in each image.

    Parameters
    ----------
    reading
        As read, each image by itself.
    """
    repeats = match_repeats(reading.images)
    pairs = correlate_views(reading, repeats)
    links = list_links(pairs, repeats)
    names: dict[FindingRef, tuple[str, float | None]] = {}
    for images in _group_by_breast(reading.images):
        lesions = _join_lesions(reading.images, images, links)
        lesions.sort(key=lambda lesion: _rank(lesion, reading.images))
        for number, lesion in enumerate(lesions, 1):
            for index, finding in lesion.findings:
                image = reading.images[index]
                priority = lesion.priority if len(lesion.findings) > 1 else None
                names[image.refer_to(finding)] = (f"{image.label}-{number}", priority)
        for index in images:
            image, number = reading.images[index], len(lesions)
            for finding in image.findings:
                if finding.mark_class is not MarkClass.CLUSTER:
                    number += 1
                    names[image.refer_to(finding)] = (f"{image.label}-{number}", None)
    renamed = reading.map_findings(lambda image, finding: _rename(finding, names, image))
    ordered = tuple(_sort_findings(image) for image in renamed.images)
    return replace(
        renamed,
        images=ordered,
        view_pairs=tuple(
            replace(pair, cc=_rename_ref(pair.cc, names), mlo=_rename_ref(pair.mlo, names))
            for pair in pairs
        ),
        repeat_pairs=tuple(
            replace(
                pair, first=_rename_ref(pair.first, names), second=_rename_ref(pair.second, names)
            )
            for pair in repeats
        ),
    )


def _group_by_breast(images: Sequence[ImageReading]) -> list[list[int]]:
    """Return the numbers of the images of each breast; an image of no known side stands alone."""
    groups: dict[str, list[int]] = {}
    for index, image in enumerate(images):
        side = image.mammogram.laterality
        known = side is not None and side.letter in {"L", "R"}
        groups.setdefault(side.letter if side and known else str(index), []).append(index)
    return list(groups.values())


def _join_lesions(
    all_images: Sequence[ImageReading], images: Iterable[int], links: Iterable[Link]
) -> list[_NumberedLesion]:
    """Return the lesions of a breast: its clusters, those joined that are sure to be one."""
    lesions = {
        all_images[index].refer_to(finding): _NumberedLesion(((index, finding),))
        for index in images
        for finding in all_images[index].findings
        if finding.mark_class is MarkClass.CLUSTER
    }
    for here, there in links:
        first, second = lesions.get(here), lesions.get(there)
        if first is None or second is None:
            continue
        # A chain of pairs must not make one lesion of two clusters of an image.
        if not first.images & second.images:
            joined = _NumberedLesion((*first.findings, *second.findings))
            for index, finding in joined.findings:
                lesions[all_images[index].refer_to(finding)] = joined
    return list(dict.fromkeys(lesions.values()))


def _rank(lesion: _NumberedLesion, images: Sequence[ImageReading]) -> tuple[object, ...]:
    """Return what sorts lesions: by their first finding, ties by image and place."""
    return min(
        (finding.rank[0], images[index].label, finding.rank) for index, finding in lesion.findings
    )


def _rename(
    finding: Finding, names: dict[FindingRef, tuple[str, float | None]], image: ImageReading
) -> Finding:
    name, priority = names[image.refer_to(finding)]
    return replace(finding, id=name, lesion_priority=priority)


def _rename_ref(ref: FindingRef, names: dict[FindingRef, tuple[str, float | None]]) -> FindingRef:
    return replace(ref, finding_id=names[ref][0])


def _sort_findings(image: ImageReading) -> ImageReading:
    return replace(image, findings=tuple(sorted(image.findings, key=lambda f: f.rank)))
