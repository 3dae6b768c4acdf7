"""Simulated exams with a prior, and readings of both, on which comparison is judged.

A pair is a pure function of a seed and a number: two views of one treated breast, each taken
twice and newly positioned each time, in half of the pairs by units of two vendors; with clusters
that are new, have grown, vanished or stayed, in the bed of the operation and elsewhere.

The readings come from a detector, or from an oracle (`judge.pair_oracle`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select_images
from secondread.codes import Laterality, MarkClass, Morphology
from secondread.detect.marks import Detection
from secondread.findings.changes import StudyComparison
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.constellation import Scores
from secondread.followup.recheck import ScoreFile, apply_rechecks, recheck_priors
from secondread.geometry import PointPx
from secondread.reading import Reader, StudyContext, read_study
from secondread_lab.judge.population import RESERVED_SEEDS
from secondread_lab.simulate.exam import SimulatedView, simulate_views
from secondread_lab.simulate.lesion_history import Course, LesionSpec
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.spec import ExamName, ExamSpec, Seeds
from secondread_lab.simulate.treated_breast import TreatmentSpec
from secondread_lab.simulate.truth import TruthRow

STUDY_DATE = date(2026, 6, 1)
PITCH_MM = 0.2
"""Of oracle pairs: fine enough for landmarks and registration, and fast."""

_FAMILIES = ("alpha", "beta", "gamma", "delta")
_COURSES: Mapping[Course, float] = {
    "stable": 0.30,
    "new": 0.25,
    "growing": 0.20,
    "enlarging": 0.10,
    "decreasing": 0.075,
    "gone": 0.075,
}
_TYPES = (
    Morphology.FINE_PLEOMORPHIC,
    Morphology.PUNCTATE,
    Morphology.ROUND,
    Morphology.COARSE_HETEROGENEOUS,
    Morphology.AMORPHOUS,
)
_BED = (0.45, 0.40, 0.25)


def draw_pair_spec(
    seed: int,
    number: int,
    pitch_mm: float | None = PITCH_MM,
    courses: Mapping[Course, float] = _COURSES,
) -> ExamSpec:
    """Return the specification of one pair.

    Parameters
    ----------
    seed, number
        Decide the pair.
    pitch_mm
        Pixel pitch in place of the units' own; None for those.
    courses
        How often each course of a cluster occurs.
    """
    rng = seed_stream(seed, "pair", number)
    side = Laterality.LEFT if rng.random() < 0.5 else Laterality.RIGHT
    first = int(rng.integers(len(_FAMILIES)))
    other = first if rng.random() < 0.5 else int(rng.integers(len(_FAMILIES)))
    years = float(rng.choice((1.0, 1.0, 2.0)))
    anatomy = RESERVED_SEEDS.start + 500_000 + seed % 100 * 4000 + number
    return ExamSpec(
        STUDY_DATE,
        Seeds(anatomy, number, int(rng.integers(2**31))),
        prior_years=years,
        treatment=TreatmentSpec(
            side, STUDY_DATE - timedelta(days=round(float(rng.uniform(900, 3000))))
        ),
        lesions=_draw_lesions(rng, side, courses),
        vendor=_FAMILIES[first],
        prior_vendor=_FAMILIES[other],
        pitch_mm=pitch_mm,
        views=(f"{side.letter}CC", f"{side.letter}MLO"),
        markers=("nipple",) if rng.random() < 0.25 else (),
    )


def _draw_lesions(
    rng: np.random.Generator, side: Laterality, courses: Mapping[Course, float]
) -> tuple[LesionSpec, ...]:
    names = list(courses)
    shares = np.array([courses[name] for name in names])
    places = _draw_places(rng)
    return tuple(
        LesionSpec(
            f"lesion-{number}",
            side,
            _TYPES[int(rng.integers(len(_TYPES)))],
            place=place,
            count=int(rng.integers(6, 19)),
            diameter_mm=(0.25, float(rng.uniform(0.45, 0.8))),
            extent_mm=float(rng.uniform(6, 14)),
            course=names[int(rng.choice(len(names), p=shares / shares.sum()))],
        )
        for number, place in enumerate(places, start=1)
    )


def _draw_places(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Return the places of one to three clusters, every other first one in the bed."""
    wanted = int(rng.integers(1, 4))
    places = [_BED] if rng.random() < 0.5 else []
    while len(places) < wanted:
        place = (
            float(rng.uniform(0.25, 0.7)),
            float(rng.uniform(-0.45, 0.45)),
            float(rng.uniform(-0.45, 0.45)),
        )
        if all(_are_apart(place, other) for other in places):
            places.append(place)
    return places


