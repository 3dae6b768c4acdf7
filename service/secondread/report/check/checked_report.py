"""A CAD SR as the rules of the check look at it: its library, findings, evidence and headers."""

from dataclasses import dataclass
from functools import cached_property

from pydicom.dataset import Dataset

from secondread.codes import Code, RenderingIntent
from secondread.report import concepts
from secondread.report.readback.attributes import read_text
from secondread.report.readback.content import (
    Content,
    ContentTree,
    Position,
    list_references,
    read_enum,
)

InstanceKey = tuple[str, str]
"""SOP class and instance UID."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with a document, and where."""

    position: str
    """Position of the content item, or ``header``."""
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


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
        self.items = self.tree.items

    @cached_property
    def library(self) -> dict[Position, Content]:
        """The IMAGE items of the Image Library; each of them refers to an instance."""
        return {
            image.position: image
            for library in self.tree.root.find_children(concepts.IMAGE_LIBRARY)
            for image in library.children
            if image.value_type == "IMAGE" and image.reference is not None
        }

    @cached_property
    def current_evidence(self) -> dict[InstanceKey, str]:
        """Current Requested Procedure Evidence, with the study of each instance."""
        return self._list_evidence("CurrentRequestedProcedureEvidenceSequence")

    @cached_property
    def other_evidence(self) -> dict[InstanceKey, str]:
        """Pertinent Other Evidence, with the study of each instance."""
        return self._list_evidence("PertinentOtherEvidenceSequence")

    def _list_evidence(self, keyword: str) -> dict[InstanceKey, str]:
        return {
            (
                read_text(instance, "ReferencedSOPClassUID"),
                read_text(instance, "ReferencedSOPInstanceUID"),
            ): read_text(study, "StudyInstanceUID")
            for study, _, instance in list_references(self.ds, keyword)
        }

    def find_items(self, *concepts: Code) -> list[Content]:
        """Return all items with one of these concept names, depth first."""
        return [item for item in self.items.values() if item.is_named(*concepts)]

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
        key = instance_key(entry)
        return self.current_evidence.get(key) or self.other_evidence.get(key) or ""

    def find_intent(self, content: Content) -> RenderingIntent | None:
        """Return an item's Rendering Intent."""
        return self._intents.get(content.position)

    def is_copied(self, content: Content) -> bool:
        """Whether an item is from another report (TID 4022)."""
        return content.position in self._copied

    # Rules ask the two questions of the parents of all items. Looked for each time, the answers
    # would take the square of their number.
    @cached_property
    def _intents(self) -> dict[Position, RenderingIntent | None]:
        return {
            item.position: read_enum(item.find_child(concepts.RENDERING_INTENT), RenderingIntent)
            for item in self.items.values()
        }

    @cached_property
    def _copied(self) -> frozenset[Position]:
        return frozenset(item.position[:-1] for item in self.find_items(concepts.ORIGINAL_SOURCE))


def instance_key(image: Content) -> InstanceKey:
    """Return what an IMAGE item refers to; empty texts where it refers to nothing."""
    return ("", "") if image.reference is None else image.reference[:2]
