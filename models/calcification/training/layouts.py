"""Exams without pixels: where the calcifications of the sampler's lesions lie in each view.

Regions are 36 mm wide and cut what is regional or segmental; how a group is distributed needs
whole views, and nothing but positions. The lesions are those that the sampler of validation and
test exams would draw, with seeds of their own; an exam takes milliseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, Laterality, MarkClass, Morphology, View
from secondread_lab.judge.population import plan_exam
from secondread_lab.simulate.lesion_history import SimulatedLesion, draw_lesion
from secondread_lab.simulate.phantom import draw_breast
from secondread_lab.simulate.projection import compute_beam_axes

SEED = 20270301
"""Of the sampler for the first block of exams; validation and test exams have others."""
BLOCK = 34
"""Numbers that are drawn with one seed; the next block has the next seed."""
_ANATOMY = 7_000_000
"""Seed of the first breast: none of a test exam, none of the regions' tissue."""


@dataclass(frozen=True, slots=True)
class LesionLayout:
    """One lesion in one view."""

    at_mm: npt.NDArray[np.float64]
    """(members, 2): depth and height in the view."""
    distribution: Distribution
    morphology: Morphology


def lay_out_exams(exams: int) -> Iterator[tuple[LesionLayout, ...]]:
    """Yield the lesions of each view that has some, of so many exams."""
    for number in range(exams):
        spec = plan_exam(SEED + number // BLOCK, number % BLOCK).spec
        seed = _ANATOMY + number
        for side in Laterality.RIGHT, Laterality.LEFT:
            breast = draw_breast(seed, side, density=spec.density, size=spec.size)
            lesions = [
                draw_lesion(one, breast, seed, prior_years=1.0)
                for one in spec.lesions
                if one.laterality is side and one.kind is MarkClass.CLUSTER
            ]
            for view in (View.CC, View.MLO) if lesions else ():
                axes = compute_beam_axes(breast, view)[:2]
                yield tuple(_laid(lesion, axes) for lesion in lesions)


def _laid(lesion: SimulatedLesion, axes: npt.NDArray[np.float64]) -> LesionLayout:
    places = np.array([solid.centre for _, solid in lesion.list_members(0.0)])
    return LesionLayout(places @ axes.T, lesion.spec.distribution, lesion.spec.morphology)
