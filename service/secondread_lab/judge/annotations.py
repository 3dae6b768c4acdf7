"""The truth of one image as scoring uses it: positions in mm, visibility, and targets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secondread.codes import MarkClass
from secondread.errors import InputError
from secondread.geometry import SpacingMm
from secondread_lab.judge import rules
from secondread_lab.judge.mark_matching import Points, Scores
from secondread_lab.judge.records import Box
from secondread_lab.simulate.truth import NOTHING, TruthRow


@dataclass(frozen=True, slots=True)
class TrueCluster:
    """One row of kind cluster, with its members."""

    row: TruthRow
    box: Box
    """In mm."""
    members: Points
    """Positions in mm; empty where the table has none."""
    reach: Scores
    count: int
    """Number of visible members; 0 where the table has none."""
    visible: bool
    """Whether a detector can be expected to find it."""
    target: bool
    """Whether it should be found; typically benign clusters should not."""


@dataclass(frozen=True, slots=True)
class ImageTruth:
    """Everything that is in one image; positions in mm."""

    calcifications: tuple[TruthRow, ...]
    centres: Points
    """Of the calcifications."""
    reach: Scores
    visible: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    clusters: tuple[TrueCluster, ...]
    objects: dict[MarkClass, Points]
    """Boxes, shape (n, 4), of single metal objects, vessel and skin calcifications."""
    unlisted: Points
    """Boxes of clusters whose members the table does not list."""


def arrange_truth(rows: Sequence[TruthRow], spacing: SpacingMm) -> ImageTruth:
    """Arrange the rows of one image.

    A calcification is visible from `rules.VISIBLE_CNR` on, or if its contrast is not known; a
    cluster if it has `rules.VISIBLE_MEMBERS` visible members, or where the table lists none, by
    its own contrast.
    """
    children: dict[str, list[TruthRow]] = defaultdict(list)
    for row in rows:
        if row.parent_id:
            children[row.parent_id].append(row)
    singles = tuple(row for row in rows if row.kind == MarkClass.CALCIFICATION)
    clusters = tuple(
        _arrange_cluster(row, children[row.id] if row.id else [], spacing)
        for row in rows
        if row.kind == MarkClass.CLUSTER
    )
    leaves = [row for row in rows if not (row.id and row.id in children)]
    return ImageTruth(
        calcifications=singles,
        centres=_find_centres(singles, spacing),
        reach=np.array([_find_reach(row) for row in singles]),
        visible=np.array([_is_visible(row) for row in singles], np.bool_),
        clusters=clusters,
        objects={
            kind: _make_boxes([row for row in leaves if row.kind == kind], spacing)
            for kind in rules.OBJECTS
        },
        unlisted=_make_boxes(
            [cluster.row for cluster in clusters if not len(cluster.members)], spacing
        ),
    )


def _arrange_cluster(row: TruthRow, members: Sequence[TruthRow], spacing: SpacingMm) -> TrueCluster:
    count = sum(_is_visible(member) for member in members)
    return TrueCluster(
        row=row,
        box=_make_box(row, spacing),
        members=_find_centres(members, spacing),
        reach=np.array([_find_reach(member) for member in members]),
        count=count,
        visible=count >= rules.VISIBLE_MEMBERS if members else _is_visible(row),
        target=rules.is_target(row.morphology),
    )


def _is_visible(row: TruthRow) -> bool:
    return row.cnr is None or row.cnr >= rules.VISIBLE_CNR


def _find_reach(row: TruthRow) -> float:
    return max(rules.REACH_MM, 0.5 * (row.size_mm or 0.0) + rules.REACH_BEYOND_MM)


def _make_box(row: TruthRow, spacing: SpacingMm) -> Box:
    x0, y0, x1, y1 = (value or 0.0 for value in (row.x0, row.y0, row.x1, row.y1))
    across, down = spacing.between_columns, spacing.between_rows
    return x0 * across, y0 * down, x1 * across, y1 * down


def _make_boxes(rows: Sequence[TruthRow], spacing: SpacingMm) -> Points:
    return np.array([_make_box(row, spacing) for row in rows], np.float64).reshape(-1, 4)


def _find_centres(rows: Sequence[TruthRow], spacing: SpacingMm) -> Points:
    boxes = _make_boxes(rows, spacing)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


KINDS = frozenset(MarkClass) | {NOTHING}
"""Kinds of rows that scoring uses; rows of other kinds are counted and otherwise ignored."""

_FAULTS_NAMED = 10


def check_truth(path: Path, rows: Sequence[TruthRow]) -> None:
    """Check that a truth table holds what scoring relies on.

    Raises
    ------
    InputError
        Names the file and the rows, counted from 1 with the header as the first.
    """
    ids = {(row.sop_instance_uid, row.id) for row in rows if row.id}
    faults = [
        f"row {number}: {fault}"
        for number, row in enumerate(rows, start=2)
        for fault in _list_faults(row, ids)
    ]
    if faults:
        more = f"; and {len(faults) - _FAULTS_NAMED} more" * (len(faults) > _FAULTS_NAMED)
        raise InputError(f"{path}: {'; '.join(faults[:_FAULTS_NAMED])}{more}")


def _list_faults(row: TruthRow, ids: set[tuple[str, str]]) -> list[str]:
    faults = []
    if not row.sop_instance_uid:
        faults.append("sop_instance_uid is empty")
    if not row.kind:
        faults.append("kind is empty")
    if row.kind != NOTHING and ((row.x1 or 0) < (row.x0 or 0) or (row.y1 or 0) < (row.y0 or 0)):
        faults.append("the box ends before it begins")
    if row.morphology and rules.find_morphology(row.morphology) is None:
        faults.append(f"morphology {row.morphology!r} is not known")
    if row.parent_id and (row.sop_instance_uid, row.parent_id) not in ids:
        faults.append(f"parent_id {row.parent_id!r} names no row of the image")
    return faults
