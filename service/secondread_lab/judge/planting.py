"""The calcifications of a test exam, drawn from the shares in `mix`."""

import numpy as np

from secondread.codes import Distribution, Laterality, Morphology
from secondread_lab.judge import exam_mix
from secondread_lab.judge.contrast import find_diameter
from secondread_lab.simulate.lesion_history import LesionSpec
from secondread_lab.simulate.treated_breast import TreatmentSpec
from secondread_lab.simulate.vendors import Vendor

Place = tuple[float, float, float]

_DUCTAL = frozenset({Morphology.FINE_LINEAR, Morphology.FINE_LINEAR_BRANCHING})


class LesionPlanner:
    """Draws the lesions of one exam.

    Parameters
    ----------
    rng
        The exam's stream.
    vendor
        The unit that takes it; its noise decides the sizes that give the wanted contrasts.
    """

    def __init__(self, rng: np.random.Generator, vendor: Vendor) -> None:
        self._rng, self._vendor = rng, vendor

    def happens(self, share: float) -> bool:
        """Return True in a share of all draws."""
        return bool(self._rng.random() < share)

    def draw_side(self) -> Laterality:
        """Return one of the two sides."""
        return Laterality.LEFT if self.happens(0.5) else Laterality.RIGHT

    def draw_place(self) -> Place:
        """Draw a place in a breast, more often in its upper outer quadrant."""
        rng = self._rng
        return (
            round(float(rng.uniform(0.2, 0.8)), 3),
            round(float(rng.normal(0.12, 0.3)), 3),
            round(float(rng.normal(0.12, 0.3)), 3),
        )

    def draw_log_uniform(self, low: float, high: float) -> float:
        """Return a number whose logarithm is uniform."""
        return float(np.exp(self._rng.uniform(np.log(low), np.log(high))))

    def draw_clusters(
        self,
        morphology: Morphology,
        side: Laterality,
        treatment: TreatmentSpec | None,
        *,
        both: bool,
    ) -> tuple[LesionSpec, ...]:
        """Return the exam's cluster, and perhaps a typically benign one beside it.

        Parameters
        ----------
        side
            The treated breast, or the remaining one after a mastectomy.
        both
            Whether both breasts are imaged.
        """
        here = side
        if both and not self.happens(0.6):
            here = Laterality.LEFT if side is Laterality.RIGHT else Laterality.RIGHT
        benign = morphology in exam_mix.BENIGN
        bed = self.draw_place() if treatment is None else treatment.place
        place = bed if benign and here is side else self.draw_place()
        first = self._draw_cluster("cluster-1", morphology, here, place)
        if benign or not self.happens(exam_mix.SECOND_CLUSTER):
            return (first,)
        kinds = list(exam_mix.BENIGN)
        second = kinds[int(self._rng.integers(len(kinds)))]
        return (first, self._draw_cluster("cluster-2", second, side, bed))

    def _draw_cluster(
        self, name: str, morphology: Morphology, side: Laterality, place: Place
    ) -> LesionSpec:
        distribution = self._draw_distribution(morphology)
        counts, extents = exam_mix.FEW.get(morphology) or exam_mix.LAYOUTS[distribution]
        faint = morphology is Morphology.AMORPHOUS
        mineral = self._draw_mineral(exam_mix.AMORPHOUS_MINERAL if faint else exam_mix.MINERAL)
        limits = exam_mix.LIMITS_MM[morphology]
        if morphology in exam_mix.BENIGN:
            usual = self.draw_log_uniform(*limits)
        else:
            cnr = self.draw_log_uniform(
                *(exam_mix.AMORPHOUS_CNR if faint else exam_mix.SUSPICIOUS_CNR)
            )
            wanted = find_diameter(cnr, morphology, mineral, self._vendor)
            usual = float(np.clip(wanted, *limits))
        return LesionSpec(
            name,
            side,
            morphology,
            distribution,
            place,
            count=round(self.draw_log_uniform(*counts)),
            diameter_mm=(round(usual / 1.7, 4), round(usual * 1.9, 4)),
            extent_mm=round(self.draw_log_uniform(*extents), 1),
            mineral=mineral,
        )

    def _draw_mineral(self, limits: tuple[float, float]) -> float:
        return round(float(self._rng.uniform(*limits)), 3)

    def _draw_distribution(self, morphology: Morphology) -> Distribution:
        if morphology in exam_mix.BENIGN:
            rods = morphology is Morphology.LARGE_ROD_LIKE
            return Distribution.SEGMENTAL if rods else Distribution.GROUPED
        shares = exam_mix.DUCTAL if morphology in _DUCTAL else exam_mix.USUAL
        picked = self._rng.choice(len(shares), p=list(shares.values()))
        return list(shares)[int(picked)]

    def draw_others(self, side: Laterality) -> tuple[LesionSpec, ...]:
        """Draw what is not a cluster: single calcifications, vessels, skin, a large benign one."""
        lesions: list[LesionSpec] = []
        if self.happens(exam_mix.SINGLES):
            lesions += [
                self._draw_single(number) for number in range(1, int(self._rng.integers(2, 6)))
            ]
        if self.happens(exam_mix.VESSELS):
            lesions += [
                self._draw_vessel(side_of_vessel)
                for side_of_vessel in (Laterality.RIGHT, Laterality.LEFT)
            ]
        if self.happens(exam_mix.SKIN):
            lesions.append(self._draw_skin())
        if self.happens(exam_mix.SOLITARY):
            lesions.append(self._draw_solitary(side))
        return tuple(lesions)

    def _draw_single(self, number: int) -> LesionSpec:
        cnr = self.draw_log_uniform(*exam_mix.SINGLE_CNR)
        mineral = self._draw_mineral(exam_mix.MINERAL)
        diameter = find_diameter(cnr, Morphology.ROUND, mineral, self._vendor)
        return LesionSpec(
            f"single-{number}",
            self.draw_side(),
            Morphology.ROUND,
            place=self.draw_place(),
            count=1,
            diameter_mm=(round(diameter, 4), round(1.05 * diameter, 4)),
            mineral=mineral,
        )

    def _draw_vessel(self, side: Laterality) -> LesionSpec:
        return LesionSpec(
            f"vessel-{side.letter}",
            side,
            Morphology.VASCULAR,
            Distribution.LINEAR,
            count=int(self._rng.integers(15, 60)),
            diameter_mm=(0.2, 0.45),
            extent_mm=round(float(self._rng.uniform(25, 60)), 1),
            mineral=round(float(self._rng.uniform(0.4, 1.0)), 3),
        )

    def _draw_skin(self) -> LesionSpec:
        return LesionSpec(
            "skin",
            self.draw_side(),
            Morphology.SKIN,
            place=self.draw_place(),
            count=int(self._rng.integers(2, 9)),
            diameter_mm=(0.5, 1.2),
            extent_mm=round(float(self._rng.uniform(15, 40)), 1),
        )

    def _draw_solitary(self, side: Laterality) -> LesionSpec:
        popcorn = self.happens(0.5)
        return LesionSpec(
            "solitary",
            side,
            Morphology.COARSE if popcorn else Morphology.EGGSHELL,
            place=self.draw_place(),
            count=1,
            diameter_mm=(4.0, 12.0) if popcorn else (2.0, 14.0),
        )
