"""Regions of calcifications laid out without pixels, with a cluster planted in them or without.

What a detector would mark: places thinned as it misses some, with scores, diameters and types that
are as unsure as its own. Grouping is judged on them in milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.geometry import PointPx, SpacingMm
from secondread_lab.judge.exam_mix import LAYOUTS
from secondread_lab.simulate.cluster_layout import draw_offsets

Points = npt.NDArray[np.float64]

SPACING = SpacingMm(0.1, 0.1)
"""Of the laid-out images."""
SIDE_MM = 200.0
LEAST_CONTRAST = 4.0
"""A planted cluster is so many times as dense as the region within 8 mm around it."""

_AROUND_MM = 8.0
_FINE_MM, _LARGE_MM = (0.15, 0.5), (0.6, 2.5)
_FOUND = (0.6, 1.0)
"""Share of calcifications that get a mark, drawn for each layout."""
_FALSE_PER_CM2 = 0.1
_FINE, _LARGE = Morphology.FINE_PLEOMORPHIC, Morphology.DYSTROPHIC


@dataclass(frozen=True, slots=True)
class RegionLayout:
    """The marks of one image."""

    kind: str
    region: tuple[Mark, ...]
    """The calcifications of the region, and what else is in the image."""
    planted: tuple[Mark, ...] = ()
    """Those of the planted cluster."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All marks."""
        return (*self.region, *self.planted)

    @property
    def calcifications(self) -> tuple[Mark, ...]:
        """The marks of calcifications."""
        return tuple(m for m in self.marks if m.mark_class is MarkClass.CALCIFICATION)

    @property
    def landmarks(self) -> tuple[Mark, ...]:
        """The others."""
        return tuple(m for m in self.marks if m.mark_class is not MarkClass.CALCIFICATION)


def lay_out_region(kind: str, rng: np.random.Generator) -> RegionLayout:
    """Return a region of one of `KINDS`, evenly dense but for chance, and nothing planted."""
    places, draw_mark = KINDS[kind](rng)
    found = places[rng.random(len(places)) < rng.uniform(*_FOUND)]
    found = found if len(found) else places
    found = found - found.mean(axis=0) + SIDE_MM / 2
    marks = [draw_mark(at, rng) for at in found]
    number = rng.poisson(_FALSE_PER_CM2 * SIDE_MM**2 / 100)
    false = [_mark_faint(at, rng) for at in rng.uniform(0, SIDE_MM, (number, 2))]
    return RegionLayout(kind, (*marks, *false))


def plant_cluster(layout: RegionLayout, rng: np.random.Generator) -> RegionLayout | None:
    """Return a region with a fine cluster in it; None where it would be no denser than the region.

    It has 5 to 14 members in 3 to 10 mm, five or more of them marked, and lies where calcifications
    of the region are.
    """
    distribution = Distribution.LINEAR if rng.random() < 0.25 else Distribution.GROUPED
    number, extent = round(_draw_log(rng, 5, 14)), _draw_log(rng, 3, 10)
    offsets = _project(draw_offsets(distribution, number, extent, rng), rng)
    offsets = offsets[rng.random(number) < rng.uniform(*_FOUND)]
    if len(offsets) < 5:
        return None
    region = np.array([_at_mm(m) for m in layout.region if m.score > 0.3])
    middle = region[rng.integers(len(region))] + rng.normal(0, 2, 2)
    offsets = offsets - offsets.mean(axis=0)
    if _measure_contrast(offsets, region - middle) < LEAST_CONTRAST:
        return None
    planted = tuple(_mark_fine(middle + at, rng) for at in offsets)
    return replace(layout, planted=planted)


def _measure_contrast(planted: Points, region: Points) -> float:
    """Return how many times as dense a cluster about the origin is as what is around it."""
    # Of points spread evenly over a disc the root mean square distance is its radius over root 2.
    radius = float(np.sqrt(2 * (planted**2).sum(axis=1).mean()))
    reach = radius + _AROUND_MM
    around = max(int((np.hypot(*region.T) < reach).sum()), 1)
    return (len(planted) / radius**2) / (around / reach**2)


DrawMark = Callable[[Points, np.random.Generator], Mark]
_Drawn = tuple[Points, DrawMark]


def _lay_out_lesion(distribution: Distribution) -> Callable[[np.random.Generator], _Drawn]:
    def draw(rng: np.random.Generator) -> _Drawn:
        counts, extents = LAYOUTS[distribution]
        number, extent = round(_draw_log(rng, *counts)), _draw_log(rng, *extents)
        return _project(draw_offsets(distribution, number, extent, rng), rng), _mark_fine

    return draw


def _lay_out_disc(rng: np.random.Generator) -> _Drawn:
    return _fill_ellipse(round(_draw_log(rng, 12, 60)), np.full(2, _draw_log(rng, 20, 60)), rng)


