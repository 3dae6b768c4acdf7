"""A CAD SR as the rules of the check look at it: its library, findings, evidence and headers."""

from collections.abc import Iterator
from functools import cached_property

from pydicom.dataset import Dataset

from secondread.codes import Code, FindingType, RenderingIntent
from secondread.report import concepts
from secondread.report.conformity import walk
from secondread.report.content import Content, Tree, enum_of
from secondread.report.tree import Position

Instance = tuple[str, str]
"""SOP class and instance UID."""


class CheckedReport:
    """One document, with the questions that the rules ask.

    Parameters
    ----------
    ds
        The document.

    Raises
    ------
    ContentError
        Its content cannot be walked through.
    """

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.tree = Tree(ds)
        self.items: dict[Position, Content] = {
            content.position: content for content in walk(self.tree.root)
        }

    @cached_property
    def library(self) -> dict[Position, Content]:
        """The IMAGE items of the Image Library."""
        return {
            image.position: image
            for library in self.tree.root.named(concepts.IMAGE_LIBRARY)
            for image in library.children
            if image.value_type == "IMAGE" and image.instance is not None
        }

    @cached_property
    def current(self) -> dict[Instance, str]:
        """Current Requested Procedure Evidence, with the study of each instance."""
        return dict(self._evidence("CurrentRequestedProcedureEvidenceSequence"))

    @cached_property
    def other(self) -> dict[Instance, str]:
        """Pertinent Other Evidence, with the study of each instance."""
        return dict(self._evidence("PertinentOtherEvidenceSequence"))

    def _evidence(self, keyword: str) -> Iterator[tuple[Instance, str]]:
        for study in self.ds.get(keyword, None) or ():
            for series in study.get("ReferencedSeriesSequence", None) or ():
                for sop in series.get("ReferencedSOPSequence", None) or ():
                    instance = (
                        str(sop.get("ReferencedSOPClassUID", "")),
                        str(sop.get("ReferencedSOPInstanceUID", "")),
                    )
                    yield instance, str(study.get("StudyInstanceUID", ""))

    def named(self, *names: Code) -> list[Content]:
        """Return all items with one of these concept names, depth first."""
        return [one for one in self.items.values() if any(map(one.is_named, names))]

    @cached_property
    def findings(self) -> list[Content]:
        """The Single Image Findings."""
        return self.named(concepts.SINGLE_IMAGE_FINDING)

    @cached_property
    def composites(self) -> list[Content]:
        """The Composite Features."""
        return self.named(concepts.COMPOSITE_FEATURE)

    def above(self, content: Content) -> Content | None:
        """Return the item that an item hangs below."""
        return self.items.get(content.position[:-1])

    def images_of(self, content: Content) -> list[Content]:
        """Return the library's entries that the references right below an item point at."""
        return [
            self.library[child.target] for child in content.children if child.target in self.library
        ]

    def place(self, finding: Content) -> Content | None:
        """Return the entry of the image that a finding's center, or else the finding, is in."""
        center = finding.first(concepts.CENTER)
        return next(iter(self.images_of(center if center is not None else finding)), None)

    def study_of(self, entry: Content) -> str:
        """Return the study of a library entry, by the evidence; empty where that lacks it."""
        instance = entry.instance
        if instance is None:
            return ""
        key = instance[:2]
        return self.current.get(key) or self.other.get(key) or ""

    def type_of(self, finding: Content) -> FindingType | None:
        """Return what a finding is, as far as the node writes it."""
        return enum_of(finding, FindingType)

    def intent_of(self, content: Content) -> RenderingIntent | None:
        """Return an item's Rendering Intent."""
        return enum_of(content.first(concepts.RENDERING_INTENT), RenderingIntent)
