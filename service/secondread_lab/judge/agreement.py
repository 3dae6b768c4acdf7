"""Agreement: descriptors with the truth, both views with each other, ranks of exams with truth."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from secondread_lab.judge.bootstrap import Draws, Owners, Values


@dataclass(frozen=True, slots=True)
class Confusion:
    """Descriptors against the truth, for the clusters that were found and described."""

    labels: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    """Rows are the truth, columns the first choice."""
    first: float | None
    """Share whose first choice is right; None where nothing was described."""
    either: float | None
    """Share where one of the first two is."""
    kappa: float | None
    """Cohen's, of the first choice; None where nothing was described or chance alone agrees."""
    count: int


def tabulate_confusion(pairs: Iterable[tuple[str, Sequence[str]]]) -> Confusion:
    """Compare true labels with described ones, the likeliest first.

    Pairs without a description are left out.
    """
    described = [(true, tuple(choices[:2])) for true, choices in pairs if true and choices]
    firsts = [(true, choices[0]) for true, choices in described]
    labels = tuple(sorted({label for pair in firsts for label in pair}))
    count = len(described)
    if not count:
        return Confusion((), (), None, None, None, 0)
    cells = Counter(firsts)
    table = np.array([[cells[true, first] for first in labels] for true in labels])
    observed = float(np.trace(table)) / count
    expected = float(table.sum(axis=0) @ table.sum(axis=1)) / count**2
    return Confusion(
        labels,
        tuple(tuple(row) for row in table.tolist()),
        observed,
        sum(true in choices for true, choices in described) / count,
        (observed - expected) / (1 - expected) if expected < 1 else None,
        count,
    )


class TrueLesion(NamedTuple):
    """A true lesion over all views of one study."""

    study: str
    side: str
    name: str


@dataclass(frozen=True, slots=True)
class LesionInView:
    """One true lesion in one view."""

    lesion: TrueLesion
    view: str
    """``CC`` or ``MLO``; other views are ignored."""
    found: bool


@dataclass(frozen=True, slots=True)
class TwoViews:
    """Lesions that are visible in both views of a breast."""

    both: int
    one: int
    none: int


def count_two_views(sightings: Iterable[LesionInView]) -> TwoViews:
    """Count in how many of the two views each lesion was found."""
    found_by_view: dict[TrueLesion, dict[str, bool]] = defaultdict(dict)
    for sighting in sightings:
        if sighting.view in {"CC", "MLO"}:
            views = found_by_view[sighting.lesion]
            views[sighting.view] = views.get(sighting.view, False) or sighting.found
    counts = Counter(sum(views.values()) for views in found_by_view.values() if len(views) == 2)
    return TwoViews(counts[2], counts[1], counts[0])


def compute_auc(
    positive: Values, p_owners: Owners, negative: Values, n_owners: Owners, draws: Draws
) -> Values:
    """Return the area under the ROC curve in each resample: the chance that a pair is in order.

    Equal scores count half. NaN where a resample has no pair.
    """
    out = np.full(len(draws), np.nan)
    if not len(positive) or not len(negative):
        return out
    above = positive[:, None] > negative[None, :]
    wins = np.where(positive[:, None] == negative[None, :], 0.5, above)
    for row, (p, n) in enumerate(zip(draws[:, p_owners], draws[:, n_owners], strict=True)):
        pairs = float(p.sum()) * float(n.sum())
        if pairs:
            out[row] = float(p @ wins @ n) / pairs
    return out
