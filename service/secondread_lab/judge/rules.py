"""The rules of scoring: which marks are right, false or neither.

`service/docs/evaluation.md` describes them in prose. A change here changes every figure, so each
result holds `SCORING`, and results of two versions are never compared silently.
"""

import math
import re
from enum import StrEnum

from secondread.codes import MarkClass, Morphology

SCORING = 2
"""Version of the rules; raised with every change of one."""

VISIBLE_CNR = 3.0
"""Peak contrast over the noise of a pixel from which on a calcification counts as visible; one of
unknown contrast does too, since somebody has seen it."""

VISIBLE_MEMBERS = 3
"""A cluster is expected to be found if this many of its members are visible."""

REACH_MM = 0.3
"""A mark this near to a calcification's middle is on it ..."""

REACH_BEYOND_MM = 0.15
"""... and so is one within its radius plus this, if that is farther."""

METAL_MARGIN_MM = 1.0
"""Marks of calcifications this near to metal count neither way, since they are on its edges."""

OBJECT_MARGIN_MM = 1.0
"""A member of a cluster mark this near to the box of metal, vessel or skin is on it."""

CENTRE_MARGIN_MM = 2.0
"""The centre of a hit is in the reference box, or no farther outside than this."""

MINIMUM_IOU = 0.2
"""Overlap of the boxes of mark and reference, as intersection over union."""

MATCHED_MEMBERS = 2
"""Members of a cluster mark that are matched one to one with members of the reference."""

SINGLE_RATES = (0.1, 0.4, 1.0)
"""False marks per cm2 of breast at which single calcifications are reported."""

CLUSTER_RATES = (0.1, 0.25, 0.3, 0.5, 1.0)
"""False clusters per view without a cluster at which clusters are reported."""

HEADLINE_RATE = 0.3
"""The rate of the tables by subgroup."""

TARGETS = frozenset(
    {
        Morphology.ROUND,
        Morphology.PUNCTATE,
        Morphology.AMORPHOUS,
        Morphology.COARSE_HETEROGENEOUS,
        Morphology.FINE_PLEOMORPHIC,
        Morphology.FINE_LINEAR,
        Morphology.FINE_LINEAR_BRANCHING,
    }
)
"""Morphologies of target clusters. All others are typically benign (BI-RADS): a mark on such a
cluster is not false, and it is not a miss if there is none; they have a table of their own. A
cluster of unstated morphology is a target."""

OBJECTS = (MarkClass.METAL, MarkClass.VASCULAR, MarkClass.SKIN)
"""Kinds of truth rows on which a cluster mark is a separate error, counted per view."""


class MarkOutcome(StrEnum):
    """The outcome of one cluster mark."""

    HIT = "hit"
    """On a visible target cluster."""
    NEAR = "near"
    """Touches such a cluster, but does not fit well enough to be a hit; counts neither way."""
    IGNORED = "ignored"
    """On a target cluster that is too faint to be expected; counts neither way."""
    BENIGN = "benign"
    """On a typically benign cluster; counts neither way."""
    METAL = "metal"
    VASCULAR = "vascular"
    SKIN = "skin"
    FALSE = "false"
    """On nothing."""

    @property
    def is_false(self) -> bool:
        """Whether the mark is a false cluster in a view without clusters."""
        return self in {
            MarkOutcome.METAL,
            MarkOutcome.VASCULAR,
            MarkOutcome.SKIN,
            MarkOutcome.FALSE,
        }


def find_morphology(word: str) -> Morphology | None:
    """Return the morphology of a word in a truth table, in any case, with spaces or hyphens.

    >>> find_morphology("fine pleomorphic").name
    'FINE_PLEOMORPHIC'
    """
    name = word.strip().upper().replace(" ", "_").replace("-", "_")
    return Morphology.__members__.get(name)


def is_target(word: str) -> bool:
    """Whether a cluster of this morphology is a target; the empty word means unstated."""
    morphology = find_morphology(word)
    return morphology is None or morphology in TARGETS


def name_morphology(morphology: Morphology) -> str:
    """Return the name of a morphology in tables: round and punctate differ in size alone.

    >>> name_morphology(Morphology.PUNCTATE)
    'round'
    """
    return "round" if morphology is Morphology.PUNCTATE else morphology.name.lower()


def name_band(value: float | None, edges: tuple[float, ...], unit: str = "") -> str:
    """Return the name of the band of a value, for tables.

    >>> name_band(4.0, (3, 5, 8)), name_band(9.0, (3, 5, 8))
    ('3-5', '>=8')
    >>> name_band(1, (3, 5)), name_band(None, (3, 5))
    ('<3', 'unknown')
    """
    if value is None:
        return "unknown"
    if value < edges[0]:
        return f"<{edges[0]:g}{unit}"
    if value >= edges[-1]:
        return f">={edges[-1]:g}{unit}"
    upper = next(n for n, edge in enumerate(edges) if value < edge)
    return f"{edges[upper - 1]:g}-{edges[upper]:g}{unit}"


def order_band(label: str) -> tuple[float, str]:
    """Return a sort key for bands by their values, and for other words by the alphabet after them.

    >>> sorted(["round", ">=8", "3-5", "<3"], key=order_band)
    ['<3', '3-5', '>=8', 'round']
    """
    number = re.match(r"(<|>=)?([0-9.]+)", label)
    if number is None:
        return math.inf, label
    return float(number[2]) - (number[1] == "<") + 0.5 * (number[1] == ">="), label


DIAMETER_EDGES_MM = (0.1, 0.17, 0.25, 0.4, 1.0)
CNR_EDGES = (3.0, 5.0, 8.0)
EXTENT_EDGES_MM = (5.0, 10.0, 20.0)
COUNT_EDGES = (3.0, 6.0, 11.0, 21.0)
