"""The specification of a simulated exam: seeds, breasts, lesions, treatment, units, intents.

There are three seeds: for the anatomy (which breast), for the history (which lesions, and when
they appeared), and for the acquisition (positioning and noise). A change of one leaves everything
else as it is, so that the same breast with the same lesions can be imaged again.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from secondread.assemble.intent import Intent
from secondread.codes import Laterality, Morphology
from secondread_lab.simulate.acquisition import XRayDetector
from secondread_lab.simulate.lesion_history import LesionSpec
from secondread_lab.simulate.markers import Marker
from secondread_lab.simulate.metal import MetalSpec
from secondread_lab.simulate.phantom import Density
from secondread_lab.simulate.treated_breast import TreatmentSpec
from secondread_lab.simulate.vendors import VENDORS, Vendor

ExamName = Literal["current", "prior"]

TAKEN_AT = time(7, 30)
"""Time of day of every simulated study."""

FORMER_NAMES = {"TreatmentSpec": "Treatment"}
"""Names that classes of a specification had when the first UIDs and digests were derived from them,
which must not change when a class gets a better name."""


def find_latest_study_date(now: datetime) -> date:
    """Return the last day on which a study was complete before a local time."""
    over = datetime.combine(now.date(), TAKEN_AT) + timedelta(minutes=15)
    today = now.replace(tzinfo=None) >= over
    return now.date() if today else now.date() - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seeds:
    """The three sources of chance."""

    anatomy: int = 1
    history: int = 1
    acquisition: int = 1


@dataclass(frozen=True, slots=True)
class ExamSpec:
    """Everything that an exam depends on; equal specifications give equal exams.

    Between processors a few pixels of a million may differ by one grey level, where the last bit
    of a sum decides how it is rounded.
    """

    study_date: date
    seeds: Seeds = field(default_factory=Seeds)
    prior_years: float | None = 1.0
    """Time from the prior to the study; None for no prior."""
    treatment: TreatmentSpec | None = None
    lesions: tuple[LesionSpec, ...] = ()
    density: Density | None = None
    """Composition of both breasts; drawn from the anatomy seed when None."""
    size: float = 1.0
    """Factor on the breasts' lengths."""
    vendor: str = "alpha"
    prior_vendor: str | None = None
    """The unit that took the prior; None for the same."""
    pitch_mm: float | None = None
    """Pixel pitch in place of the unit's own, the image covering the same area; a large one
    makes small images for tests."""
    intents: tuple[Intent, ...] = (Intent.PRESENTATION,)
    views: tuple[str, ...] = ("RCC", "LCC", "RMLO", "LMLO")
    """Labels of the views to take, in hanging order."""
    markers: tuple[Marker, ...] = ()
    """Markers on the skin; that of a scar needs a treatment."""
    metal: tuple[MetalSpec, ...] = ()
    """Staples, wires and biopsy markers."""
    labelled: bool = True
    """Whether side and view are burned into For Presentation images."""
    text: tuple[str, ...] = ()
    """Lines burned in below the label, where there is one."""
    paddle_edge: bool = False
    """Whether the rear edge of the compression paddle shows at the chest wall."""
    noise: bool = True
    """False leaves the noise out, for measurements of the truth."""

    @classmethod
    def for_demo(cls, today: date) -> "ExamSpec":
        """Return the demo's exam: a treated left breast with a new suspicious cluster.

        The cluster is away from the bed, in which an old dystrophic group has not changed; the
        right breast has a group of round calcifications that has not changed either.
        """
        left, right = Laterality.LEFT, Laterality.RIGHT
        return cls(
            study_date=today,
            seeds=Seeds(anatomy=7, history=3, acquisition=5),
            density="b",
            treatment=TreatmentSpec(left, operated_on=today - timedelta(days=4 * 365)),
            lesions=(
                LesionSpec(
                    "new-cluster",
                    left,
                    Morphology.FINE_PLEOMORPHIC,
                    place=(0.50, -0.15, -0.20),
                    count=14,
                    diameter_mm=(0.4, 0.6),
                    extent_mm=11.0,
                    course="new",
                ),
                LesionSpec(
                    "bed-dystrophic",
                    left,
                    Morphology.DYSTROPHIC,
                    place=(0.45, 0.40, 0.25),
                    count=5,
                    diameter_mm=(0.6, 1.6),
                    extent_mm=12.0,
                ),
                LesionSpec(
                    "right-round",
                    right,
                    Morphology.ROUND,
                    place=(0.55, 0.25, 0.15),
                    count=8,
                    diameter_mm=(0.3, 0.6),
                    extent_mm=14.0,
                ),
            ),
        )

    @property
    def key(self) -> str:
        """Text that UIDs are derived from; different specifications have different keys."""
        text = repr(self)
        for name, former in FORMER_NAMES.items():
            text = text.replace(f"{name}(", f"{former}(")
        return text

    @property
    def exams(self) -> tuple[tuple[ExamName, float], ...]:
        """The exams, each with the years from it to the study date."""
        if self.prior_years is None:
            return (("current", 0.0),)
        return (("current", 0.0), ("prior", self.prior_years))

    def find_vendor(self, exam: ExamName) -> Vendor:
        """Return the unit of an exam."""
        name = self.prior_vendor if exam == "prior" and self.prior_vendor else self.vendor
        return VENDORS[name]

    def find_detector(self, exam: ExamName) -> XRayDetector:
        """Return the detector of an exam's unit, with the pitch of the specification."""
        detector = self.find_vendor(exam).detector
        return detector if self.pitch_mm is None else detector.with_pitch(self.pitch_mm)

    def find_date(self, years_before: float) -> date:
        """Return the date a number of years before the study date."""
        return self.study_date - timedelta(days=round(365.25 * years_before))
