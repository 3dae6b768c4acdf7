"""Exams without pixels: the places of the calcifications of sampled lesions in each view.

Regions are 36 mm wide and cut regional and segmental groups; the distribution of a group needs
whole views, but only positions. The lesions are drawn like those of validation and test exams,
with seeds of their own; an exam takes milliseconds.
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
"""Exams that are drawn with one seed; the next block has the next seed."""
_ANATOMY = 7_000_000
"""Seed of the first breast; neither test exams nor the tissue of regions have these seeds."""


@dataclass(frozen=True, slots=True)
class LesionLayout:
    """One lesion in one view."""

    at_mm: npt.NDArray[np.float64]
    """(members, 2): depth and height in the view."""
    distribution: Distribution
    morphology: Morphology


def lay_out_exams(exams: int) -> Iterator[tuple[LesionLayout, ...]]:
    """Yield the lesions of each view that has any, for a number of exams."""
    for number in range(exams):
        exam = plan_exam(SEED + number // BLOCK, number % BLOCK).spec
        seed = _ANATOMY + number
        for side in Laterality.RIGHT, Laterality.LEFT:
            breast = draw_breast(seed, side, density=exam.density, size=exam.size)
            lesions = [
                draw_lesion(spec, breast, seed, prior_years=1.0)
                for spec in exam.lesions
                if spec.laterality is side and spec.kind is MarkClass.CLUSTER
            ]
            for view in (View.CC, View.MLO) if lesions else ():
                axes = compute_beam_axes(breast, view)[:2]
                yield tuple(_lay_out_lesion(lesion, axes) for lesion in lesions)


def _lay_out_lesion(lesion: SimulatedLesion, axes: npt.NDArray[np.float64]) -> LesionLayout:
    places = np.array([solid.centre for _, solid in lesion.list_members(0.0)])
    return LesionLayout(places @ axes.T, lesion.spec.distribution, lesion.spec.morphology)
