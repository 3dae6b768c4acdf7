"""From what was put into a view to its truth rows and its mask."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import numpy as np
import numpy.typing as npt

from secondread.codes import MarkClass
from secondread.geometry import SpacingMm
from secondread_lab.simulate.imaging import Footprint, ViewImage, draw_footprint_mask
from secondread_lab.simulate.lesion_history import SimulatedLesion
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.solids import Solid
from secondread_lab.simulate.treated_breast import TreatmentSpec, draw_bed_clips, name_zone
from secondread_lab.simulate.truth import NOTHING, TruthRow

LABELS: dict[MarkClass, int] = {
    MarkClass.CLUSTER: 1,
    MarkClass.VASCULAR: 2,
    MarkClass.METAL: 3,
    MarkClass.SKIN: 4,
}
"""Pixel values of the masks; a cluster's label marks its calcifications."""


@dataclass(frozen=True, slots=True)
class AnnotatedSolid:
    """One solid in the beam, and what it belongs to."""

    solid: Solid
    kind: MarkClass
    """Of the group: a cluster's members are calcifications."""
    number: int
    """In its lesion, the same in every exam."""
    lesion_id: str
    morphology: str = ""
    distribution: str = ""
    change: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class SharedColumns:
    """What all rows of one image share."""

    vendor_family: str
    density: str
    spacing: SpacingMm


def list_solids(
    lesions: Iterable[SimulatedLesion],
    breast: SimulatedBreast,
    treatment: TreatmentSpec | None,
    day: date,
    years: tuple[float, float | None],
    seed: int,
) -> tuple[AnnotatedSolid, ...]:
    """Return every solid that a breast holds on a day.

    Parameters
    ----------
    years
        How many years the exam, and its own prior if there is one, lie before the current exam.
    seed
        The history seed.
    """
    items: list[AnnotatedSolid] = []
    now, before = years
    for lesion in lesions:
        spec, members = lesion.spec, lesion.list_members(now)
        change = (
            lesion.find_change(now, before).name.lower() if before is not None and members else ""
        )
        place = np.mean([solid.centre for _, solid in members], axis=0) if members else None
        items.extend(
            AnnotatedSolid(
                solid,
                spec.kind,
                number,
                spec.lesion_id,
                spec.morphology.name.lower(),
                spec.distribution.name.lower(),
                change,
                name_zone(place, breast, treatment) if place is not None else "",
            )
            for number, solid in members
        )
    if treatment is not None and treatment.is_operated(breast.laterality, day):
        items.extend(
            AnnotatedSolid(solid, MarkClass.METAL, number, f"clip-{number}", zone="bed")
            for number, solid in enumerate(draw_bed_clips(breast, treatment, seed), start=1)
        )
    return tuple(items)


def annotate_view(
    items: Sequence[AnnotatedSolid],
    image: ViewImage,
    shared: SharedColumns,
    instance_uids: Sequence[str],
) -> tuple[npt.NDArray[np.uint8], tuple[TruthRow, ...]]:
    """Return the mask of a view, and the truth rows of each of its instances."""
    visible = [
        (item, footprint)
        for item, footprint in zip(items, image.footprints, strict=True)
        if footprint is not None
    ]
    mask = draw_footprint_mask(
        image.signal.quanta.shape[:2], ((LABELS[item.kind], mark) for item, mark in visible)
    )
    rows = tuple(row for uid in instance_uids for row in make_truth_rows(uid, visible, shared))
    return mask, rows


VisibleSolid = tuple[AnnotatedSolid, Footprint]
"""A solid, and where an image shows it."""


def make_truth_rows(
    uid: str, visible: Sequence[VisibleSolid], shared: SharedColumns
) -> list[TruthRow]:
    """Return the rows of one image; without anything seen, the one that says so."""
    if not visible:
        return [TruthRow(uid, NOTHING, density=shared.density, vendor_family=shared.vendor_family)]
    rows: list[TruthRow] = []
    groups: dict[str, list[VisibleSolid]] = {}
    for one in visible:
        groups.setdefault(one[0].lesion_id, []).append(one)
    for lesion_id, members in groups.items():
        kind = members[0][0].kind
        if kind is MarkClass.METAL:
            rows += [_member_row(uid, one, MarkClass.METAL, "", shared) for one in members]
            continue
        grouped = len(members) > 1
        if grouped:
            rows.append(_group_row(uid, lesion_id, members, shared))
        member_kind = MarkClass.CALCIFICATION if kind is MarkClass.CLUSTER else kind
        parent = lesion_id if grouped else ""
        rows += [_member_row(uid, one, member_kind, parent, shared) for one in members]
    return rows


def _group_row(
    uid: str, lesion_id: str, members: Sequence[VisibleSolid], shared: SharedColumns
) -> TruthRow:
    boxes = np.array([mark.corners for _, mark in members])
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    item = members[0][0]
    size = np.hypot(
        (x1 - x0) * shared.spacing.between_columns, (y1 - y0) * shared.spacing.between_rows
    )
    return TruthRow(
        uid,
        item.kind.value,
        float(x0),
        float(y0),
        float(x1),
        float(y1),
        id=lesion_id,
        lesion_id=lesion_id,
        morphology=item.morphology,
        distribution=item.distribution,
        cnr=median(mark.cnr for _, mark in members),
        size_mm=float(size),
        density=shared.density,
        vendor_family=shared.vendor_family,
        change=item.change,
        zone=item.zone,
    )


def _member_row(
    uid: str, visible: VisibleSolid, kind: MarkClass, parent: str, shared: SharedColumns
) -> TruthRow:
    item, mark = visible
    half = 0.5 * max(mark.corners[2] - mark.corners[0], mark.corners[3] - mark.corners[1])
    col, row = mark.centre.col, mark.centre.row
    # A box of equal sides about the centre of mass: its middle is the position, to a fraction.
    return TruthRow(
        uid,
        kind.value,
        col - half,
        row - half,
        col + half,
        row + half,
        id=item.lesion_id if kind is MarkClass.METAL else f"{item.lesion_id}.{item.number}",
        parent_id=parent,
        lesion_id=item.lesion_id,
        morphology=item.morphology,
        cnr=mark.cnr,
        size_mm=item.solid.size_mm,
        density=shared.density,
        vendor_family=shared.vendor_family,
        change=item.change,
        zone=item.zone,
    )
