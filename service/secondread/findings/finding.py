"""The findings of one image and of one study: the values that reports are made from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Change, Distribution, MarkClass, Morphology
from secondread.detect.marks import Breast
from secondread.findings.changes import FindingRef, StudyComparison
from secondread.findings.position import Position
from secondread.findings.priority import RankKey, compute_priority, rank_priority
from secondread.findings.treatment import Treatment, ZonePlacement
from secondread.findings.view_pair import RepeatPair, ViewPair
from secondread.geometry import Outline, PointPx
from secondread.log_odds import to_log_odds
from secondread.reasons import ImageStatus, Outcome, Reason


@dataclass(frozen=True, slots=True)
class Calcification:
    """One calcification of a cluster (TID 4009)."""

    center: PointPx
    diameter_mm: float
    certainty: float
    """0-100."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in one image (TID 4006)."""

    id: str
    """Unique in the study, stable over repeats: ``LCC-1``; ends in the number drawn beside it."""
    mark_class: MarkClass
    certainty: float
    """Calibrated probability that it is what `mark_class` names, 0-100, rounded for people."""
    suspicion: float | None
    """Expected published PPV over all types and distributions by their confidence, 0-100, if the
    finding is what it is called; None where the model knows no types."""
    center: PointPx
    outline: Outline
    """Closed, inside the image."""
    members: tuple[Calcification, ...]
    """The calcifications of a cluster; empty for other classes."""
    long_axis_mm: float
    """Longest distance between two points of the outline, at the detector plane."""
    morphology: tuple[tuple[Morphology, float], ...] = ()
    """The likeliest types with their confidence 0-1, at most two; empty where not described."""
    distribution: tuple[tuple[Distribution, float], ...] = ()
    """The likeliest distributions with their confidence 0-1, at most two."""
    change: Change | None = None
    """Against the prior; None where there was no comparison."""
    placement: ZonePlacement | None = None
    """Place relative to the treated site; None where no treatment is known."""
    shown: bool = False
    """Whether the operating point shows it."""
    benign_share: float | None = None
    """How likely its type is a typically benign one, 0-1, over all types that the model
    distinguishes; None where it is no cluster, or the model knows no types."""
    is_set_aside: bool = False
    """Whether it is a cluster that is not marked because it is typically benign, however certain;
    see `findings.typically_benign`."""
    certainty_log_odds: float | None = None
    """Natural log odds of the certainty before it was rounded; None where that is not known, as in
    a reading from a report."""
    position: Position | None = None
    """Where in the breast; None where the image's landmarks are not known."""
    lesion_uid: str | None = None
    """Tracking Unique Identifier (112040, DCM) of the lesion that it is, over all exams of the
    patient; None where nothing is kept of them, as offline."""

    lesion_priority: float | None = None
    """The highest priority of the views that show the lesion; None where one view does."""

    @property
    def number(self) -> str:
        """The number drawn beside the finding, the same in all views of a lesion."""
        return self.id.rsplit("-", 1)[-1]

    @property
    def priority(self) -> float | None:
        """Expected suspicion, 0-100: certainty as a probability times suspicion.

        Of a lesion that several views show, the highest of them; None where suspicion is unknown.
        """
        if self.lesion_priority is not None:
            return self.lesion_priority
        return compute_priority(self.certainty, self.suspicion)

    @property
    def rank(self) -> tuple[RankKey, float, float]:
        """Sorts findings into their one order everywhere; place breaks ties."""
        key = rank_priority(self.priority, self.certainty, shown=self.shown)
        return key, self.center.row, self.center.col


@dataclass(frozen=True, slots=True)
class ImageReading:
    """One in-scope image: whether it was read, and what was found in it."""

    mammogram: Mammogram
    label: str
    """Side and view, unique in the study: ``LCC``, ``LCC2``; findings are named after it."""
    name: str
    """The same for people: ``L CC``, ``L CC (2)``, ``L CC, implant displaced``."""
    status: ImageStatus
    reasons: tuple[Reason, ...]
    gates: dict[str, float | str]
    seconds: float
    findings: tuple[Finding, ...] = ()
    """All candidates by priority, shown ones first."""
    detail: str = ""
    """For people: what exactly was wrong, for example a decoder's message; no patient data."""
    breast: Breast | None = None
    """The breast with its landmarks; None where the detector did not get so far."""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID (0008,0018) of the image."""
        return self.mammogram.sop_instance_uid

    @property
    def shown_findings(self) -> tuple[Finding, ...]:
        """The findings that the operating point shows."""
        return tuple(finding for finding in self.findings if finding.shown)

    def refer_to(self, finding: Finding) -> FindingRef:
        """Return what names one of the findings in other studies."""
        return FindingRef(self.mammogram.study_uid, self.sop_instance_uid, finding.id)


@dataclass(frozen=True, slots=True)
class LeftOutInstance:
    """An instance of the study outside the detector's scope."""

    sop_instance_uid: str
    label: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """A prior that was known when the study was read."""

    study_uid: str
    study_date: date | None
    compared: bool
    reason: Reason | None
    """Why it was not compared."""
    archive_reasons: tuple[tuple[str, Reason], ...] = ()
    """The reasons of several archives, by name, where none of them sent it."""

    @property
    def why_not(self) -> str:
        """Why it was not compared, as a clause for people; empty where it was."""
        if self.reason is not None and self.archive_reasons:
            return "; ".join(f"{reason.sentence} ({name})" for name, reason in self.archive_reasons)
        return "" if self.reason is None else self.reason.sentence


