"""Whose study it is, where its images name several patients.

A study is read from the images of its patient, and those of others are set aside: a stray image
must not cost the reading. Its patient is the one that most of its images name: one exposure made
before the patient was changed at the unit is one image among many, whether it came first or last.
Where as many name another, it is the patient of the image that came first.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from secondread.assemble.identity import ClaimedIdentity, has_several_patients
from secondread.assemble.patient_key import PatientKey

_MOST_CANDIDATES = 20
"""How many patients are weighed: of a study with more, nobody knows whose it is."""


class PatientSplit(NamedTuple):
    """A study's images by whose they are, as positions in what was given."""

    patient: PatientKey | None
    """The study's patient, by an ID that an image has; None where none has any."""
    own: tuple[int, ...]
    others: tuple[int, ...]
    is_tie: bool
    """Whether as many images name another patient."""


def describe_set_aside(images: int) -> str:
    """Return what people are told of images of others.

    >>> describe_set_aside(1), describe_set_aside(2)
    ('1 image of another patient set aside', '2 images of another patient set aside')
    """
    return f"{images} {'image' if images == 1 else 'images'} of another patient set aside"


@dataclass(frozen=True, slots=True)
class PatientRules:
    """What people have decided about whose images are."""

    canonical: Mapping[PatientKey, PatientKey] = field(default_factory=dict)
    """What IDs were merged into, as far as they were."""
    confirmed: Collection[ClaimedIdentity] = ()
    """Identities that are the patient's, although they contradict each other."""

    def agree(self, a: ClaimedIdentity, b: ClaimedIdentity) -> bool:
        """Whether two images may be of one patient."""
        return a == b or not has_several_patients((a, b), self.canonical, self.confirmed)


NOTHING_DECIDED = PatientRules()


def split_by_patient(
    claims: Sequence[ClaimedIdentity],
    votes: Sequence[bool] | None = None,
    rules: PatientRules = NOTHING_DECIDED,
) -> PatientSplit:
    """Decide whose study it is, and which of its images are of others.

    Parameters
    ----------
    claims
        What each image states, in the order in which they came. What an image leaves out
        contradicts nothing.
    votes
        Whether each image counts in the decision; those of peers that merely added to the study
        do not, unless nothing else is there. None: all do.
    rules
        What people have decided.
    """
    if not claims:
        return PatientSplit(None, (), (), is_tie=False)
    voters = claims
    if votes is not None and any(votes):
        voters = [claim for claim, votes_here in zip(claims, votes, strict=True) if votes_here]
    chosen, is_tie = _choose(voters, rules)
    own, known = [], [chosen]
    for position, claim in enumerate(claims):
        if all(rules.agree(candidate, claim) for candidate in known[:_MOST_CANDIDATES]):
            own.append(position)
            known += [claim] if claim not in known[:_MOST_CANDIDATES] else []
    others = tuple(sorted(set(range(len(claims))) - set(own)))
    named = (claim.patient for claim in known if claim.patient.patient_id)
    return PatientSplit(next(named, None), tuple(own), others, is_tie=is_tie)


def _choose(voters: Sequence[ClaimedIdentity], rules: PatientRules) -> tuple[ClaimedIdentity, bool]:
    """Return what the study's patient is called, and whether as many images name another."""
    counts = Counter(voters)  # in the order in which they came
    named = [claim for claim in counts if claim.patient.patient_id] or list(counts)
    # The sort is stable: of equal numbers, those that came first stay first.
    candidates = sorted(named, key=lambda claim: -counts[claim])[:_MOST_CANDIDATES]
    support = {
        candidate: sum(number for claim, number in counts.items() if rules.agree(candidate, claim))
        for candidate in candidates
        if not _is_vague(candidate, candidates, rules)
    }
    most = max(support.values())
    best = [claim for claim in named if support.get(claim) == most]
    return best[0], not all(rules.agree(best[0], claim) for claim in best)


def _is_vague(
    claim: ClaimedIdentity, candidates: Sequence[ClaimedIdentity], rules: PatientRules
) -> bool:
    """Whether another candidate says more; what leaves much out agrees with several patients."""
    facts = _count_facts(claim)
    return any(
        _count_facts(candidate) > facts and rules.agree(claim, candidate)
        for candidate in candidates
    )


def _count_facts(claim: ClaimedIdentity) -> int:
    return bool(claim.patient.issuer) + bool(claim.person.born) + bool(claim.person.name)
