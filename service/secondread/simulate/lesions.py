"""Lesions of calcifications, and their history: what was there in which year, and how large.

A lesion is drawn once, from the history seed, with all the members that it will ever have; each
is born at a time and grows. An exam shows those that are born by its day, so that the same
calcifications are found again in every exam of the breast.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondread.codes import Change, Distribution, Laterality, MarkClass, Morphology, View
from secondread.simulate.anatomy import Breast
from secondread.simulate.curves import vessels
from secondread.simulate.projection import beam_axes
from secondread.simulate.seeds import stream
from secondread.simulate.shapes import calcification
from secondread.simulate.solids import Solid

Vector = npt.NDArray[np.float64]

Course = Literal["stable", "new", "growing"]
"""A lesion's history: there for long and unchanged; come since the prior; growing in number."""


@dataclass(frozen=True, slots=True)
class LesionSpec:
    """What to put into a breast; the history seed draws the rest."""

    lesion_id: str
    laterality: Laterality
    morphology: Morphology
    distribution: Distribution = Distribution.GROUPED
    place: tuple[float, float, float] = (0.5, 0.2, 0.2)
    """Shares: of the depth from nipple to chest wall, and lateral and superior of the half
    width. Moved towards the middle until both views show it."""
    count: int = 12
    diameter_mm: tuple[float, float] = (0.15, 0.5)
    """Range of the members' diameters; most are in its lower half."""
    extent_mm: float = 12.0
    """About the longest distance between members."""
    course: Course = "stable"

    @property
    def kind(self) -> MarkClass:
        """What the lesion is in the truth table."""
        if self.morphology is Morphology.VASCULAR:
            return MarkClass.VASCULAR
        return MarkClass.SKIN if self.morphology is Morphology.SKIN else MarkClass.CLUSTER


@dataclass(frozen=True, slots=True)
class Member:
    """One calcification of a lesion and its history."""

    solid: Solid
    """As it is on the day of the current exam."""
    born_years: float
    """When it became visible, in years before (negative: after) the current exam."""
    growth_per_year: float
    """Share of its present size that it gains in a year."""

    def at(self, years_before: float) -> Solid | None:
        """Return the calcification so many years before the current exam, None before its birth."""
        if years_before > self.born_years:
            return None
        return self.solid.scaled(max(1.0 - self.growth_per_year * years_before, 0.2))


@dataclass(frozen=True, slots=True)
class Lesion:
    """A lesion with all its members, ever."""

    spec: LesionSpec
    members: tuple[Member, ...]

    def at(self, years_before: float) -> tuple[tuple[int, Solid], ...]:
        """Return the members that exist so many years before the current exam, numbered."""
        found = ((n, member.at(years_before)) for n, member in enumerate(self.members, start=1))
        return tuple((n, solid) for n, solid in found if solid is not None)

    def change(self, years_before: float, prior_years_before: float) -> Change:
        """Return what a comparison of two exams should find; both show or showed members."""
        now, then = self.at(years_before), self.at(prior_years_before)
        if not then:
            return Change.NEW
        if len(now) != len(then):
            return Change.MORE if len(now) > len(then) else Change.FEWER
        growth = now[0][1].size_mm / then[0][1].size_mm
        return Change.LARGER if growth > 1.2 else Change.UNCHANGED


def make_lesion(spec: LesionSpec, breast: Breast, seed: int, prior_years: float) -> Lesion:
    """Draw a lesion of a breast.

    Parameters
    ----------
    seed
        The history seed.
    prior_years
        How long before the current exam the prior was taken; what is new came since.
    """
    rng = stream(seed, "lesion", spec.lesion_id)
    if spec.morphology is Morphology.VASCULAR:
        solids = _along_vessel(spec, breast, rng)
    elif spec.morphology is Morphology.SKIN:
        solids = _in_skin(spec, breast, rng)
    else:
        places = visible_place(spec.place, breast) + _offsets(spec, breast, rng)
        solids = [
            calcification(rng, spec.morphology, place, _diameter(spec, rng)) for place in places
        ]
    births, growth = _history(spec, len(solids), rng, prior_years)
    return Lesion(
        spec,
        tuple(Member(s, float(b), growth) for s, b in zip(solids, births, strict=True)),
    )


def visible_place(
    place: tuple[float, float, float], breast: Breast, margin_mm: float = 12.0
) -> Vector:
    """Return a place in breast coordinates, moved inwards until every view shows it."""
    depth, lateral, superior = place
    w = breast.half_width_mm
    point = np.array([depth * breast.depth_mm, lateral * w, superior * w])
    for _ in range(60):
        if all(_shown(point, breast, view, margin_mm) for view in (View.CC, View.MLO)):
            break
        point = point * np.array([1.0, 0.95, 0.95]) + np.array(
            [0.03 * (0.5 * breast.depth_mm - point[0]), 0.0, 0.0]
        )
    return point


