"""The test exams that the detector is judged on: a pure function of seed and number.

Exams of even numbers have a cluster, odd ones do not, so that any range of numbers is half and
half. Shares that must be exact (families, types, densities, treatments) are dealt from decks,
shuffled by the seed; everything else is drawn. `judge.mix` has all shares and ranges.

All exams are current ones without a prior, at the full size of their unit's detector. Their
anatomy seeds are in `RESERVED_SEEDS`, which no training may use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeVar

from secondread.codes import Laterality, Morphology
from secondread_lab.judge import exam_mix
from secondread_lab.judge.planting import LesionPlanner
from secondread_lab.simulate.markers import Marker
from secondread_lab.simulate.metal import MetalSpec
from secondread_lab.simulate.phantom import Density
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.spec import ExamSpec, Seeds
from secondread_lab.simulate.treated_breast import TreatmentSpec
from secondread_lab.simulate.vendors import VENDORS

T = TypeVar("T")

SetName = Literal["full", "daily"]

SEED = 20261122
"""Of the frozen sets; another seed gives other exams of the same mix."""

FULL_EXAMS = 2 * exam_mix.DECK
DAILY_EXAMS = 20

RESERVED_SEEDS = range(9_000_000, 10_000_000)
"""Anatomy seeds of test exams; training may not use them."""

STUDY_DATE = date(2026, 6, 1)


@dataclass(frozen=True, slots=True)
class PlannedExam:
    """One exam of a set."""

    number: int
    spec: ExamSpec
    morphology: Morphology | None
    """Of its cluster, or of the first of them; None for an exam without a cluster."""

    @property
    def name(self) -> str:
        """Name for folders and tables, for example ``exam-0017``."""
        return f"exam-{self.number:04d}"

    @property
    def has_cluster(self) -> bool:
        """Whether the exam has a cluster, even a typically benign one."""
        return self.morphology is not None


def plan_exams(name: SetName, seed: int = SEED) -> tuple[PlannedExam, ...]:
    """Return the exams of a set in the order of their numbers; ``daily`` is part of ``full``."""
    full = tuple(plan_exam(seed, number) for number in range(FULL_EXAMS))
    return full if name == "full" else _choose_covering(full, DAILY_EXAMS)


def plan_exam(seed: int, number: int) -> PlannedExam:
    """Return one exam: a pure function of the seed and the number, from 0."""
    spec, morphology = _ExamPlanner(seed, number).plan_exam()
    return PlannedExam(number, spec, morphology)


def _choose_covering(exams: Sequence[PlannedExam], count: int) -> tuple[PlannedExam, ...]:
    """Return exams, half with a cluster, that show as many different things as possible."""
    chosen: list[PlannedExam] = []
    for with_cluster in (True, False):
        covered: set[str] = set()
        left = [exam for exam in exams if exam.has_cluster is with_cluster]
        for _ in range(count // 2):
            best = max(left, key=lambda exam: (len(_list_labels(exam) - covered), -exam.number))
            covered |= _list_labels(best)
            left.remove(best)
            chosen.append(best)
    return tuple(sorted(chosen, key=lambda exam: exam.number))


def _list_labels(exam: PlannedExam) -> set[str]:
    spec = exam.spec
    groups = [lesion for lesion in spec.lesions if lesion.count > 1]
    return {
        f"vendor {spec.vendor}",
        f"density {spec.density}",
        f"intent {spec.intents[0].value}",
        f"views {len(spec.views)}",
        f"treated {spec.treatment is not None}",
        *(lesion.morphology.name for lesion in groups),
        *(lesion.distribution.name for lesion in groups),
        *(lesion.kind for lesion in spec.metal),
    }


class _ExamPlanner:
    """Draws one exam."""

    def __init__(self, seed: int, number: int) -> None:
        self._seed, self._number = seed, number
        self._rng = seed_stream(seed, "test exam", number)
        self._with_cluster = number % 2 == 0
        self._vendor = self._deal_card("vendor", exam_mix.VENDORS)
        self._planter = LesionPlanner(self._rng, VENDORS[self._vendor])

    def plan_exam(self) -> tuple[ExamSpec, Morphology | None]:
        """Return the specification, and the type of its cluster."""
        side, history = self._planter.draw_side(), self._deal_card("history", exam_mix.HISTORIES)
        treatment = self._draw_treatment(side) if history == "lumpectomy" else None
        both = history != "mastectomy"
        views = tuple(
            view for view in ("RCC", "LCC", "RMLO", "LMLO") if both or view[0] == side.letter
        )
        lesions = self._planter.draw_others(side)
        morphology = self._deal_card("type", exam_mix.TYPES) if self._with_cluster else None
        if morphology is not None:
            clusters = self._planter.draw_clusters(morphology, side, treatment, both=both)
            lesions = (*clusters, *lesions)
        density: Density = self._deal_card("density", exam_mix.DENSITIES)
        first = RESERVED_SEEDS.start + self._seed % 1000 * 1000
        spec = ExamSpec(
            STUDY_DATE,
            Seeds(first + self._number, self._number, self._number),
            prior_years=None,
            treatment=treatment,
            lesions=lesions,
            density=density,
            vendor=self._vendor,
            intents=(self._deal_card("intent", exam_mix.INTENTS),),
            views=views,
            markers=self._draw_markers(treatment),
            metal=self._draw_metal(side, treatment),
            text=self._draw_text(),
            paddle_edge=self._planter.happens(exam_mix.PADDLE_EDGE),
        )
        return spec, morphology

    def _deal_card(self, name: str, cards: Mapping[T, int]) -> T:
        """Return this exam's card of a deck, which serves one exam of its half with each card."""
        deck = [card for card, count in cards.items() for _ in range(count)]
        half = "cluster" if self._with_cluster else "none"
        deal, place = divmod(self._number // 2, len(deck))
        order = seed_stream(self._seed, "deck", name, half, deal).permutation(len(deck))
        return deck[int(order[place])]

    def _draw_treatment(self, side: Laterality) -> TreatmentSpec:
        rng, planter = self._rng, self._planter
        days = round(365.25 * planter.draw_log_uniform(0.6, 12.0))
        return TreatmentSpec(
            side,
            STUDY_DATE - timedelta(days=days),
            place=(
                round(float(rng.uniform(0.3, 0.65)), 3),
                round(float(rng.uniform(-0.3, 0.5)), 3),
                round(float(rng.uniform(-0.3, 0.5)), 3),
            ),
            clips=int(rng.choice((0, 3, 4, 5, 6, 8), p=(0.15, 0.15, 0.25, 0.25, 0.15, 0.05))),
            radiotherapy=planter.happens(0.8),
        )

    def _draw_markers(self, treatment: TreatmentSpec | None) -> tuple[Marker, ...]:
        nipple, scar = (
            self._planter.happens(s) for s in (exam_mix.NIPPLE_BALL, exam_mix.SCAR_WIRE)
        )
        markers: list[Marker] = ["nipple"] if nipple else []
        return (*markers, "scar") if scar and treatment is not None else tuple(markers)

    def _draw_metal(
        self, side: Laterality, treatment: TreatmentSpec | None
    ) -> tuple[MetalSpec, ...]:
        pieces, planter = [], self._planter
        if planter.happens(exam_mix.BIOPSY_MARKER):
            pieces.append(MetalSpec("biopsy-marker", planter.draw_side(), planter.draw_place()))
        staples, wire = planter.happens(exam_mix.STAPLES), planter.happens(exam_mix.HOOK_WIRE)
        if treatment is not None and staples:
            count = int(self._rng.integers(4, 12))
            pieces.append(MetalSpec("staples", side, treatment.place, count))
        if treatment is not None and wire:
            pieces.append(MetalSpec("wire", side, treatment.place))
        return tuple(pieces)

    def _draw_text(self) -> tuple[str, ...]:
        rng = self._rng
        kvp, mas = int(rng.integers(26, 33)), int(rng.integers(45, 140))
        force, thickness = int(rng.integers(70, 150)), int(rng.integers(35, 75))
        lines = (f"{kvp} KVP {mas} MAS", f"{force} N {thickness} MM", "SIMULATED")
        return lines if self._planter.happens(exam_mix.TEXT) else ()
