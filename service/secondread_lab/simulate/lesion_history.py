"""Lesions of calcifications and their history: which members exist in which year, and how large.

A lesion is drawn once, from the history seed, with all the members that it will ever have. Each
appears at a time and grows, and an exam shows those that exist on its day, so that every exam of
the breast shows the same calcifications.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondread.codes import Change, Distribution, Laterality, MarkClass, Morphology, View
from secondread_lab.simulate.cluster_layout import CASTS, draw_diameter, draw_offsets
from secondread_lab.simulate.curves import draw_vessels
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.projection import compute_beam_axes
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import draw_calcification, turn_first_axis
from secondread_lab.simulate.solids import Solid

Vector = npt.NDArray[np.float64]

Course = Literal[
    "stable", "new", "growing", "enlarging", "decreasing", "gone", "splitting", "joining"
]
"""A lesion's history since the prior: unchanged; new; more members; larger members; fewer members;
vanished, so that only the prior shows it; in two halves once the two members between them have
vanished; of two halves until these two appeared."""

IN_HALVES: frozenset[Course] = frozenset({"splitting", "joining"})
"""Courses of a lesion whose two halves only the members between them link."""


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
    """About the longest distance between members; a diffuse lesion takes the whole breast."""
    course: Course = "stable"
    mineral: float = 1.0
    """Factor on the members' attenuation: how densely they are mineralised."""

    @property
    def kind(self) -> MarkClass:
        """Kind of the lesion in the truth table."""
        if self.morphology is Morphology.VASCULAR:
            return MarkClass.VASCULAR
        return MarkClass.SKIN if self.morphology is Morphology.SKIN else MarkClass.CLUSTER


@dataclass(frozen=True, slots=True)
class LesionMember:
    """One calcification of a lesion and its history."""

    solid: Solid
    """Its size is that on the day of the current exam."""
    born_years: float
    """When it became visible, in years before (negative: after) the current exam."""
    growth_per_year: float
    """Share of its present size that it gains in a year."""
    gone_years: float = -math.inf
    """When it vanished, in years before the current exam; minus infinity for never."""

    def find_solid(self, years_before: float) -> Solid | None:
        """Return the calcification at a time before the current exam; None where it is missing."""
        if not self.gone_years < years_before <= self.born_years:
            return None
        return self.solid.scale(max(1.0 - self.growth_per_year * years_before, 0.2))


@dataclass(frozen=True, slots=True)
class SimulatedLesion:
    """A lesion with all the members that it ever has."""

    spec: LesionSpec
    members: tuple[LesionMember, ...]

    def list_members(self, years_before: float) -> tuple[tuple[int, Solid], ...]:
        """Return the members that exist at a time before the current exam, with their numbers."""
        numbered = (
            (n, member.find_solid(years_before)) for n, member in enumerate(self.members, start=1)
        )
        return tuple((n, solid) for n, solid in numbered if solid is not None)

    def find_change(self, years_before: float, prior_years_before: float) -> Change:
        """Return the change that a comparison of two exams should find.

        At least one of the two shows members.
        """
        now, then = self.list_members(years_before), self.list_members(prior_years_before)
        if not then:
            return Change.NEW
        if len(now) != len(then):
            return Change.MORE if len(now) > len(then) else Change.FEWER
        growth = now[0][1].size_mm / then[0][1].size_mm
        return Change.LARGER if growth > 1.2 else Change.UNCHANGED


_DUCT_DEVIATION = 0.3
"""How far a duct's direction is off the line to the nipple, as a tangent."""


def draw_lesion(
    spec: LesionSpec, breast: SimulatedBreast, seed: int, prior_years: float
) -> SimulatedLesion:
    """Draw a lesion of a breast.

    Parameters
    ----------
    seed
        The history seed.
    prior_years
        How long before the current exam the prior was taken; new members appear in between.
    """
    rng = seed_stream(seed, "lesion", spec.lesion_id)
    if spec.morphology is Morphology.VASCULAR:
        solids = _place_along_vessel(spec, breast, rng)
    elif spec.morphology is Morphology.SKIN:
        solids = _place_in_skin(spec, breast, rng)
    else:
        solids = _place_in_tissue(spec, breast, rng)
    solids = [solid.scale_contrast(spec.mineral) for solid in solids]
    return SimulatedLesion(spec, _add_history(spec.course, solids, rng, prior_years))