def _are_apart(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    """Whether two places are about 20 mm apart in both views.

    Then the cluster of every mark is unambiguous.
    """
    depth, lateral, superior = np.subtract(a, b)
    oblique = (lateral + superior) / np.sqrt(2)
    return bool(np.hypot(depth, min(abs(lateral), abs(oblique))) > 0.28)


@dataclass(frozen=True, slots=True)
class PairViews:
    """Both exams of a pair, with truth."""

    spec: ExamSpec
    views: tuple[SimulatedView, ...]

    def select_exam(self, exam: ExamName) -> list[SimulatedView]:
        """Return the views of one exam."""
        return [view for view in self.views if view.exam == exam]


def simulate_pair(spec: ExamSpec) -> PairViews:
    """Simulate both exams of a pair."""
    return PairViews(spec, tuple(simulate_views(spec)))


DetectView = Callable[[SimulatedView, int], Detection]
"""Reads one view; the number is the pair's, and seeds an oracle."""


def detect_exam(
    pair: PairViews, exam: ExamName, number: int, detect: DetectView
) -> dict[str, Detection]:
    """Read the views of one exam; return the answers by SOP Instance UID."""
    answers = (detect(view, number) for view in pair.select_exam(exam))
    return {answer.sop_instance_uid: answer for answer in answers}


def read_exam(
    pair: PairViews, exam: ExamName, answers: Mapping[str, Detection], reader: Reader
) -> StudyReading:
    """Return the reading of one exam of a pair, as the node makes it."""
    headers = [Mammogram.from_dataset(get_dataset(view)) for view in pair.select_exam(exam)]
    circumstances = StudyContext(revision=1, cause="judged")
    return read_study(headers[0].study_uid, select_images(headers), answers, reader, circumstances)


def get_dataset(view: SimulatedView) -> Dataset:
    """Return the image of a view."""
    return view.instances[0][1]


def make_unchanged_pair(spec: ExamSpec) -> ExamSpec:
    """Return a pair without changes: the prior is another acquisition of the same breast."""
    lesions = tuple(replace(lesion, course="stable") for lesion in spec.lesions)
    return replace(spec, lesions=lesions)


def make_halved_pair(spec: ExamSpec) -> ExamSpec:
    """Return a pair whose clusters are whole in one exam and in two halves in the other.

    The two calcifications that link the halves are missing in the current exam or, in every
    second pair, in the prior: far fewer than are needed to call that a change.
    """
    course: Course = "joining" if spec.seeds.history % 2 else "splitting"
    lesions = tuple(
        replace(lesion, course=course, count=max(lesion.count, 14)) for lesion in spec.lesions
    )
    return replace(spec, lesions=lesions)


def select_rows(rows: Sequence[TruthRow], kind: MarkClass = MarkClass.CLUSTER) -> list[TruthRow]:
    """Return the truth rows of one kind."""
    return [row for row in rows if row.kind == kind.value]


RecheckView = Callable[[SimulatedView, Sequence[PointPx]], Scores | None]
"""Returns the detector's scores, 0-1, for a calcification at places of a view."""

ReadFile = Callable[[Path, Path, frozenset[str]], Detection]
"""Reads an image file, writes its display array to the second path, overriding the gates named."""


def make_detect(read_file: ReadFile, folder: Path) -> DetectView:
    """Return a function that reads a simulated view as the node reads a file.

    Parameters
    ----------
    read_file
        The detector.
    folder
        For files between the two.
    """

    def detect(view: SimulatedView, _number: int) -> Detection:
        with _write_view(view, folder) as path:
            display = path.with_suffix(".npy")
            try:
                return read_file(path, display, frozenset())
            finally:
                display.unlink(missing_ok=True)

    return detect


def make_recheck(scores_at: ScoreFile, folder: Path) -> RecheckView:
    """Return a function that rechecks places of a simulated view as the node does in a file.

    Parameters
    ----------
    scores_at
        The detector.
    folder
        For files between the two.
    """

    def recheck(view: SimulatedView, points: Sequence[PointPx]) -> Scores | None:
        with _write_view(view, folder) as path:
            return scores_at(path, points)

    return recheck


@contextmanager
def _write_view(view: SimulatedView, folder: Path) -> Iterator[Path]:
    """Write a view into a temporary file."""
    path = folder / f"{get_dataset(view).SOPInstanceUID}.dcm"
    get_dataset(view).save_as(path, enforce_file_format=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def compare_with_recheck(
    pair: PairViews, current: StudyReading, prior: StudyReading, recheck: RecheckView | None
) -> StudyComparison:
    """Return the comparison of both exams of a pair, after a recheck of the prior's pixels.

    Parameters
    ----------
    pair
        The pair.
    current, prior
        Readings of both exams.
    recheck
        Rechecks the prior's views; None where there are no pixels.
    """
    (comparison,) = compare_with_priors(current, [prior])
    if recheck is None:
        return comparison
    views = {str(get_dataset(view).SOPInstanceUID): view for view in pair.select_exam("prior")}
    rechecks = recheck_priors([comparison], lambda uid, points: recheck(views[uid], points))
    return apply_rechecks(comparison, current, rechecks)
