"""Whose images are: one woman's, another's, or in doubt.

The tracker, the offline command, the query for priors and the reading itself all judge by
`judge_identities`, over what the headers say: the Patient ID, its issuer, and the person.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import (
    IdentityMatch,
    Person,
    are_different_people,
    compare_persons,
    complete_persons,
)
from secondread.assemble.person_name import names_somebody
from secondread.reasons import Reason

if TYPE_CHECKING:  # who judges by rows of the tracker reads no header
    from secondread.assemble.mammogram import Mammogram


@dataclass(frozen=True, slots=True)
class ClaimedIdentity:
    """What a header says about whose its image is."""

    patient: PatientKey
    """As it stands in the header, whatever IDs were merged since."""
    person: Person


def collect_identities(mammograms: "Iterable[Mammogram]") -> tuple[ClaimedIdentity, ...]:
    """Return the identities that the images of one study claim together.

    What one image leaves out, its study's others say. Images without a Patient ID claim nothing.
    """
    persons: dict[PatientKey, list[Person]] = {}
    for mammogram in mammograms:
        if mammogram.patient.patient_id:
            persons.setdefault(mammogram.patient, []).append(mammogram.person)
    return tuple(
        ClaimedIdentity(patient, person)
        for patient, claimed in persons.items()
        for person in complete_persons(claimed)
    )


def judge_identities(
    a: Collection[ClaimedIdentity],
    b: Collection[ClaimedIdentity],
    shared_ids: Collection[PatientKey] = (),
    confirmed: Collection[ClaimedIdentity] = (),
) -> IdentityMatch:
    """Judge whether two studies of one patient are of one woman.

    Parameters
    ----------
    a, b
        What the images of each study claim.
    shared_ids
        The IDs under which several people are known, as `find_shared_ids` gives them.
    confirmed
        Identities of which a person has confirmed that they are the patient's.

    Returns
    -------
    IdentityMatch
        The best of all pairs with one ID. Where the studies have none in common, a person made
        two IDs one patient, and that decides.
    """
    sure = frozenset(confirmed)
    pairs = [(first, other) for first in a for other in b if first.patient == other.patient]
    judged = [
        IdentityMatch.SAME
        if first in sure and other in sure
        else compare_persons(
            first.person,
            other.person,
            # ANONYMOUS, as an ID, is everybody's.
            is_id_shared=first.patient in shared_ids
            or not names_somebody(first.patient.patient_id),
        )
        for first, other in pairs
    ]
    return min(judged, key=lambda match: match.value, default=IdentityMatch.SAME)


def find_shared_ids(
    studies: Iterable[Collection[ClaimedIdentity]], confirmed: Collection[ClaimedIdentity] = ()
) -> frozenset[PatientKey]:
    """Return the IDs under which studies contradict each other about whose they are.

    Parameters
    ----------
    studies
        What the images of each study claim.
    confirmed
        Identities that a person has confirmed; they contradict none of each other.
    """
    sure = frozenset(confirmed)
    persons: dict[PatientKey, dict[ClaimedIdentity, None]] = {}
    for study in studies:
        for identity in study:
            persons.setdefault(identity.patient, {})[identity] = None
    return frozenset(
        patient
        for patient, identities in persons.items()
        if any(
            not (a in sure and b in sure)
            and compare_persons(a.person, b.person) is IdentityMatch.IN_DOUBT
            for a, b in combinations(identities, 2)
        )
    )


_REMARKS = {
    IdentityMatch.SURNAME_DIFFERS: Reason.SURNAME_DIFFERS,
    IdentityMatch.NAME_DIFFERS: Reason.NAME_DIFFERS,
    IdentityMatch.IN_DOUBT: Reason.IDENTITY_IN_DOUBT,
}


def explain_identity_match(match: IdentityMatch) -> Reason | None:
    """Return what is to be told of how two studies go together; None where they agree."""
    return _REMARKS.get(match)


def has_several_patients(
    mammograms: "Iterable[Mammogram | ClaimedIdentity]",
    canonical: Mapping[PatientKey, PatientKey] | None = None,
    confirmed: Collection[ClaimedIdentity] = (),
) -> bool:
    """Whether the images of one study are of more than one patient.

    Two IDs are two patients, and so are two issuers. Where only some images have an ID, or name
    its issuer, the others are taken to lack it. Under one ID, birth dates that contradict are two
    patients as well.

    Parameters
    ----------
    mammograms
        With the IDs that they came with.
    canonical
        What IDs were merged into by a person, as far as they were.
    confirmed
        Identities of which a person has confirmed that they are the patient's.
    """
    images = list(mammograms)
    return names_several_ids(images, canonical) or any(
        are_different_people(a.person, b.person)
        for a, b in combinations(_list_claims(images), 2)
        if _may_contradict(a, b) and not (a in confirmed and b in confirmed)
    )


def _list_claims(images: "Iterable[Mammogram | ClaimedIdentity]") -> list[ClaimedIdentity]:
    claims = (ClaimedIdentity(image.patient, image.person) for image in images)
    return list(dict.fromkeys(claims))


def _may_contradict(a: ClaimedIdentity, b: ClaimedIdentity) -> bool:
    """Whether two images have one ID, as far as they have any; other IDs a person has merged."""
    ids = {claim.patient.patient_id for claim in (a, b) if claim.patient.patient_id}
    return len(ids) <= 1


def names_several_ids(
    mammograms: "Iterable[Mammogram | ClaimedIdentity]",
    canonical: Mapping[PatientKey, PatientKey] | None = None,
) -> bool:
    """Whether images have more than one Patient ID, or issuer of it, as far as they have any."""
    keys = {image.patient for image in mammograms}
    patients = [(canonical or {}).get(key, key) for key in keys]
    ids = {patient.patient_id for patient in patients if patient.patient_id}
    issuers = {patient.issuer for patient in patients if patient.issuer}
    return len(ids) > 1 or len(issuers) > 1