def _place_in_tissue(
    spec: LesionSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> list[Solid]:
    if spec.distribution is Distribution.DIFFUSE:
        places = _draw_places_everywhere(spec.count, breast, rng)
    else:
        middle = find_visible_place(spec.place, breast)
        offsets = draw_offsets(spec.distribution, spec.count, spec.extent_mm, rng)
        if spec.course in IN_HALVES:
            offsets = _move_apart(offsets)
        if spec.distribution in {Distribution.LINEAR, Distribution.SEGMENTAL}:
            # Ducts run to the nipple, which is the origin.
            offsets = offsets @ turn_first_axis(middle).T
        places = middle + offsets
    solids = [_draw_member(spec, place, rng) for place in places]
    if spec.morphology not in CASTS:
        return solids
    # Casts of ducts point as the ducts do: to the nipple, some branching off.
    return [solid.rotate(turn_first_axis(_draw_duct(solid.centre, rng))) for solid in solids]


_BRIDGE = 2
"""Members between two halves."""
_BETWEEN_MM = 8.5
"""Between two halves: more than links calcifications, and less than twice that."""


def _move_apart(offsets: Vector) -> Vector:
    """Return members' places in two halves along their direction, and the first two between."""
    moved = offsets.copy()
    along = moved[:, 0]
    halves = np.where(np.arange(len(along)) % 2, 1.0, -1.0)
    moved[:, 0] = halves * (0.5 * _BETWEEN_MM + 0.5 * np.abs(along))
    moved[:_BRIDGE] *= [0.0, 0.25, 0.25]
    return moved


def _draw_duct(point: Vector, rng: np.random.Generator) -> Vector:
    """Draw the direction of a duct at a point in breast coordinates."""
    return np.asarray(point + _DUCT_DEVIATION * rng.normal(size=3) * np.linalg.norm(point))


def _draw_places_everywhere(
    count: int, breast: SimulatedBreast, rng: np.random.Generator
) -> Vector:
    """Return places all over the breast that both views show, where most gland is."""
    places: list[Vector] = []
    while len(places) < count:
        depth = float(rng.uniform(0.08, 0.97))
        radius = 0.85 * breast.half_width_mm * np.sqrt(depth * (2.0 - depth))
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        aside = [radius * reach * np.cos(angle), radius * reach * np.sin(angle)]
        place = np.array([depth * breast.depth_mm, *aside])
        if _is_visible(place, breast):
            places.append(place)
    return np.array(places)


def find_visible_place(
    place: tuple[float, float, float], breast: SimulatedBreast, margin_mm: float = 12.0
) -> Vector:
    """Return a place in breast coordinates, moved inwards until every view shows it."""
    point = breast.find_point(place)
    for _ in range(60):
        if _is_visible(point, breast, margin_mm):
            break
        point = point * np.array([1.0, 0.95, 0.95]) + np.array(
            [0.03 * (0.5 * breast.depth_mm - point[0]), 0.0, 0.0]
        )
    return point


_MARGIN_MM = 6.0
"""Least distance of a member from skin and chest wall in both views."""


def _is_visible(point: Vector, breast: SimulatedBreast, margin_mm: float = _MARGIN_MM) -> bool:
    """Whether both views show a point with some breast around it."""
    for view in (View.CC, View.MLO):
        depth, across, _ = compute_beam_axes(breast, view) @ point
        heights = across + np.array([-margin_mm, 0.0, margin_mm])
        skin = float(breast.find_outline(view).find_edge(heights).max())
        if not skin + 0.5 * margin_mm < depth < breast.depth_mm - margin_mm:
            return False
    return True


def _draw_member(spec: LesionSpec, place: Vector, rng: np.random.Generator) -> Solid:
    return draw_calcification(rng, spec.morphology, place, draw_diameter(spec.diameter_mm, rng))


def _place_along_vessel(
    spec: LesionSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> list[Solid]:
    """Line both walls of a vessel, as arteries calcify: tram tracks, with gaps."""
    candidates = [
        (vessel, [point for point in vessel.points if _is_visible(point, breast)])
        for vessel in draw_vessels(breast)
    ]
    vessel, visible = max(candidates, key=lambda candidate: len(candidate[1]))
    # Where both views show hardly any of a vessel, the calcified one is at the border.
    stretch = visible if len(visible) >= _SHORTEST_MM else list(vessel.points)
    points = np.array(stretch[: max(int(spec.extent_mm), _SHORTEST_MM)])
    steps = np.gradient(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    solids: list[Solid] = []
    for _ in range(spec.count):
        position = rng.uniform(0, len(points) - 1.001)
        i, share = int(position), position % 1.0
        middle = points[i] * (1 - share) + points[i + 1] * share
        wall = np.cross(steps[i], rng.normal(size=3))
        wall *= 0.5 * vessel.start_mm / np.linalg.norm(wall)
        solids.append(_draw_member(spec, middle + wall, rng).rotate(turn_first_axis(steps[i])))
    return solids


_SHORTEST_MM = 4
"""A vessel's points are a millimetre apart; fewer than this have no direction."""


def _place_in_skin(
    spec: LesionSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> list[Solid]:
    """Put calcifications on the breast's upper or lower surface, where the views show them."""
    solids: list[Solid] = []
    base = find_visible_place(spec.place, breast)
    for _ in range(spec.count):
        place = base + rng.normal(0, 0.25 * spec.extent_mm, 3)
        share = float(np.clip(place[0] / breast.depth_mm, 0.05, 1.0))
        radius = breast.half_width_mm * np.sqrt(share * (2.0 - share))
        reach = max(float(np.hypot(place[1], place[2])), 1.0)
        place[1:] *= 0.80 * radius / reach
        width = breast.half_width_mm
        shares = (place[0] / breast.depth_mm, place[1] / width, place[2] / width)
        solids.append(_draw_member(spec, find_visible_place(shares, breast, 2.0), rng))
    return solids


_LONG_AGO = 50.0
"""Years before the current exam; earlier than any prior."""


def _add_history(
    course: Course, solids: list[Solid], rng: np.random.Generator, prior_years: float
) -> tuple[LesionMember, ...]:
    """Return the members with their growth and the times at which they appear and vanish."""
    between = 0.5 * prior_years
    changes = rng.random(len(solids)) < 0.4
    # At least one changes and at least one does not.
    changes[0], changes[-1] = False, True
    if course == "new":
        births = rng.uniform(0.05, 0.9, len(solids)) * prior_years
        return tuple(LesionMember(s, float(b), 0.0) for s, b in zip(solids, births, strict=True))
    if course == "growing":
        growth = 0.10 / max(prior_years, 1.0)
        return tuple(
            LesionMember(s, between if late else _LONG_AGO, growth)
            for s, late in zip(solids, changes, strict=True)
        )
    if course in IN_HALVES:
        born, gone = (between, -math.inf) if course == "joining" else (_LONG_AGO, between)
        return tuple(
            LesionMember(s, born, 0.0, gone) if n < _BRIDGE else LesionMember(s, _LONG_AGO, 0.0)
            for n, s in enumerate(solids)
        )
    if course in {"decreasing", "gone"}:
        return tuple(
            LesionMember(s, _LONG_AGO, 0.0, between if course == "gone" or early else -math.inf)
            for s, early in zip(solids, changes, strict=True)
        )
    growth = 0.35 / prior_years if course == "enlarging" else 0.0
    return tuple(LesionMember(s, _LONG_AGO, growth) for s in solids)
