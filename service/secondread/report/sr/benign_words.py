"""What of an exam is typically benign and not marked, in one line."""

from collections import Counter
from collections.abc import Iterator

from secondread.codes import MarkClass
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.suspicion import TYPICALLY_BENIGN
from secondread.findings.typically_benign import LEAST_BENIGN
from secondread.report.sr.wording import to_ascii

TITLE = "Typically benign, not marked"

_LANDMARKS = {MarkClass.VASCULAR: "vascular", MarkClass.SKIN: "skin"}
"""Classes of their own, which are never marked."""


def describe_benign(reading: StudyReading) -> tuple[str, ...]:
    """Return what is typically benign and not marked, view by view; empty where nothing is.

    As ``Typically benign, not marked: L CC 2 x suture; R MLO vascular, dystrophic``. A vessel or a
    patch of skin is named where it is as likely as that.
    """
    views = [
        f"{image.name} {', '.join(kinds)}"
        for image in reading.images
        if image.status.was_read and (kinds := _count_kinds(image))
    ]
    return (to_ascii(f"{TITLE}: {'; '.join(views)}"),) if views else ()


def _count_kinds(image: ImageReading) -> list[str]:
    counts = Counter(kind for finding in image.findings for kind in _name_kind(finding))
    return [kind if number == 1 else f"{number} x {kind}" for kind, number in counts.items()]


def _name_kind(finding: Finding) -> Iterator[str]:
    if finding.is_set_aside:
        benign = (kind for kind, _ in finding.morphology if kind in TYPICALLY_BENIGN)
        likeliest = next(benign, None)
        # In one word: code meanings say calcification as well, each its own way.
        yield "calcifications" if likeliest is None else likeliest.name.lower().replace("_", " ")
    elif finding.mark_class in _LANDMARKS and finding.certainty >= LEAST_BENIGN:
        yield _LANDMARKS[finding.mark_class]
