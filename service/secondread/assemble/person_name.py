"""Person names as sites really write them, and how much of two of them is the same.

The same name comes with and without accents, in capitals, with its parts in another order, joined,
shortened, with a letter wrong, and in several scripts. Names are compared word by word within one
script; what stands in the place of a name (ANONYMOUS) is none.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class NameMatch(Enum):
    """How much of two names is the same."""

    YES = auto()
    """All of one that the other has as well."""
    GIVEN_NAME = auto()
    """The given names, and not the surnames."""
    IN_PART = auto()
    """Something of them, not told here what."""
    UNKNOWN = auto()
    """They cannot be compared: one is none, or they are in different scripts."""
    NO = auto()
    """Nothing."""


_BEST_FIRST = (NameMatch.YES, NameMatch.GIVEN_NAME, NameMatch.IN_PART, NameMatch.NO)


def names_somebody(name: str) -> bool:
    """Whether a name is more than what stands where a name was."""
    return bool(_parse_name(name))


@dataclass(frozen=True, slots=True)
class _WrittenName:
    """A name in one script, in words without accents and case."""

    family: tuple[str, ...]
    given: tuple[str, ...]
    """Empty where the name does not tell surname from given name."""

    @property
    def words(self) -> tuple[str, ...]:
        return self.family + self.given

    @property
    def numbers(self) -> frozenset[str]:
        """Words with digits: those of pseudonyms, as 17 in ``Subject^17``."""
        return frozenset(word for word in self.words if not word.isalpha())

    @property
    def is_divided(self) -> bool:
        return bool(self.family and self.given)


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PLACEHOLDERS = _split(
    """
    anonymous anonym anonyme anonimo anonima anonymized anonymised anonymisiert
    anonimizado anonymise anonymisee anon deidentified deident deid identified de unknown
    unbekannt inconnu inconnue desconocido desconocida sconosciuto noname no name nn none null
    na not available patient patientin paciente removed redacted withheld hidden test person
    subject first last given family surname female woman id
    """
)
"""Words that stand where a name was, or was never known."""
_TITLES = _split("dr med prof mrs ms miss mr frau herr fru mme madame mlle sra sig")
_BIRTH_NAME_WORDS = _split("nee ne geb geborene geboren born fd")
_PARTICLES = _split(
    """
    van der den de la le von zu zum zur vom ter ten di da do dos das del della el al bin bint
    """
)
_UNREADABLE = re.compile("[\x80-\x9f\ufffd]")
"""Control characters and replacements: the text was decoded by another character set than its."""
_LATIN = "LATIN"
_SPELLINGS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "œ": "oe"})


@lru_cache(maxsize=4096)
def _parse_name(name: str) -> dict[str, tuple[_WrittenName, ...]]:
    """Return names by script; empty where they name nobody."""
    written: dict[str, tuple[_WrittenName, ...]] = {}
    for group in (group for line in name.splitlines() for group in line.split("=")[:3]):
        if _UNREADABLE.search(group):
            continue
        parsed = _parse_group(group)
        if parsed.words:
            script = _find_script(parsed.words)
            written[script] = (*written.get(script, ()), parsed)
    return written


def _parse_group(group: str) -> _WrittenName:
    components = group.split("^")
    if len(components) == 1:
        components = group.split(",", 1)
    family = _split_words(components[0])
    given = _split_words(" ".join(components[1:3]))
    informative = set(family + given) - _PLACEHOLDERS
    return _WrittenName(
        tuple(word for word in family if word in informative),
        tuple(word for word in given if word in informative),
    )


def _split_words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_SPELLINGS))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = [_spell(word) for word in re.split(r"[\W_]+", letters) if word]
    words = [word for word in words if word not in _TITLES | _BIRTH_NAME_WORDS]
    words = [word for word in words if len(word) == 1 or len(set(word)) > 1]  # as XXXX
    return tuple(word for word in words if word not in _PARTICLES) or tuple(words)


def _spell(word: str) -> str:
    """Return a word in one spelling: umlauts as their base letters, katakana as hiragana."""
    for vowel in "aou":
        word = word.replace(f"{vowel}e", vowel)
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in word)


def _find_script(words: Collection[str]) -> str:
    """Return the script of the first letter that is not of the Latin one, if there is any."""
    for letter in "".join(words):
        if not letter.isascii():
            return unicodedata.name(letter, "?").split()[0].split("-")[0]
    return _LATIN


def compare_names(a: str, b: str) -> NameMatch:
    """Return the best match of two names in a script that both are written in.

    >>> compare_names("M\u00fcller^Anna", "ANNA MUELLER").name
    'YES'
    """
    first, second = _parse_name(a), _parse_name(b)
    matches = {
        _compare_written(written, other)
        for script in first.keys() & second.keys()
        for written in first[script]
        for other in second[script]
    }
    return next((match for match in _BEST_FIRST if match in matches), NameMatch.UNKNOWN)


def _compare_written(a: _WrittenName, b: _WrittenName) -> NameMatch:
    if a.numbers and b.numbers and not a.numbers & b.numbers:
        return NameMatch.NO
    if _is_covered(a, b) or _is_covered(b, a) or _are_joined_alike(a, b):
        return NameMatch.YES
    surname = _share(a.family, b.family)
    given = _share_first(a.given, b.given) or _share_first(b.given, a.given)
    if (surname and given) or (_share(a.family, b.given) and _share(a.given, b.family)):
        return NameMatch.YES
    if given and a.is_divided and b.is_divided:
        return NameMatch.GIVEN_NAME
    return NameMatch.IN_PART if _share(a.words, b.words) else NameMatch.NO


def _is_covered(a: _WrittenName, b: _WrittenName) -> bool:
    """Whether all of one name is found in another, in whatever order sites write them."""
    surname = all(_share((word,), b.words) for word in a.family)
    return surname and all(_share((word,), b.words, loosely=True) for word in a.given)


def _are_joined_alike(a: _WrittenName, b: _WrittenName) -> bool:
    """Whether names differ in spaces alone, as ``VAN DYKE`` and ``VANDYKE``."""
    joined = {"".join(b.family + b.given), "".join(b.given + b.family)}
    return "".join(a.words) in joined


def _share_first(a: Sequence[str], b: Collection[str]) -> bool:
    """Whether the first of some given names is among others."""
    return _share(a[:1], b, loosely=True)


def _share(a: Iterable[str], b: Collection[str], *, loosely: bool = False) -> bool:
    return any(_is_same_word(word, other, loosely=loosely) for word in a for other in b)


def _is_same_word(a: str, b: str, *, loosely: bool) -> bool:
    """Whether two words are one; loosely, also by an initial or a short form."""
    if a == b:
        return True
    if not (a + b).isalpha():
        return False  # of numbers and pseudonyms, every character counts
    short, long = sorted((a, b), key=len)
    if loosely and (len(short) == 1 or len(short) >= 3) and long.startswith(short):
        return True
    return len(short) >= 5 and _differ_by_one_letter(short, long)


def _differ_by_one_letter(short: str, long: str) -> bool:
    """Whether two words differ by one letter: another, a missing one, or two in wrong order."""
    start = next(
        (i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short)
    )
    rest_a, rest_b = short[start:], long[start:]
    if len(short) < len(long):
        return len(long) - len(short) == 1 and rest_a == rest_b[1:]
    swapped = rest_a[1:2] + rest_a[:1] + rest_a[2:]
    return rest_a[1:] == rest_b[1:] or swapped == rest_b
