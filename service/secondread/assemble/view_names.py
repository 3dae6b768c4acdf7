"""Names of mammographic views as people and units write them, taken apart.

A name holds a view, its modifiers and the side in one word or in several: ``LCC``, ``R-MLO``,
``CCID``, ``XCCL``, ``MAG CC``, ``left cranio-caudal``. The short forms are those of the ACR's
mammography quality control manual, which CID 4014 and 4015 name as equivalents: modifiers stand
behind the view, magnification and spot compression (M, S) before it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from secondread.codes import Laterality, View, ViewModifier

_SIDES = {
    "R": Laterality.RIGHT, "RIGHT": Laterality.RIGHT, "RT": Laterality.RIGHT,
    "L": Laterality.LEFT, "LEFT": Laterality.LEFT, "LT": Laterality.LEFT,
    "B": Laterality.BOTH, "BOTH": Laterality.BOTH, "BILATERAL": Laterality.BOTH,
}  # fmt: skip
_ENDINGS = {
    "R": Laterality.RIGHT, "D": Laterality.RIGHT,
    "E": Laterality.LEFT, "I": Laterality.LEFT, "G": Laterality.LEFT,
}  # fmt: skip
"""Behind a view: derecha, direita, destra and droit; esquerda, izquierda and gauche. No L: behind
CC it could stand for "exaggerated laterally"."""
_MODIFIERS = {
    "M": ViewModifier.MAGNIFICATION, "MAG": ViewModifier.MAGNIFICATION,
    "S": ViewModifier.SPOT, "SPOT": ViewModifier.SPOT, "SPT": ViewModifier.SPOT,
    "ID": ViewModifier.IMPLANT_DISPLACED, "TAN": ViewModifier.TANGENTIAL,
    "AT": ViewModifier.AXILLARY_TAIL, "CV": ViewModifier.CLEAVAGE,
    "RL": ViewModifier.ROLLED_LATERAL, "RM": ViewModifier.ROLLED_MEDIAL,
    "RI": ViewModifier.ROLLED_INFERIOR, "RS": ViewModifier.ROLLED_SUPERIOR,
    "IMF": ViewModifier.INFRA_MAMMARY_FOLD, "NP": ViewModifier.NIPPLE_IN_PROFILE,
    "AC": ViewModifier.ANTERIOR_COMPRESSION,
}  # fmt: skip
_IMPLIED = {ViewModifier.AXILLARY_TAIL: View.MLO, ViewModifier.CLEAVAGE: View.CC}
"""The view that a modifier is one of, where a name has nothing else: the beam of an axillary tail
view runs obliquely from the middle, that of a cleavage view from above."""
_VIEW_NAMES = {
    View.CC: ("craniocaudal", "cranialcaudal", "craneocaudal", "kraniokaudal"),
    View.MLO: ("mediolateraloblique", "mediallateraloblique", "obliquemediolateral",
               "obliquemediallateral", "mediolateraloblicua", "oblicuamediolateral"),
    View.ML: ("mediolateral", "mediallateral"),
    View.LM: ("lateromedial", "lateralmedial"),
    View.LMO: ("lateromedialoblique", "lateralmedialoblique", "obliquelateromedial",
               "obliquelateralmedial"),
    View.FB: ("caudocranial", "caudalcranial", "caudocranialfrombelow", "frombelow"),
    View.SIO: ("superolateraltoinferomedialoblique", "superolateralinferomedialoblique"),
    View.ISO: ("inferomedialtosuperolateraloblique", "inferomedialsuperolateraloblique"),
    View.XCC: ("craniocaudalexaggerated", "exaggeratedcraniocaudal"),
    View.XCCL: ("craniocaudalexaggeratedlaterally", "exaggeratedcraniocaudallaterally",
                "laterallyexaggeratedcraniocaudal", "craniocaudalexaggeratedlateral"),
    View.XCCM: ("craniocaudalexaggeratedmedially", "exaggeratedcraniocaudalmedially",
                "mediallyexaggeratedcraniocaudal", "craniocaudalexaggeratedmedial"),
    View.SPECIMEN: ("specimen", "tissuespecimenfrombreast", "tissuespecimen", "breastspecimen"),
}  # fmt: skip
_MODIFIER_NAMES = {
    ViewModifier.CLEAVAGE: ("cleavage", "cleavageview"),
    ViewModifier.AXILLARY_TAIL: ("axillarytail", "axillarytailview"),
    ViewModifier.ROLLED_LATERAL: ("rolledlateral", "rolledlaterally"),
    ViewModifier.ROLLED_MEDIAL: ("rolledmedial", "rolledmedially"),
    ViewModifier.ROLLED_INFERIOR: ("rolledinferior", "rolledinferiorly"),
    ViewModifier.ROLLED_SUPERIOR: ("rolledsuperior", "rolledsuperiorly"),
    ViewModifier.IMPLANT_DISPLACED: ("implantdisplaced", "implantdisplacement", "eklund"),
    ViewModifier.MAGNIFICATION: ("magnification", "magnified", "magnificationview"),
    ViewModifier.SPOT: ("spotcompression", "spotcompressed", "spotview"),
    ViewModifier.TANGENTIAL: ("tangential", "tangent", "tangentialview"),
    ViewModifier.NIPPLE_IN_PROFILE: ("nippleinprofile",),
    ViewModifier.ANTERIOR_COMPRESSION: ("anteriorcompression",),
    ViewModifier.INFRA_MAMMARY_FOLD: ("inframammaryfold",),
    ViewModifier.AXILLARY_TISSUE: ("axillarytissue",),
}
_VIEW_BY_NAME = {name.upper(): view for view, names in _VIEW_NAMES.items() for name in names} | {
    view.name: view for view in View
}
_MODIFIER_BY_NAME = {name.upper(): m for m, names in _MODIFIER_NAMES.items() for name in names}
_LONG_NAMES = {*_VIEW_BY_NAME, *_MODIFIER_BY_NAME}
_ANY = "MAG|SPOT|SPT|IMF|TAN|ID|AT|CV|RL|RM|RI|RS|NP|AC|M|S"
_VIEW = "(?P<view>XCCL|XCCM|XCC|CC|MLO|LMO|ML|LM|FB|SIO|ISO)"
_AFTER = f"(?P<after>(?:{_ANY})*)"
_PART = re.compile(_ANY)
_SHORT_FORMS = tuple(
    re.compile(form)
    for form in (
        f"{_VIEW}{_AFTER}",
        f"(?P<side>[RLB]){_VIEW}{_AFTER}",
        f"(?P<side>[RLB])?(?P<before>(?:MAG|SPOT|M|S)+){_VIEW}{_AFTER}",
        f"{_VIEW}{_AFTER}(?P<ending>[RDEIG])",
        # Without a view, RL and RM could be a side and a letter as well.
        "(?P<side>[RLB])?(?P<after>(?:MAG|SPOT|SPT|IMF|TAN|ID|AT|CV)+)",
    )
)
"""In this order: LM is a view, not a magnification of the left breast."""
_LATERAL = "LAT"
"""Means a lateral view of either direction, not the axillary tail of the left breast."""


@dataclass(frozen=True, slots=True)
class ViewName:
    """What the name of a view says."""

    sides: frozenset[Laterality] = frozenset()
    views: frozenset[View] = frozenset()
    """More than one where the name contradicts itself."""
    modifiers: frozenset[ViewModifier] = frozenset()

    @property
    def implied_view(self) -> View | None:
        """The view that the modifiers stand for by themselves; None where they leave it open."""
        implied = {_IMPLIED[modifier] for modifier in self.modifiers if modifier in _IMPLIED}
        return implied.pop() if len(implied) == 1 else None


def combine_names(names: Iterable[ViewName]) -> ViewName:
    """Return what several names, or parts of one, say together."""
    listed = list(names)
    return ViewName(
        frozenset().union(*(name.sides for name in listed)),
        frozenset().union(*(name.views for name in listed)),
        frozenset().union(*(name.modifiers for name in listed)),
    )


def parse_view_name(text: str) -> ViewName:
    """Return what a name says, in words or in the short form; unknown parts say nothing."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word for word in re.split(r"[\W_]+", ascii_text.upper()) if word]
    terms = list(_join_words(words))
    has_view = any(_parse_word(term).views for term in terms)
    return combine_names(_parse_word(term, has_view=has_view) for term in terms)