def _shown(point: Vector, breast: Breast, view: View, margin_mm: float) -> bool:
    depth, across, _ = beam_axes(breast, view) @ point
    heights = across + np.array([-margin_mm, 0.0, margin_mm])
    skin = float(breast.outline(view).edge(heights).max())
    return bool(skin + 0.5 * margin_mm < depth < breast.depth_mm - margin_mm)


def _diameter(spec: LesionSpec, rng: np.random.Generator) -> float:
    low, high = spec.diameter_mm
    # Sizes in a cluster are about log-normal: many small ones, few large.
    middle = low * (high / low) ** 0.45
    spread = np.log(high / low) / 4.0
    return float(np.clip(middle * np.exp(rng.normal(0, spread)), low, high))


def _offsets(spec: LesionSpec, breast: Breast, rng: np.random.Generator) -> Vector:
    size = spec.extent_mm / 4.0
    shape = {
        Distribution.GROUPED: (1.0, 0.85, 0.85),
        Distribution.LINEAR: (2.0, 0.15, 0.15),
        Distribution.SEGMENTAL: (1.8, 0.6, 0.6),
        Distribution.REGIONAL: (1.2, 1.2, 1.2),
        Distribution.DIFFUSE: (1.5, 1.8, 1.8),
    }[spec.distribution]
    offsets = np.clip(rng.normal(size=(spec.count, 3)), -1.9, 1.9) * np.array(shape) * size
    if spec.distribution in {Distribution.LINEAR, Distribution.SEGMENTAL}:
        offsets = offsets @ _towards_nipple(visible_place(spec.place, breast)).T
    return np.asarray(offsets)


def _towards_nipple(place: Vector) -> Vector:
    """Return a rotation whose first axis points from the nipple to a place."""
    first = place / np.linalg.norm(place)
    helper = np.array([0.0, 0.0, 1.0])
    second = np.cross(helper, first)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _along_vessel(spec: LesionSpec, breast: Breast, rng: np.random.Generator) -> list[Solid]:
    """Line both walls of a vessel, as arteries calcify: tram tracks, with gaps."""
    vessel = max(vessels(breast), key=lambda curve: len(curve.points))
    inside = [p for p in vessel.points if _both_show(p, breast)]
    points = np.array(inside[: max(int(spec.extent_mm), 4)])
    steps = np.gradient(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    solids: list[Solid] = []
    for _ in range(spec.count):
        at = rng.uniform(0, len(points) - 1.001)
        i, share = int(at), at % 1.0
        middle = points[i] * (1 - share) + points[i + 1] * share
        wall = np.cross(steps[i], rng.normal(size=3))
        wall *= 0.5 * vessel.start_mm / np.linalg.norm(wall)
        solids.append(calcification(rng, spec.morphology, middle + wall, _diameter(spec, rng)))
    return solids


def _both_show(point: Vector, breast: Breast) -> bool:
    return all(_shown(point, breast, view, 6.0) for view in (View.CC, View.MLO))


def _in_skin(spec: LesionSpec, breast: Breast, rng: np.random.Generator) -> list[Solid]:
    """Put calcifications on the breast's upper or lower surface, where the views show them."""
    solids: list[Solid] = []
    base = visible_place(spec.place, breast)
    for _ in range(spec.count):
        place = base + rng.normal(0, 0.25 * spec.extent_mm, 3)
        share = float(np.clip(place[0] / breast.depth_mm, 0.05, 1.0))
        radius = breast.half_width_mm * np.sqrt(share * (2.0 - share))
        reach = max(float(np.hypot(place[1], place[2])), 1.0)
        place[1:] *= 0.80 * radius / reach
        place = visible_place(
            (
                place[0] / breast.depth_mm,
                place[1] / breast.half_width_mm,
                place[2] / breast.half_width_mm,
            ),
            breast,
            2.0,
        )
        solids.append(calcification(rng, spec.morphology, place, _diameter(spec, rng)))
    return solids


def _history(
    spec: LesionSpec, count: int, rng: np.random.Generator, prior_years: float
) -> tuple[Vector, float]:
    if spec.course == "new":
        return rng.uniform(0.05, 0.9, count) * prior_years, 0.0
    births = np.full(count, 50.0)
    if spec.course == "growing":
        births[rng.random(count) < 0.4] = 0.5 * prior_years
        births[0], births[-1] = 50.0, 0.5 * prior_years
        return births, 0.10 / max(prior_years, 1.0)
    return births, 0.0
