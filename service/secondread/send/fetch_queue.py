"""What archives are asked for when priors are fetched: the values, and the queue they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from secondread.assemble.identity import ClaimedIdentity, judge_identities
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import IdentityMatch
from secondread.followup.priors import EarlierStudy
from secondread.reasons import Reason


class FetchKind(StrEnum):
    """What an archive is asked for."""

    QUERY = "query"
    """Which studies of the patient it has (C-FIND)."""
    RETRIEVE = "retrieve"
    """One of them (C-MOVE or C-GET)."""


@dataclass(frozen=True, slots=True)
class StatedIdentity:
    """What is known of whose a study's images are, to hold an archive's answers against."""

    claims: tuple[ClaimedIdentity, ...] = ()
    shared_ids: frozenset[PatientKey] = frozenset()
    confirmed: frozenset[ClaimedIdentity] = frozenset()

    def is_doubtful(self, other: ClaimedIdentity) -> bool:
        """Whether it is in doubt that another study is the same woman's."""
        match = judge_identities(self.claims, [other], self.shared_ids, self.confirmed)
        return match is IdentityMatch.IN_DOUBT


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One request to one archive, claimed by one worker."""

    id: int
    claim: str
    """Names this claim: it shows whether an answer came only after the lease ran out."""
    kind: FetchKind
    study_uid: str
    """The study that is to be compared."""
    study_date: date
    views: frozenset[tuple[str, str]]
    """Side letter and view name of its images."""
    patient: PatientKey
    prior_study_uid: str
    """The study that is wanted; empty for a query."""
    series: tuple[str, ...]
    """The series that are wanted of it; empty: all."""
    held_studies: tuple[EarlierStudy, ...]
    """For a query: the patient's earlier studies that the node holds or has asked for."""
    attempt: int
    """Number of this attempt, from 1."""
    identity: StatedIdentity = StatedIdentity()
    """Whose the study's images are, by what they state."""


@dataclass(frozen=True, slots=True)
class OfferedStudy:
    """A study that an archive offers, and that may be a prior."""

    study: EarlierStudy
    series: tuple[str, ...] = ()
    """The series with images in the detector's scope; empty where they are not known."""
    is_doubtful: bool = False
    """Whether it may be another woman's: it is told, and not fetched."""


@dataclass(frozen=True, slots=True)
class FetchFault:
    """Why a request failed, this time."""

    reason: Reason
    detail: str
    """For people, in our own words: nothing that the peer wrote is in it."""
    refused: bool
    """Whether the archive refused, so that asking again soon is of no use."""


class FetchQueue(Protocol):
    """What archives are to be asked for; `track.fetch_requests` has it in SQL."""

    def claim_request(
        self, source: str, worker: str, now: datetime, lease_seconds: float
    ) -> FetchRequest | None:
        """Take the next request to a source that is due; None when there is none."""

    def record_answer(
        self, request: FetchRequest, wanted: Sequence[OfferedStudy], now: datetime
    ) -> None:
        """Record the answer to a query: what is to be fetched, if anything."""

    def record_retrieved(
        self, request: FetchRequest, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that an archive reports that it sent what was asked for.

        Where nothing came all the same, it is due again.
        """

    def give_back(self, request: FetchRequest) -> None:
        """Leave a request for later as if it had not been claimed: the node stops."""

    def record_failed(
        self, request: FetchRequest, fault: FetchFault, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a request failed, and when it is due again."""
