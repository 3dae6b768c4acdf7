"""Results of a comparison with a prior: the values that findings, reports and timelines share."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from secondread.codes import Change
from secondread.geometry import Outline, PointPx


class ChangeKind(StrEnum):
    """What became of a finding between two exams.

    "Gone" has no code in CID 6003, and neither have the last two, which stand for no answer.
    """

    NEW = "new"
    MORE = "more"
    LARGER = "larger"
    UNCHANGED = "unchanged"
    FEWER = "fewer"
    SMALLER = "smaller"
    GONE = "gone"
    NOT_IN_FIELD = "not-in-field-of-view"
    NOT_COMPARABLE = "not-comparable"

    @property
    def change(self) -> Change | None:
        """The code of CID 6003; None where it has none."""
        return Change.__members__.get(self.name)

    @property
    def words(self) -> str:
        """The change for people, ASCII."""
        return _WORDS[self]


_WORDS = {
    ChangeKind.NEW: "new",
    ChangeKind.MORE: "increased in number",
    ChangeKind.LARGER: "increased in size",
    ChangeKind.UNCHANGED: "unchanged",
    ChangeKind.FEWER: "decreased in number",
    ChangeKind.SMALLER: "decreased in size",
    ChangeKind.GONE: "gone",
    ChangeKind.NOT_IN_FIELD: "not in the field of view",
    ChangeKind.NOT_COMPARABLE: "not comparable",
}


@dataclass(frozen=True, slots=True)
class MeasuredDifference:
    """One measure in both exams, and how much it may differ without any change."""

    current: float
    prior: float
    lower: float
    upper: float
    """Between these the current value is what a repeat of the prior exam could have given."""

    @property
    def direction(self) -> int:
        """1 where the current value is above the limits, -1 where it is below, else 0."""
        return (self.current > self.upper) - (self.current < self.lower)


@dataclass(frozen=True, slots=True)
class FindingRef:
    """One finding of one exam."""

    study_uid: str
    sop_instance_uid: str
    finding_id: str


TOO_FAINT = "then too faint to be marked"
"""For people: about what only a recheck found. How many there were is not known."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A second look at the prior's pixels, in the place of a finding that was not found there."""

    seen: bool
    """Whether the place stands out from other places of the breast as the finding does now."""
    other_places: int = 0
    """Number of other places where the finding's calcifications were sought, for comparison."""
    as_similar: int = 0
    """How many of these look as much like it as its own place does: one at most where it is
    `seen`."""
    why_not: str = ""
    """Why no recheck was possible, as a clause for people; empty where one was."""
    prior_image: str = ""
    """SOP Instance UID of the image that was rechecked; empty where that is not a single one."""

    @property
    def words(self) -> str:
        """The result in a few words, ASCII."""
        if self.seen:
            return "seen faintly"
        return "pixels not looked at" if self.why_not else "not in its pixels either"

    @property
    def explanation(self) -> str:
        """The result as a clause that stands alone, with its grounds."""
        look = "a second look at the prior's pixels"
        if self.why_not:
            return f"no {look[2:]}, {self.why_not}"
        rest = f"{self.as_similar} of {self.other_places} other places look as much like it"
        if not self.seen:
            return f"not seen at {look}, {rest}"
        return f"seen faintly at {look}, {TOO_FAINT}, {rest}"