@dataclass(frozen=True, slots=True)
class StatedOperatingPoint:
    """One operating point of a model, with its stated performance."""

    number: int
    name: str
    minimum_certainty: float
    """Clusters below this certainty (0-100) are not shown."""
    false_marks_per_image: float
    """On images without a cluster."""
    stated_on: str
    """The data that this was measured on, for people."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The detector that read a study, as written into reports."""

    name: str
    version: str
    digest: str
    """SHA-256 of the manifest, hexadecimal; the manifest holds those of its graphs. Where a site
    has calibrated the operating point, it is that of both."""
    operating_point: int
    calibrated: bool
    """Whether certainty is calibrated on data; reports state it where it is not."""
    site_exams: int | None = None
    """Number of the site's own exams that the operating point was calibrated on; None if none."""
    points: tuple[StatedOperatingPoint, ...] = ()
    """All operating points of the model, that of `operating_point` among them; empty where their
    performance is not stated."""


@dataclass(frozen=True, slots=True)
class StudyReading:
    """One reading of one study: a revision's whole content, before it becomes objects."""

    study_uid: str
    revision: int
    cause: str
    """Why this revision exists: ``first``, ``late-instance``, ``requested``, ..."""
    outcome: Outcome
    reasons: tuple[Reason, ...]
    images: tuple[ImageReading, ...]
    """In-scope images in reading order: right before left, CC before MLO, by time."""
    left_out: tuple[LeftOutInstance, ...]
    missing_views: tuple[str, ...]
    """Expected views that never came, as ``LMLO``."""
    priors: tuple[PriorStudy, ...]
    model: ModelIdentity
    comparisons: tuple[StudyComparison, ...] = ()
    """With each prior whose images were read again, the latest first."""
    treatments: tuple[Treatment, ...] = ()
    """The patient's treatments that are known, whatever their day, from every source."""
    prior_readings: tuple["StudyReading", ...] = ()
    """Readings of the priors' images with the same model, which `comparisons` are made from."""
    view_pairs: tuple[ViewPair, ...] = ()
    """The clusters that were recognised in both views of a breast."""
    exam_score: float | None = None
    """How likely the exam holds a cluster that a reader would describe, 0-100; None where nothing
    was read, or the model has no table for it."""
    repeat_pairs: tuple[RepeatPair, ...] = ()
    """The clusters that two images of the same view both show."""

    def map_findings(self, change: Callable[[ImageReading, Finding], Finding]) -> "StudyReading":
        """Return the reading with each finding of its images replaced by what `change` returns."""
        images = tuple(
            replace(image, findings=tuple(change(image, finding) for finding in image.findings))
            for image in self.images
        )
        return replace(self, images=images)

    @property
    def doubtful(self) -> bool:
        """Whether an image was read with doubts, so that an empty result means less."""
        return any(image.status is ImageStatus.FLAGGED for image in self.images)

    @property
    def prior_images(self) -> tuple[ImageReading, ...]:
        """The priors' images that were read, each once, the nearest prior's first."""
        images = {
            image.sop_instance_uid: image
            for prior in self.prior_readings
            for image in prior.images
            if image.status.was_read
        }
        return tuple(images.values())

    def list_shown(self) -> list[tuple[ImageReading, Finding]]:
        """Return the shown findings of the exam by priority, each with its image."""
        shown = [(image, finding) for image in self.images for finding in image.shown_findings]
        return sorted(shown, key=lambda pair: pair[1].rank[0])

    @property
    def exam_log_odds(self) -> float | None:
        """The score of the exam as natural log odds; None without a score."""
        return None if self.exam_score is None else round(to_log_odds(self.exam_score / 100), 3)

    @property
    def priority(self) -> float | None:
        """Priority of the exam: that of the finding to look at first."""
        return next((finding.priority for _, finding in self.list_shown()), None)