def _lay_out_diffuse(rng: np.random.Generator) -> _Drawn:
    axes = np.array([_draw_log(rng, 60, 90), _draw_log(rng, 110, 160)])
    return _fill_ellipse(round(_draw_log(rng, 50, 300)), axes, rng)


def _fill_ellipse(number: int, axes: Points, rng: np.random.Generator) -> _Drawn:
    radius, angle = np.sqrt(rng.random(number)), rng.uniform(0, 2 * np.pi, number)
    return axes / 2 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), _mark_fine


def _lay_out_vessel(rng: np.random.Generator) -> _Drawn:
    """Line the walls of a bent vessel; a part of its marks are taken for calcifications."""
    length, number = rng.uniform(25, 60), int(rng.integers(15, 60))
    bend = rng.uniform(-1, 1) / 40
    along = rng.uniform(0, length, number)
    across = rng.uniform(0.5, 1.5) * np.cos(rng.uniform(0, 2 * np.pi, number))
    steps = np.arange(0, length, 0.5)
    path = 0.5 * np.cumsum(np.stack([np.cos(bend * steps), np.sin(bend * steps)], axis=1), axis=0)
    middle = np.stack([np.interp(along, steps, path[:, axis]) for axis in (0, 1)], axis=1)
    normal = np.stack([-np.sin(bend * along), np.cos(bend * along)], axis=1)
    mistaken = rng.uniform(0.05, 0.4)

    def draw_mark(at: Points, chance: np.random.Generator) -> Mark:
        mark = _mark_fine(at, chance)
        is_mistaken = chance.random() < mistaken
        return mark if is_mistaken else replace(mark, mark_class=MarkClass.VASCULAR)

    return middle + across[:, None] * normal, draw_mark


def _lay_out_dystrophic(rng: np.random.Generator) -> _Drawn:
    number, extent = round(_draw_log(rng, 5, 16)), _draw_log(rng, 12, 35)
    offsets = draw_offsets(Distribution.GROUPED, number, extent, rng)
    return _project(offsets, rng), _mark_large


def _lay_out_suture(rng: np.random.Generator) -> _Drawn:
    number, length = int(rng.integers(5, 12)), rng.uniform(12, 35)
    along = np.sort(rng.uniform(0, length, number))
    places = np.stack([along, rng.normal(0, 1, number)], axis=1)

    def draw_mark(at: Points, chance: np.random.Generator) -> Mark:
        share = chance.uniform(0.4, 0.95)
        types = ((Morphology.SUTURE, share), (Morphology.FINE_LINEAR, 1 - share))
        return replace(_mark_fine(at, chance), morphology=types, diameter_mm=0.6)

    return places, draw_mark


KINDS: Mapping[str, Callable[[np.random.Generator], _Drawn]] = {
    "diffuse": _lay_out_diffuse,
    "regional": _lay_out_lesion(Distribution.REGIONAL),
    "uniform disc": _lay_out_disc,
    "segmental": _lay_out_lesion(Distribution.SEGMENTAL),
    "linear": _lay_out_lesion(Distribution.LINEAR),
    "grouped": _lay_out_lesion(Distribution.GROUPED),
    "vascular": _lay_out_vessel,
    "dystrophic": _lay_out_dystrophic,
    "suture": _lay_out_suture,
}
"""The regions by name, each with what draws its places and the marks on them."""


def _draw_log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _project(offsets: Points, rng: np.random.Generator) -> Points:
    """Return places in space as a view shows them that is turned at random."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray((offsets @ turn)[:, :2], np.float64)


def _mark_fine(at: Points, rng: np.random.Generator) -> Mark:
    return _draw_mark(at, rng, _FINE_MM, _FINE, _LARGE)


def _mark_large(at: Points, rng: np.random.Generator) -> Mark:
    return _draw_mark(at, rng, _LARGE_MM, _LARGE, _FINE)


def _mark_faint(at: Points, rng: np.random.Generator) -> Mark:
    return replace(_mark_fine(at, rng), score=float(rng.uniform(0.02, 0.3)))


def _draw_mark(
    at: Points,
    rng: np.random.Generator,
    limits_mm: tuple[float, float],
    kind: Morphology,
    other: Morphology,
) -> Mark:
    share = float(rng.uniform(0.3, 0.95))
    return Mark(
        center=PointPx(float(at[0]) / 0.1, float(at[1]) / 0.1),
        # One in six is rather not there than there, by its score.
        score=float(rng.uniform(0.4, 1.0)),
        mark_class=MarkClass.CALCIFICATION,
        diameter_mm=_draw_log(rng, *limits_mm),
        contrast=8.0,
        morphology=((kind, share), (other, 1 - share)),
    )


def _at_mm(mark: Mark) -> tuple[float, float]:
    at = SPACING.to_mm(mark.center)
    return at.x, at.y
