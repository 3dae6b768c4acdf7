"""Groups as a detector would find them in exams that are laid out without pixels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from models.calcification.training.annotated_regions import AnnotatedRegion
from models.calcification.training.layouts import LesionLayout
from secondread.codes import Distribution
from secondread.findings.clusters import LINK_MM, MINIMUM_MEMBERS, label_chains
from secondread.findings.group_features import FloatArray, Surroundings, measure_layout

AROUND_CLUSTER_MM = 30.0
"""How far around a view's lesions false marks are scattered."""
FALSE_SHARE = 0.5
"""Share of the false marks of regions that views have: regions are crowded with what resembles
calcifications. With all of them, groups of validation exams are described worse."""


@dataclass(frozen=True, slots=True)
class Thinning:
    """The misses and false marks of a detector."""

    found: FloatArray
    """Of each cluster in regions that was found, the share of its members with a mark."""
    false_per_cm2: FloatArray
    """Of each region, the marks that are not on any solid."""

    @classmethod
    def from_regions(cls, regions: Iterable[AnnotatedRegion]) -> Self:
        """Measure them in regions."""
        found, false = [], []
        for region in regions:
            touches = region.touches()
            false.append(int((~touches.any(axis=1)).sum()) / max(region.tissue_cm2, 1.0))
            for cluster in region.clusters():
                share = float(touches[:, cluster].any(axis=0).mean())
                if len(cluster) >= MINIMUM_MEMBERS and share > 0:
                    found.append(share)
        return cls(np.array(found), np.array(false))


@dataclass(frozen=True, slots=True)
class ScatteredGroup:
    """A group that was found, and the distribution of its lesion."""

    features: Mapping[str, float]
    distribution: Distribution


def scatter_groups(
    views: Iterable[Sequence[LesionLayout]], thinning: Thinning, rng: np.random.Generator
) -> Iterator[ScatteredGroup]:
    """Yield the groups that are found on the lesions of some views."""
    for lesions in views:
        places, owner = _thin_lesions(lesions, thinning, rng)
        if not len(places):
            continue
        surroundings = Surroundings.from_positions(places)
        chain = label_chains(places, LINK_MM)
        for number in np.unique(chain).tolist():
            inside = chain == number
            lesion = find_lesion(owner[inside])
            if lesion is not None:
                features = measure_layout(places[inside], surroundings)
                yield ScatteredGroup(features, lesions[lesion].distribution)


def find_lesion(owner: npt.NDArray[np.int64]) -> int | None:
    """Return the lesion of a group: that of more than half of its members (-1 without a lesion)."""
    own = owner[owner >= 0]
    if len(owner) < MINIMUM_MEMBERS or not len(own):
        return None
    counts = np.bincount(own)
    return int(counts.argmax()) if 2 * counts.max() > len(owner) else None


def _thin_lesions(
    lesions: Sequence[LesionLayout], thinning: Thinning, rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the places of marks, and the index of the lesion of each, -1 for a false mark."""
    parts, owners = [np.empty((0, 2))], [np.empty(0, np.int64)]
    for number, lesion in enumerate(lesions):
        found = lesion.at_mm[rng.random(len(lesion.at_mm)) < rng.choice(thinning.found)]
        parts.append(found)
        owners.append(np.full(len(found), number))
    places = np.concatenate(parts)
    if not len(places):
        return places, np.concatenate(owners)
    low, high = places.min(axis=0) - AROUND_CLUSTER_MM, places.max(axis=0) + AROUND_CLUSTER_MM
    density = FALSE_SHARE * float(rng.choice(thinning.false_per_cm2))
    false = int(rng.poisson(density * float(np.prod(high - low)) / 100))
    parts.append(rng.uniform(low, high, (false, 2)))
    owners.append(np.full(false, -1))
    return np.concatenate(parts), np.concatenate(owners)
