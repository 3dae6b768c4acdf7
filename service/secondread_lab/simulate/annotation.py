"""Truth rows and mask of a view, from the solids that were put into it."""

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
"""Pixel values of the masks; the calcifications of a cluster have the cluster's label."""


@dataclass(frozen=True, slots=True)
class AnnotatedSolid:
    """One solid in the beam, and the lesion that it belongs to."""

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
    """Columns that all rows of one image share."""

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
    """Return every solid that is in a breast on a day.

    Parameters
    ----------
    years
        Years from the exam, and from its own prior if it has one, to the current exam.
    seed
        The history seed.
    """
    solids: list[AnnotatedSolid] = []
    now, before = years
    for lesion in lesions:
        spec, members = lesion.spec, lesion.list_members(now)
        if not members:
            continue
        change = "" if before is None else lesion.find_change(now, before).name.lower()
        middle = np.mean([solid.centre for _, solid in members], axis=0)
        columns = (
            spec.lesion_id,
            spec.morphology.name.lower(),
            spec.distribution.name.lower(),
            change,
            name_zone(middle, breast, treatment),
        )
        solids.extend(
            AnnotatedSolid(solid, spec.kind, number, *columns) for number, solid in members
        )
    if treatment is not None and treatment.is_operated(breast.laterality, day):
        solids.extend(
            AnnotatedSolid(solid, MarkClass.METAL, number, f"clip-{number}", zone="bed")
            for number, solid in enumerate(draw_bed_clips(breast, treatment, seed), start=1)
        )
    return tuple(solids)


def annotate_view(
    solids: Sequence[AnnotatedSolid],
    image: ViewImage,
    shared: SharedColumns,
    instance_uids: Sequence[str],
) -> tuple[npt.NDArray[np.uint8], tuple[TruthRow, ...]]:
    """Return the mask of a view, and the truth rows of each of its instances."""
    visible = [
        (annotated, footprint)
        for annotated, footprint in zip(solids, image.footprints, strict=True)
        if footprint is not None
    ]
    labelled = ((LABELS[annotated.kind], footprint) for annotated, footprint in visible)
    mask = draw_footprint_mask(image.signal.quanta.shape[:2], labelled)
    rows = tuple(row for uid in instance_uids for row in make_truth_rows(uid, visible, shared))
    return mask, rows


VisibleSolid = tuple[AnnotatedSolid, Footprint]
"""A solid, and its place in an image."""


def make_truth_rows(
    uid: str, visible: Sequence[VisibleSolid], shared: SharedColumns
) -> list[TruthRow]:
    """Return the rows of one image; without a visible solid, the row of kind ``none``."""
    if not visible:
        return [TruthRow(uid, NOTHING, density=shared.density, vendor_family=shared.vendor_family)]
    rows: list[TruthRow] = []
    lesions: dict[str, list[VisibleSolid]] = {}
    for annotated, footprint in visible:
        lesions.setdefault(annotated.lesion_id, []).append((annotated, footprint))
    for lesion_id, members in lesions.items():
        kind, parent_id = members[0][0].kind, ""
        if len(members) > 1 and kind is not MarkClass.METAL:
            rows.append(_make_group_row(uid, members, shared))
            parent_id = lesion_id
        member_kind = MarkClass.CALCIFICATION if kind is MarkClass.CLUSTER else kind
        rows += [
            _make_member_row(uid, member, member_kind, parent_id, shared) for member in members
        ]
    return rows


def _make_group_row(uid: str, members: Sequence[VisibleSolid], shared: SharedColumns) -> TruthRow:
    boxes = np.array([footprint.corners for _, footprint in members])
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    spacing, first = shared.spacing, members[0][0]
    return TruthRow(
        uid,
        first.kind.value,
        float(x0),
        float(y0),
        float(x1),
        float(y1),
        id=first.lesion_id,
        lesion_id=first.lesion_id,
        morphology=first.morphology,
        distribution=first.distribution,
        cnr=median(footprint.cnr for _, footprint in members),
        size_mm=float(
            np.hypot((x1 - x0) * spacing.between_columns, (y1 - y0) * spacing.between_rows)
        ),
        density=shared.density,
        vendor_family=shared.vendor_family,
        change=first.change,
        zone=first.zone,
    )


def _make_member_row(
    uid: str, member: VisibleSolid, kind: MarkClass, parent_id: str, shared: SharedColumns
) -> TruthRow:
    annotated, footprint = member
    x0, y0, x1, y1 = footprint.corners
    # A box of equal sides about the centre of mass: its middle is the position, to a fraction.
    half, centre = 0.5 * max(x1 - x0, y1 - y0), footprint.centre
    lesion_id = annotated.lesion_id
    return TruthRow(
        uid,
        kind.value,
        centre.col - half,
        centre.row - half,
        centre.col + half,
        centre.row + half,
        id=lesion_id if kind is MarkClass.METAL else f"{lesion_id}.{annotated.number}",
        parent_id=parent_id,
        lesion_id=lesion_id,
        morphology=annotated.morphology,
        cnr=footprint.cnr,
        size_mm=annotated.solid.size_mm,
        density=shared.density,
        vendor_family=shared.vendor_family,
        change=annotated.change,
        zone=annotated.zone,
    )
