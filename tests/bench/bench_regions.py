"""Planted clusters found and outlined by themselves, and even regions wrongly split.

    python -m tests.bench.bench_regions [--number N] [--seed S]

Regions are laid out without pixels (`secondread_lab.judge.region_layouts`). A planted cluster is
found by itself if most of what one group holds is of it, most of it is in that group, and the
group's outline fits. "By links alone" is the same of groups without the second level.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from secondread.detect.marks import Mark
from secondread.findings.clusters import MINIMUM_MEMBERS, group_marks, join_regions
from secondread.findings.linking import link_calcifications
from secondread.findings.regions import Group, form_groups, split_group
from secondread_lab.judge.mark_matching import compute_iou
from secondread_lab.judge.records import Box
from secondread_lab.judge.region_layouts import (
    KINDS,
    SPACING,
    RegionLayout,
    lay_out_region,
    plant_cluster,
)

WANTED_FOUND, ALLOWED_SPLIT = 0.85, 0.05
LEAST_SHARE, LEAST_IOU, MARGIN_MM = 0.6, 0.3, 1.5
PLANTED_IN = frozenset(KINDS) - {"grouped", "linear"}
"""Regions that clusters are planted in; groups and lines are too small to have an inside."""
_TRIES = 60


def estimate_presence(marks: Sequence[Mark]) -> npt.NDArray[np.float64]:
    return np.array([mark.score for mark in marks])


def form(layout: RegionLayout) -> tuple[Group, ...]:
    groups, _ = form_groups(layout.calcifications, layout.landmarks, SPACING, estimate_presence)
    return groups


def is_found(layout: RegionLayout, groups: Sequence[Sequence[Mark]]) -> bool:
    """Return whether one of the groups is the planted cluster, by members and outline."""
    planted = frozenset(layout.planted)
    box = find_box(layout.planted)
    for members in groups:
        own = len(planted & frozenset(members))
        if min(own / len(members), own / len(planted)) < LEAST_SHARE:
            continue
        if compute_iou(find_box(members), box) >= LEAST_IOU:
            return True
    return False


def find_box(marks: Sequence[Mark]) -> Box:
    at = np.array([(mark.center.col, mark.center.row) for mark in marks]) * 0.1
    (left, top), (right, bottom) = at.min(axis=0) - MARGIN_MM, at.max(axis=0) + MARGIN_MM
    return float(left), float(top), float(right), float(bottom)


def is_split(layout: RegionLayout) -> bool:
    """Return whether anything stands out of a region in which nothing was planted."""
    linked = link_calcifications(layout.calcifications, layout.landmarks, SPACING)
    several = [group for group in linked if len(group) >= MINIMUM_MEMBERS]
    joined = join_regions(several, list(map(estimate_presence, several)), SPACING)
    split = (split_group(group, estimate_presence(group), SPACING) for group in joined)
    return any(len(groups) > 1 or groups[0].inner for groups in split)


def list_members(groups: Sequence[Group]) -> list[tuple[Mark, ...]]:
    return [g.members for group in groups for g in (group, *group.inner)]


def judge_kind(kind: str, number: int, seed: int) -> tuple[float, float, float, int]:
    """Return the shares found, found by links alone, and split, and the number of clusters."""
    found, by_links, split = [], [], []
    for index in range(number):
        rng = np.random.default_rng([seed, list(KINDS).index(kind), index])
        region = lay_out_region(kind, rng)
        split.append(is_split(region))
        if kind not in PLANTED_IN:
            continue
        tried = (plant_cluster(region, rng) for _ in range(_TRIES))
        layout = next((layout for layout in tried if layout is not None), None)
        if layout is not None:
            found.append(is_found(layout, list_members(form(layout))))
            by_links.append(is_found(layout, group_marks(layout.calcifications, SPACING)))
    none = float("nan")
    share = [float(np.mean(values)) if values else none for values in (found, by_links, split)]
    return share[0], share[1], share[2], len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=200, help="regions of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("region           found by itself  by links alone  even, split   of")
    rows = []
    for kind in KINDS:
        found, by_links, split, number = judge_kind(kind, options.number, options.seed)
        rows.append((found, by_links, split))
        print(f"{kind:<15}{found:>17.2f}{by_links:>16.2f}{split:>13.2f}{number:>5}", flush=True)
    found, by_links, split = (float(np.nanmean(column)) for column in zip(*rows, strict=True))
    print(f"{'mean':<15}{found:>17.2f}{by_links:>16.2f}{split:>13.2f}")
    print(f"wanted: {WANTED_FOUND} found, at most {ALLOWED_SPLIT} split")


if __name__ == "__main__":
    main()
