"""Who a header says that its image is of: name and birth date, as sites really write them.

A Patient ID is what archives match by, and it may be another woman's: typed wrongly, given twice,
or the one constant that an anonymiser writes for everybody. Name and birth date then tell. They
are compared leniently, for the same woman is written in many ways, and a contradiction has to be
one: what cannot be compared, as a name in another script, contradicts nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, auto

from secondread.assemble.birth_date import (
    BirthMatch,
    BirthRange,
    compare_births,
)
from secondread.assemble.person_name import NameMatch, compare_names


@dataclass(frozen=True, slots=True)
class Person:
    """What a header says of a person. Empty where it says nothing that tells people apart."""

    name: str = ""
    """Patient's Name (0010,0010), birth name and other names, decoded, in lines of their own;
    component groups are separated by ``=``."""
    born: BirthRange | None = None


UNKNOWN_PERSON = Person()


class IdentityMatch(Enum):
    """How what two headers say of a person goes together, the most alike first."""

    SAME = auto()
    """Nothing contradicts."""
    SURNAME_DIFFERS = auto()
    """The surname alone differs, as after a marriage; the birth date agrees."""
    NAME_DIFFERS = auto()
    """Another part of the name differs; the birth date agrees."""
    IN_DOUBT = auto()
    """It may be two people."""


def compare_persons(a: Person, b: Person, *, is_id_shared: bool = False) -> IdentityMatch:
    """Judge whether two headers under one Patient ID are of one person.

    Birth dates that contradict, and names that have nothing in common, are a doubt. A name that
    differs in part is believed to be one person's where the birth date agrees, and not without.

    Parameters
    ----------
    a, b
        What the headers say.
    is_id_shared
        Whether several people are known under this ID, so that it proves nothing: then birth date
        and name both have to agree.
    """
    births, names = compare_births(a.born, b.born), compare_names(a.name, b.name)
    if births is BirthMatch.NO or names is NameMatch.NO:
        return IdentityMatch.IN_DOUBT
    agrees = births is BirthMatch.YES
    if names in {NameMatch.GIVEN_NAME, NameMatch.IN_PART}:
        if not agrees or is_id_shared:
            return IdentityMatch.IN_DOUBT
        is_surname = names is NameMatch.GIVEN_NAME
        return IdentityMatch.SURNAME_DIFFERS if is_surname else IdentityMatch.NAME_DIFFERS
    if is_id_shared and not (agrees and names is NameMatch.YES):
        return IdentityMatch.IN_DOUBT
    return IdentityMatch.SAME


def are_different_people(a: Person, b: Person) -> bool:
    """Whether two images of one study contradict each other about whose they are.

    One study and one ID speak for one person. Against it counts a birth date that contradicts, or
    a name with nothing in common where no birth date agrees.
    """
    births = compare_births(a.born, b.born)
    is_other_name = compare_names(a.name, b.name) is NameMatch.NO
    return births is BirthMatch.NO or (is_other_name and births is not BirthMatch.YES)


def complete_persons(persons: Iterable[Person]) -> tuple[Person, ...]:
    """Return what the images of one study say together: each name with the surest birth date."""
    known = list(dict.fromkeys(persons))
    births = [person.born for person in known if person.born is not None]
    born = min(births, key=_rank_birth, default=None)
    names = list(dict.fromkeys(person.name for person in known if person.name)) or [""]
    return tuple(Person(name, born) for name in names)


def _rank_birth(born: BirthRange) -> tuple[bool, timedelta, date]:
    return not born.is_stated, born.latest - born.earliest, born.earliest