@dataclass(frozen=True, slots=True)
class FindingChange:
    """What became of one finding in one view, against one prior."""

    kind: ChangeKind
    current: FindingRef | None
    """None where the finding is gone."""
    prior: tuple[FindingRef, ...]
    """The findings in the prior that it was, the best match first; several where it was in parts
    there. Empty where it is new, and where only the `recheck` shows that it is not."""
    number: MeasuredDifference | None = None
    """Calcifications; as extent and diameter, of all parts together where it is `counted_with`
    others."""
    extent_mm: MeasuredDifference | None = None
    """Longest distance between calcifications."""
    diameter_mm: MeasuredDifference | None = None
    """Median diameter of the calcifications that were found in both."""
    pairs: tuple[tuple[PointPx, PointPx], ...] = ()
    """Calcifications found in both: in the current stored image and in the prior one."""
    place: Outline = ()
    """Place of the finding in the other image: of a current one in the prior, of a gone one in the
    current; empty where that is outside the image."""
    error_mm: float | None = None
    """Standard error of that place, in each direction."""
    why_not: str = ""
    """For people: why it was not compared."""
    recheck: Recheck | None = None
    """For a finding that is not among the prior's, or for its `unpaired` calcifications; None
    where none was needed or wanted."""
    counted_with: tuple[FindingRef, ...] = ()
    """The other shown findings that are one whole with it: a cluster of the prior that is in parts
    now has one change, and each part has that."""
    unpaired: tuple[PointPx, ...] = ()
    """Its sure calcifications without a partner among those of the prior, in the current stored
    image; after a `recheck` that does not see them, three or more that have appeared together."""
    seen_again: int = 0
    """How many of the prior's `number` no mark shows, but a second look at its pixels."""

    @property
    def new_calcifications(self) -> tuple[PointPx, ...]:
        """Those of its calcifications that neither marks nor pixels of the prior show."""
        looked = self.recheck is not None and not self.recheck.why_not and not self.recheck.seen
        return self.unpaired if looked else ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know beside the word and the figures, as clauses, ASCII."""
        new = len(self.new_calcifications)
        names = ", ".join(ref.finding_id for ref in self.counted_with)
        return (
            *([f"{new} calcifications new, not in the prior's pixels either"] if new else []),
            *([f"counted with {names}"] if names else []),
            *([f"{self.seen_again} seen then at a second look"] if self.seen_again else []),
        )

    @property
    def recheck_of_whole(self) -> Recheck | None:
        """The recheck of the finding itself, and not of some of its calcifications."""
        return None if self.prior else self.recheck


@dataclass(frozen=True, slots=True)
class ViewComparison:
    """Which image of the prior was registered with one of the current study, and how well."""

    sop_instance_uid: str
    prior_sop_instance_uid: str | None
    """None where the prior has no image of the view."""
    same_unit: bool = False
    """Whether both were taken and processed alike; wider limits otherwise."""
    error_mm: float | None = None
    """Standard error of the registration, in each direction; None without one."""
    aligned: bool = False
    """Whether tissue was matched, and not only skin and nipple."""
    why_not: str = ""
    """For people: why the images were not compared; empty where they were."""


@dataclass(frozen=True, slots=True)
class StudyComparison:
    """A study against one prior."""

    prior_study_uid: str
    prior_date: date | None
    basis: str
    """Source of the prior's side: `PRIOR_REREAD`, `PRIOR_REPORT`, or other words for people."""
    views: tuple[ViewComparison, ...]
    changes: tuple[FindingChange, ...]
    """One for each current cluster in a view that was compared or should have been, and one for
    each cluster that the prior showed and that is no longer there or cannot be seen."""

    @property
    def compared(self) -> bool:
        """Whether any view was."""
        return any(not view.why_not for view in self.views)

    @property
    def why_not(self) -> str:
        """Why no view was compared, for people; empty where one was."""
        if self.compared:
            return ""
        reasons = dict.fromkeys(view.why_not for view in self.views)
        return "; ".join(reasons) or "the studies have no view in common"

    @property
    def missed(self) -> tuple[FindingChange, ...]:
        """What became of the prior's findings that no finding of the study is."""
        return tuple(change for change in self.changes if change.current is None)

    def find_change(self, sop_instance_uid: str, finding_id: str) -> FindingChange | None:
        """Return the change of a current finding."""
        for change in self.changes:
            ref = change.current
            if ref and (ref.sop_instance_uid, ref.finding_id) == (sop_instance_uid, finding_id):
                return change
        return None


PRIOR_REREAD = "prior re-read"
"""Basis: the prior's images were read with the model that read the current ones."""

PRIOR_REPORT = "prior report"
"""Basis: the prior's images are gone; its side is this node's own report, of the same model."""
