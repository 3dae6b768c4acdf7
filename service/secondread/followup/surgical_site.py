"""Where an operation was, as people write it: a clock face and distance, or a quadrant."""

import math
import re

from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.position import Quadrant
from secondread.findings.treatment import SurgicalSite

_CLOCK = re.compile(
    r"^(1[0-2]|[1-9])(?:[:.](00|30))?\s*(?:o'?\s?clock|h|hours?)?(?=$|[\s,;@])", re.IGNORECASE
)
_DISTANCE = re.compile(
    r"(\d{1,3}(?:\.\d)?)\s*(cm|mm)(?:\s*(?:fn|from\s+(?:the\s+)?nipple))?", re.IGNORECASE
)
_NAMES = {
    Quadrant.UPPER_OUTER: ("upper outer", "uoq", "upper-outer"),
    Quadrant.UPPER_INNER: ("upper inner", "uiq", "upper-inner"),
    Quadrant.LOWER_OUTER: ("lower outer", "loq", "lower-outer"),
    Quadrant.LOWER_INNER: ("lower inner", "liq", "lower-inner"),
    Quadrant.CENTRAL: ("central", "retroareolar", "subareolar"),
}
_LONGEST = 64


def read_surgical_site(text: str, side: Laterality) -> SurgicalSite | None:
    """Read a site, as ``2 o'clock, 4 cm FN`` or ``upper outer``.

    Parameters
    ----------
    text
        As written.
    side
        The breast: its outer side is at 3 o'clock on the left, at 9 on the right.

    Returns
    -------
    Site or None
        None for an empty text.

    Raises
    ------
    InputError
        It is neither a clock face nor a quadrant.
    """
    words = " ".join(text.split())
    if not words:
        return None
    if len(words) > _LONGEST or not words.isascii():
        raise InputError(f"site: at most {_LONGEST} ASCII characters")
    distance = _DISTANCE.search(words)
    away = None if distance is None else float(distance[1]) * _get_mm(distance[2])
    clock = _CLOCK.match(words)
    if clock is not None:
        hour = int(clock[1]) % 12 + (0.5 if clock[2] == "30" else 0.0)
        return SurgicalSite(words, _find_quadrants(hour, side), away)
    for quadrant, names in _NAMES.items():
        if re.match(rf"({'|'.join(names)})\b", words, re.IGNORECASE):
            return SurgicalSite(words, frozenset({quadrant}), away)
    raise InputError(f"site {words!r}: a clock face (2 o'clock, 4 cm FN) or a quadrant is expected")


def _get_mm(unit: str) -> float:
    return 10.0 if unit.lower() == "cm" else 1.0


def _find_quadrants(hour: float, side: Laterality) -> frozenset[Quadrant]:
    """Return the quadrants of an hour, seen from in front; two of them at 3, 6, 9 and 12."""
    angle = math.radians(30.0 * hour)
    sign = 1.0 if side is Laterality.LEFT else -1.0
    outward, upward = round(sign * math.sin(angle), 6), round(math.cos(angle), 6)
    return frozenset(
        quadrant
        for quadrant, (out, up) in _SIGNS.items()
        if out * outward >= 0 and up * upward >= 0
    )


_SIGNS = {
    Quadrant.UPPER_OUTER: (1, 1),
    Quadrant.UPPER_INNER: (-1, 1),
    Quadrant.LOWER_OUTER: (1, -1),
    Quadrant.LOWER_INNER: (-1, -1),
}
