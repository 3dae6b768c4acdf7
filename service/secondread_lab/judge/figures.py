"""The figures of an evaluation: the content of `results.json`, field by field."""

from dataclasses import dataclass

from secondread_lab.judge.agreement import Confusion, TwoViews
from secondread_lab.judge.bootstrap import Estimate
from secondread_lab.judge.calibration import Reliability
from secondread_lab.judge.froc import FrocCurve
from secondread_lab.judge.reading_order import ReadingOrder
from secondread_lab.judge.scored_exams import CostRow, ExamScores
from secondread_lab.judge.set_aside import SetAsideRow


@dataclass(frozen=True, slots=True)
class EvaluationCounts:
    """Numbers of the items behind the figures."""

    patients: int
    exams: int
    views: int
    views_read: int
    not_read: dict[str, int]
    """Images refused or failed, by reason. What is in them counts as missed; their area and their
    lack of clusters are not counted."""
    flagged: dict[str, int]
    """Images read in spite of a doubt, by reason."""
    cluster_free_views: int
    """Of those read."""
    target_clusters: int
    """Visible clusters to be found, counted in each view."""
    benign_clusters: int
    faint_clusters: int
    """Of either kind, too faint to be expected."""
    visible_calcifications: int
    faint_calcifications: int
    breast_cm2: float
    other_rows: dict[str, int]
    """Truth rows of kinds that scoring does not use."""


@dataclass(frozen=True, slots=True)
class RateRow:
    """Clusters at one rate of false ones."""

    false_per_view: float
    hit: Estimate
    centre: Estimate
    """By the position of the centre alone."""
    overlap: Estimate
    """By the overlap alone."""
    case: Estimate
    """Lesions found in either view."""


@dataclass(frozen=True, slots=True)
class ClusterCurve:
    """Clusters of one domain, with the false clusters of the same domain."""

    domain: str
    at: tuple[RateRow, ...]
    curve: FrocCurve


@dataclass(frozen=True, slots=True)
class SingleRow:
    """Single calcifications of one group, at each of `rules.SINGLE_RATES`."""

    facet: str
    label: str
    at: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class PointRow:
    """Performance of an operating point of the model."""

    number: int
    name: str
    default: bool
    hit: Estimate
    case: Estimate
    false_per_view: Estimate
    """On views without clusters."""
    free_exams_unmarked: Estimate
    """Share of exams without clusters in which nothing is shown."""
    two_views: TwoViews
    order: ReadingOrder


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Clusters of one group."""

    facet: str
    label: str
    at_rate: Estimate
    """At the threshold that gives `rules.HEADLINE_RATE` over all views without clusters."""
    at_point: Estimate
    """At the default operating point."""


@dataclass(frozen=True, slots=True)
class FalseRow:
    """False clusters of one group of views without clusters, at the default operating point."""

    facet: str
    label: str
    per_view: Estimate


@dataclass(frozen=True, slots=True)
class MarkedObjectRow:
    """Cluster marks on objects of one kind."""

    kind: str
    point: int
    views: int
    """Views that hold such an object."""
    share: Estimate
    """The share of them in which a shown cluster mark is on one."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """From file to marks, per view."""

    median: float | None
    p95: float | None
    views: int


@dataclass(frozen=True, slots=True)
class PartFigures:
    """The figures of one part of a test set."""

    name: str
    counts: EvaluationCounts
    clusters: tuple[ClusterCurve, ...]
    points: tuple[PointRow, ...]
    groups: tuple[GroupRow, ...]
    worst: GroupRow | None
    """The group that is found least often at the headline rate, of those that have enough patients
    and are not formed by hardness."""
    benign: tuple[GroupRow, ...]
    """Typically benign clusters by morphology: neither needed nor false."""
    false_groups: tuple[FalseRow, ...]
    objects: tuple[MarkedObjectRow, ...]
    singles: tuple[SingleRow, ...]
    single_curve: FrocCurve
    morphology: Confusion
    distribution: Confusion
    cluster_reliability: Reliability
    single_reliability: Reliability
    exam_auc: Estimate
    """Exams with a cluster to be found against exams without any, by their highest certainty."""
    exam_scores: ExamScores
    costs: tuple[CostRow, ...]
    """By operating point and kind of exams."""
    set_aside: tuple[SetAsideRow, ...]
    seconds: Seconds
