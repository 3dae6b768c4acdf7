"""Simulated exams with a prior, and readings of both: what comparison is judged on.

A pair is a pure function of a seed and a number: two views of one treated breast, each taken
twice, half of the pairs by units of two vendors, each time newly positioned; with clusters that
are new, have grown, gone or stayed, in the bed of the operation and elsewhere.

The readings come from a detector, or from an *oracle* that gives the truth with misses, faint
answers, jitter and false marks: then registration and matching are judged alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select
from secondread.codes import Laterality, MarkClass, Morphology
from secondread.detect.detector import Prepared, prepare
from secondread.detect.marks import Detection, Mark
from secondread.findings.finding import ModelIdentity, StudyReading
from secondread.findings.shown import OperatingPoint
from secondread.geometry import PointPx
from secondread.judge.population import RESERVED_SEEDS
from secondread.reading import Circumstances, Reader, read_study
from secondread.reasons import ImageStatus
from secondread.simulate.exam import SimulatedView, simulated_views
from secondread.simulate.lesions import Course, LesionSpec
from secondread.simulate.seeds import stream
from secondread.simulate.spec import ExamName, ExamSpec, Seeds
from secondread.simulate.treatment import Treatment
from secondread.simulate.truth import TruthRow

STUDY_DATE = date(2026, 6, 1)
PITCH_MM = 0.2
"""Of oracle pairs: enough for landmarks and registration, and quick."""

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
_MODEL_MM = 0.07


def pair_spec(
    seed: int,
    number: int,
    pitch_mm: float | None = PITCH_MM,
    courses: Mapping[Course, float] = _COURSES,
) -> ExamSpec:
    """Return the specification of one pair.

    Parameters
    ----------
    seed, number
        What decides it.
    pitch_mm
        Pixel pitch in place of the units' own; None for those.
    courses
        How often a cluster takes which course.
    """
    rng = stream(seed, "pair", number)
    side = Laterality.LEFT if rng.random() < 0.5 else Laterality.RIGHT
    first = int(rng.integers(len(_FAMILIES)))
    other = first if rng.random() < 0.5 else int(rng.integers(len(_FAMILIES)))
    years = float(rng.choice((1.0, 1.0, 2.0)))
    anatomy = RESERVED_SEEDS.start + 500_000 + seed % 100 * 4000 + number
    return ExamSpec(
        STUDY_DATE,
        Seeds(anatomy, number, int(rng.integers(2**31))),
        prior_years=years,
        treatment=Treatment(
            side, STUDY_DATE - timedelta(days=round(float(rng.uniform(900, 3000))))
        ),
        lesions=_lesions(rng, side, courses),
        vendor=_FAMILIES[first],
        prior_vendor=_FAMILIES[other],
        pitch_mm=pitch_mm,
        views=(f"{side.letter}CC", f"{side.letter}MLO"),
        markers=("nipple",) if rng.random() < 0.25 else (),
    )


def _lesions(
    rng: np.random.Generator, side: Laterality, courses: Mapping[Course, float]
) -> tuple[LesionSpec, ...]:
    names = list(courses)
    shares = np.array([courses[name] for name in names])
    places = _places(rng)
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


def _places(rng: np.random.Generator) -> list[tuple[float, float, float]]:
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
    """Whether about 20 mm lie between two places in both views.

    Truth then says which cluster a mark belongs to.
    """
    depth, lateral, superior = np.subtract(a, b)
    oblique = (lateral + superior) / np.sqrt(2)
    return bool(np.hypot(depth, min(abs(lateral), abs(oblique))) > 0.28)


@dataclass(frozen=True, slots=True)
class PairViews:
    """Both exams of a pair, with truth."""

    spec: ExamSpec
    views: tuple[SimulatedView, ...]

    def of(self, exam: ExamName) -> list[SimulatedView]:
        """Return the views of one exam."""
        return [view for view in self.views if view.exam == exam]


def simulated_pair(spec: ExamSpec) -> PairViews:
    """Simulate both exams of a pair."""
    return PairViews(spec, tuple(simulated_views(spec)))


Detect = Callable[[SimulatedView, int], Detection]
"""Reads one view; the number is the pair's, and seeds an oracle."""

ORACLE = ModelIdentity("oracle", "1", "0" * 64, 1, calibrated=True)


def _in_percent(_: MarkClass, score: float) -> float:
    return 100 * score


ORACLE_READER = Reader(ORACLE, _in_percent, OperatingPoint(1, "oracle", 50.0))


