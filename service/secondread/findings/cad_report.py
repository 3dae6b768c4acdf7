"""The content of a Mammography CAD SR of any manufacturer: values that comparison and pages share.

`report.readback` makes them from a data set. Codes that this package does not know are kept with
their meaning, so that the findings of another manufacturer's CAD can be given in its own words.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from secondread.assemble.patient_key import PatientKey
from secondread.codes import (
    Code,
    FindingType,
    Laterality,
    ProcessingSummary,
    RenderingIntent,
    ResultStatus,
    View,
    ViewModifier,
)
from secondread.geometry import Outline, PointPx, SpacingMm


class ReportOrigin(StrEnum):
    """Who wrote a CAD report."""

    OWN = "own"
    """This installation."""
    SAME_SOFTWARE = "same-software"
    """Another installation of this software: nothing of it counts as this node's."""
    FOREIGN = "foreign"
    """A CAD system of another manufacturer."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """The equipment that wrote a report (PS3.3 C.7.5.1, and its author observer)."""

    manufacturer: str
    model: str
    software: str
    device_uids: tuple[str, ...]
    """Of the author observers."""

    @property
    def name(self) -> str:
        """The manufacturer for people."""
        return self.manufacturer or "unknown manufacturer"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """TID 4019 Algorithm Identification."""

    name: str
    version: str
    parameters: tuple[str, ...] = ()

    def find_parameter(self, name: str) -> str | None:
        """Return the value of a parameter of the form ``name=value``."""
        start = f"{name}="
        return next((p.removeprefix(start) for p in self.parameters if p.startswith(start)), None)


@dataclass(frozen=True, slots=True)
class CadImage:
    """An entry of the Image Library (TID 4020); None stands for what it does not state."""

    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    """By the evidence sequences; empty where they do not name the image."""
    series_uid: str
    laterality: Laterality | None
    view: View | None
    modifiers: frozenset[ViewModifier]
    orientation: tuple[str, str] | None
    """Patient Orientation (0020,0020): direction of the rows, direction of the columns."""
    study_date: date | None
    spacing: SpacingMm | None
    rows: int
    columns: int
    """0, as `rows`, where the entry does not state it."""
    frame: int | None = None
    """Referenced Frame Number, from 1; None for the whole instance."""

    @property
    def label(self) -> str:
        """Side and view in the workstations' short form, for example ``LCC``."""
        side = self.laterality.letter if self.laterality else "?"
        return side + (self.view.name if self.view else "?")


@dataclass(frozen=True, slots=True)
class CadCalcification:
    """An Individual Calcification that a cluster is inferred from."""

    center: PointPx
    diameter_mm: float | None
    certainty: float | None
    """0-100."""


@dataclass(frozen=True, slots=True)
class CadFinding:
    """One Single Image Finding (TID 4006); None stands for what it does not state."""

    position: str
    """Of its content item, as ``1.3.2.2``."""
    kind: Code
    sop_instance_uid: str
    """The image that it is in."""
    intent: RenderingIntent | None
    operating_point: int | None
    """The lowest at which it is shown (111071)."""
    tracking_id: str
    tracking_uid: str
    algorithm: Algorithm
    certainty: float | None
    """Certainty of Finding, 0-100."""
    probability_of_cancer: float | None
    center: PointPx
    outline: Outline
    """Closed; empty where there is none."""
    count: int | None
    """Number of calcifications."""
    morphology: tuple[Code, ...]
    distribution: tuple[Code, ...]
    long_axis_mm: float | None
    members: tuple[CadCalcification, ...]
    change: Code | None = None
    """Its change since the prior (CID 6003), by the impression that holds it."""
    copied: bool = False
    """Whether it was copied from another report (TID 4022)."""

    @property
    def is_cluster(self) -> bool:
        """Whether it is a Calcification Cluster."""
        return FindingType.CLUSTER.code.matches(self.kind.value, self.kind.scheme)

    @property
    def is_shown(self) -> bool:
        """Whether a workstation is expected to show it, or may."""
        return self.intent is not RenderingIntent.NOT


@dataclass(frozen=True, slots=True)
class CadFeature:
    """A Composite Feature (TID 4004): findings of several images that are one thing."""

    kind: Code
    relation: Code | None
    """Composite type (CID 6035): related temporally, spatially or contra-laterally."""
    intent: RenderingIntent | None
    algorithm: Algorithm
    quadrant: Code | None
    clock_face: Code | None
    difference: float | None
    """Difference in number of calcifications, current minus prior."""
    tracking_id: str
    tracking_uid: str
    findings: tuple[str, ...]
    """Positions of the findings that it is inferred from, directly or over other features."""
    change: Code | None = None
    """Its change since the prior (CID 6003), by the impression that holds it."""


@dataclass(frozen=True, slots=True)
class AlgorithmRun:
    """A detection or an analysis that was performed, or attempted (TID 4017, 4018)."""

    kind: Code
    algorithm: Algorithm
    images: tuple[str, ...]
    """SOP Instance UIDs; empty where another kind of reference is given."""
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in another manufacturer's report that could not be used, with its position."""

    position: str
    fault: str

    def __str__(self) -> str:
        return f"{self.position}: {self.fault}"


@dataclass(frozen=True, slots=True)
class CadReport:
    """A Mammography CAD SR, read."""

    sop_instance_uid: str
    series_uid: str
    study_uid: str
    patient: PatientKey
    study_date: date | None
    written_on: date | None
    """Content Date."""
    equipment: Equipment
    origin: ReportOrigin
    model_digest: str
    """SHA-256 of the manifest that it was read with; empty in other software's reports."""
    calibrated: bool | None
    """Whether it states that its certainty is calibrated."""
    summary: ProcessingSummary | None
    detection: ResultStatus | None
    analysis: ResultStatus | None
    impression: str
    """The overall impression's text."""
    images: tuple[CadImage, ...]
    findings: tuple[CadFinding, ...]
    features: tuple[CadFeature, ...]
    algorithm_runs: tuple[AlgorithmRun, ...]
    replaces: tuple[str, ...]
    """SOP Instance UIDs of the reports that it replaces."""
    remarks: tuple[Remark, ...] = ()

    @property
    def title(self) -> str:
        """Whose report it is, for people."""
        if self.origin is ReportOrigin.OWN:
            return "this node's report"
        other_node = " (another node)" if self.origin is ReportOrigin.SAME_SOFTWARE else ""
        return f"CAD of {self.equipment.name}{other_node}"

    def find_image(self, sop_instance_uid: str) -> CadImage | None:
        """Return the library's entry of an image."""
        return next((i for i in self.images if i.sop_instance_uid == sop_instance_uid), None)

    @property
    def mark_counts(self) -> dict[str, int]:
        """How many marks it shows in each view of its study that it lists, by label."""
        own = (image for image in self.images if image.study_uid in {self.study_uid, ""})
        label = {image.sop_instance_uid: image.label for image in own}
        shown = Counter(
            label[finding.sop_instance_uid]
            for finding in self.findings
            if finding.is_shown and finding.sop_instance_uid in label
        )
        return {name: shown[name] for name in dict.fromkeys(label.values())}

    @property
    def detected_images(self) -> frozenset[str]:
        """SOP Instance UIDs of the images in which detection succeeded."""
        return frozenset(uid for run in self.algorithm_runs if run.succeeded for uid in run.images)
