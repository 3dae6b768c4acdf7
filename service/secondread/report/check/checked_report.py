"""A CAD SR as the rules of the check look at it: its library, findings, evidence and headers."""

from collections.abc import Iterator
from functools import cached_property

from pydicom.dataset import Dataset

from secondread.codes import Code, FindingType, RenderingIntent
from secondread.report import concepts
from secondread.report.check.conformity import walk
from secondread.report.readback.content import Content, ContentTree, read_enum
from secondread.report.sr.tree import Position

InstanceKey = tuple[str, str]
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
        self.tree = ContentTree(ds)
        self.items: dict[Position, Content] = {
            content.position: content for content in walk(self.tree.root)
        }

    @cached_property
    def library(self) -> dict[Position, Content]:
        """The IMAGE items of the Image Library."""
        return {
            image.position: image
            for library in self.tree.root.find_children(concepts.IMAGE_LIBRARY)
            for image in library.children
            if image.value_type == "IMAGE" and image.reference is not None
        }

    @cached_property
    def current_evidence(self) -> dict[InstanceKey, str]:
        """Current Requested Procedure Evidence, with the study of each instance."""
        return dict(self._evidence("CurrentRequestedProcedureEvidenceSequence"))

    @cached_property
    def other_evidence(self) -> dict[InstanceKey, str]:
        """Pertinent Other Evidence, with the study of each instance."""
        return dict(self._evidence("PertinentOtherEvidenceSequence"))

    def _evidence(self, keyword: str) -> Iterator[tuple[InstanceKey, str]]:
        for study in self.ds.get(keyword, None) or ():
            for series in study.get("ReferencedSeriesSequence", None) or ():
                for sop in series.get("ReferencedSOPSequence", None) or ():
                    instance = (
                        str(sop.get("ReferencedSOPClassUID", "")),
                        str(sop.get("ReferencedSOPInstanceUID", "")),
                    )
                    yield instance, str(study.get("StudyInstanceUID", ""))

    def find_items(self, *names: Code) -> list[Content]:
        """Return all items with one of these concept names, depth first."""
        return [one for one in self.items.values() if any(map(one.is_named, names))]

    @cached_property
    def findings(self) -> list[Content]:
        """The Single Image Findings."""
        return self.find_items(concepts.SINGLE_IMAGE_FINDING)

    @cached_property
    def composites(self) -> list[Content]:
        """The Composite Features."""
        return self.find_items(concepts.COMPOSITE_FEATURE)

    def find_parent(self, content: Content) -> Content | None:
        """Return the item that an item hangs below."""
        return self.items.get(content.position[:-1])

    def find_images(self, content: Content) -> list[Content]:
        """Return the library's entries that the references right below an item point at."""
        return [
            self.library[child.target] for child in content.children if child.target in self.library
        ]

    def find_finding_image(self, finding: Content) -> Content | None:
        """Return the entry of the image that a finding's center, or else the finding, is in."""
        center = finding.find_child(concepts.CENTER)
        return next(iter(self.find_images(center if center is not None else finding)), None)

    def find_study(self, entry: Content) -> str:
        """Return the study of a library entry, by the evidence; empty where that lacks it."""
        instance = entry.reference
        if instance is None:
            return ""
        key = instance[:2]
        return self.current_evidence.get(key) or self.other_evidence.get(key) or ""

    def find_type(self, finding: Content) -> FindingType | None:
        """Return what a finding is, as far as the node writes it."""
        return read_enum(finding, FindingType)

    def find_intent(self, content: Content) -> RenderingIntent | None:
        """Return an item's Rendering Intent."""
        return read_enum(content.find_child(concepts.RENDERING_INTENT), RenderingIntent)