def read_exam(
    pair: PairViews, exam: ExamName, number: int, detect: Detect, reader: Reader
) -> StudyReading:
    """Return one exam of a pair as the node reads it."""
    views = pair.of(exam)
    headers = [Mammogram.from_dataset(_dataset(view)) for view in views]
    answers = {
        header.sop_instance_uid: detect(view, number)
        for header, view in zip(headers, views, strict=True)
    }
    circumstances = Circumstances(revision=1, cause="judged")
    return read_study(headers[0].study_uid, select(headers), answers, reader, circumstances)


def _dataset(view: SimulatedView) -> Dataset:
    return view.instances[0][1]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Answers from the truth, as good or bad as it is told to be."""

    seed: int
    sure: float = 0.85
    """Share of the calcifications that are found with certainty."""
    faint: float = 0.08
    """Share that is found below the certainty of a sure answer."""
    jitter_mm: float = 0.15
    size_error: float = 0.12
    """Standard deviation of the logarithm of a diameter."""
    unit_size_error: float = 0.06
    """The same of a whole exam: what another unit or processing makes of sizes."""
    false_per_cm2: float = 0.1
    """Faint false calcifications."""

    def __call__(self, view: SimulatedView, number: int) -> Detection:
        """Return what a detector of this quality would answer about a view."""
        ds = _dataset(view)
        header = Mammogram.from_dataset(ds)
        rng = stream(self.seed, "oracle", number, view.exam, view.identity.label)
        unit = stream(self.seed, "unit", number, view.exam)
        image = prepare(ds, header, _MODEL_MM)
        factor = float(np.exp(unit.normal(0, self.unit_size_error)))
        spots = [row for row in view.rows if row.kind == MarkClass.CALCIFICATION.value]
        marks = [m for row in spots if (m := self._mark(row, header, factor, rng)) is not None]
        marks += self._false(image, rng)
        return Detection(
            header.sop_instance_uid,
            ImageStatus.READ,
            (),
            tuple(sorted(marks, key=lambda mark: -mark.score)),
            {},
            image.region.breast,
            0.0,
        )

    def _mark(
        self, row: TruthRow, header: Mammogram, factor: float, rng: np.random.Generator
    ) -> Mark | None:
        luck, (dx, dy), bigger = rng.random(), rng.normal(0, self.jitter_mm, 2), rng.normal()
        shares = rng.random()
        if luck > self.sure + self.faint:
            return None
        score = 0.55 + 0.4 * shares if luck < self.sure else 0.12 + 0.33 * shares
        spacing = header.spacing
        if spacing is None or row.x0 is None or row.y0 is None or row.x1 is None or row.y1 is None:
            return None
        center = PointPx(
            (row.x0 + row.x1) / 2 + float(dx) / spacing.between_columns,
            (row.y0 + row.y1) / 2 + float(dy) / spacing.between_rows,
        )
        size = (row.size_mm or 0.3) * factor * float(np.exp(bigger * self.size_error))
        return Mark(center, score, MarkClass.CALCIFICATION, size, contrast=5.0)

    def _false(self, image: Prepared, rng: np.random.Generator) -> list[Mark]:
        inside = np.argwhere(image.region.interior > 0)
        count = int(rng.poisson(self.false_per_cm2 * image.region.breast.area_cm2))
        chosen = inside[rng.integers(len(inside), size=count)] + rng.random((count, 2))
        rows, columns = image.region.interior.shape
        scale = (image.bright.shape[0] / rows, image.bright.shape[1] / columns)
        return [
            Mark(
                PointPx(float(column * scale[1]), float(row * scale[0])),
                0.12 + 0.33 * float(rng.random()),
                MarkClass.CALCIFICATION,
                0.3,
                contrast=2.0,
            )
            for row, column in chosen
        ]


def repeated(spec: ExamSpec) -> ExamSpec:
    """Return a pair in which nothing changes: the prior is another acquisition of the same."""
    lesions = tuple(replace(lesion, course="stable") for lesion in spec.lesions)
    return replace(spec, lesions=lesions)


def shown_in(rows: Sequence[TruthRow], kind: MarkClass = MarkClass.CLUSTER) -> list[TruthRow]:
    """Return the truth rows of one kind."""
    return [row for row in rows if row.kind == kind.value]


ReadFile = Callable[[Path, Path, frozenset[str]], Detection]
"""Reads an image file, writes its display array to the second path, overriding the gates named."""


def detected(read_file: ReadFile, folder: Path) -> Detect:
    """Return what reads a simulated view as the node reads a file.

    Parameters
    ----------
    read_file
        The detector.
    folder
        For files between the two.
    """

    def detect(view: SimulatedView, number: int) -> Detection:
        path = folder / f"{number}-{view.exam}-{view.identity.label}.dcm"
        _dataset(view).save_as(path, enforce_file_format=True)
        display = path.with_suffix(".npy")
        try:
            return read_file(path, display, frozenset())
        finally:
            for leftover in (path, display):
                leftover.unlink(missing_ok=True)

    return detect