def _join_words(words: list[str]) -> Iterator[str]:
    """Yield words, those of a long name as one: from each word on, the longest name."""
    first = 0
    while first < len(words):
        ends = range(len(words), first, -1)
        joined = (("".join(words[first:end]), end) for end in ends)
        known = ((term, end) for term, end in joined if term in _LONG_NAMES)
        term, first = next(known, (words[first], first + 1))
        yield term


def _parse_word(word: str, *, has_view: bool = False) -> ViewName:
    if word in _SIDES:
        return ViewName(sides=frozenset({_SIDES[word]}))
    if word in _VIEW_BY_NAME:
        return ViewName(views=frozenset({_VIEW_BY_NAME[word]}))
    if word in _MODIFIER_BY_NAME:
        return ViewName(modifiers=frozenset({_MODIFIER_BY_NAME[word]}))
    if has_view and word in _MODIFIERS:  # beside a view, a short one can mean nothing else
        return ViewName(modifiers=frozenset({_MODIFIERS[word]}))
    matches = (form.fullmatch(word) for form in _SHORT_FORMS if word != _LATERAL)
    match = next((match for match in matches if match is not None), None)
    return ViewName() if match is None else _read_match(match.groupdict())


def _read_match(parts: dict[str, str | None]) -> ViewName:
    side = _SIDES.get(parts.get("side") or "") or _ENDINGS.get(parts.get("ending") or "")
    view = parts.get("view")
    modifiers = _PART.findall((parts.get("before") or "") + (parts.get("after") or ""))
    return ViewName(
        frozenset({side} if side else ()),
        frozenset({View[view]} if view else ()),
        frozenset(_MODIFIERS[modifier] for modifier in modifiers),
    )
