"""Which of the given studies are read, and what each is compared with."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from secondread.assemble.identity import (
    ClaimedIdentity,
    explain_identity_match,
    find_shared_ids,
    judge_identities,
)
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import IdentityMatch
from secondread.errors import SettingsError
from secondread.followup.priors import EarlierStudy, choose_priors
from secondread.offline.input_files import InputFiles
from secondread.reasons import Reason


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """Which of the given studies are current, and which are their priors."""

    current: tuple[str, ...]
    priors: Mapping[str, tuple[EarlierStudy, ...]]
    """Of each current study, the latest first."""
    doubtful: Mapping[str, tuple[EarlierStudy, ...]] = field(default_factory=dict)
    """What would be a prior of a study if it were sure that it is the same woman's."""
    identity: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    """What is to be told of whose images a study's are."""
    shared_ids: frozenset[PatientKey] = frozenset()
    """The IDs under which the files name several people."""


def plan_reading(inputs: InputFiles, prior_uids: Iterable[str] = ()) -> ReadingPlan:
    """Choose as current every study that is nobody's prior, unless priors are named.

    Parameters
    ----------
    inputs
        What was given.
    prior_uids
        Study Instance UIDs that are priors by request; all others of the same patients are then
        current. Whose they are is not doubted.

    Raises
    ------
    SettingsError
        A study named as prior is not among the files.
    """
    named = frozenset(prior_uids)
    if unknown := sorted(named - set(inputs.studies)):
        raise SettingsError(f"--prior: no file given is of study {', '.join(unknown)}")
    identities = {uid: inputs.collect_identities(uid) for uid in inputs.studies}
    shared_ids = find_shared_ids(identities.values())
    planner = _Planner(inputs, named, identities, shared_ids)
    for studies in _group_by_patient(inputs):
        planner.plan_patient(studies)
    return planner.finish()


def _group_by_patient(inputs: InputFiles) -> list[list[EarlierStudy]]:
    by_patient: dict[PatientKey | str, list[EarlierStudy]] = defaultdict(list)
    for study_uid in inputs.studies:
        patient = inputs.get_any(study_uid).patient
        # Without an ID, a study cannot be matched to any other.
        key = patient if patient.patient_id else study_uid
        by_patient[key].append(inputs.describe_study(study_uid))
    return list(by_patient.values())


@dataclass(frozen=True, slots=True)
class _Planner:
    """Makes the plan, patient by patient."""

    inputs: InputFiles
    named: frozenset[str]
    identities: Mapping[str, Sequence[ClaimedIdentity]]
    shared_ids: frozenset[PatientKey]
    priors: dict[str, tuple[EarlierStudy, ...]] = field(default_factory=dict)
    doubtful: dict[str, tuple[EarlierStudy, ...]] = field(default_factory=dict)
    identity: dict[str, tuple[Reason, ...]] = field(default_factory=dict)

    def plan_patient(self, studies: Sequence[EarlierStudy]) -> None:
        """Add the studies that have one patient ID."""
        chosen = {study.study_uid: self._choose(study, studies) for study in studies}
        used = {prior.study_uid for trusted, _ in chosen.values() for prior in trusted}
        by_request = {study.study_uid for study in studies} & self.named
        for study in studies:
            uid = study.study_uid
            trusted, doubtful = chosen[uid]
            self.doubtful[uid] = doubtful
            self.identity[uid] = self._explain(uid, trusted, doubtful)
            if uid not in (by_request or used):
                self.priors[uid] = trusted

    def _choose(
        self, study: EarlierStudy, studies: Sequence[EarlierStudy]
    ) -> tuple[tuple[EarlierStudy, ...], tuple[EarlierStudy, ...]]:
        """Return a study's priors, and those that would be if their identity were sure."""
        views = study.views or frozenset()
        others = [other for other in studies if other is not study]
        doubted = [
            other
            for other in others
            if other.study_uid not in self.named and self._is_doubted(study, other)
        ]
        trusted = [other for other in others if other not in doubted]
        return (
            choose_priors(study.study_date, views, trusted),
            choose_priors(study.study_date, views, doubted),
        )

    def _is_doubted(self, study: EarlierStudy, other: EarlierStudy) -> bool:
        return self._judge(study.study_uid, other.study_uid) is IdentityMatch.IN_DOUBT

    def _judge(self, study_uid: str, other_uid: str) -> IdentityMatch:
        identities = self.identities[study_uid], self.identities[other_uid]
        return judge_identities(*identities, self.shared_ids)

    def _explain(
        self, study_uid: str, trusted: Sequence[EarlierStudy], doubtful: Sequence[EarlierStudy]
    ) -> tuple[Reason, ...]:
        is_shared = any(
            identity.patient in self.shared_ids for identity in self.identities[study_uid]
        )
        judged = [
            explain_identity_match(self._judge(study_uid, prior.study_uid)) for prior in trusted
        ]
        reasons = [
            *([Reason.IDENTITY_IN_DOUBT] if doubtful or is_shared else []),
            *(reason for reason in judged if reason is not None),
            *self.inputs.completed.get(study_uid, ()),
        ]
        return tuple(dict.fromkeys(reasons))

    def finish(self) -> ReadingPlan:
        """Return the plan."""
        return ReadingPlan(
            tuple(self.priors),
            self.priors,
            self.doubtful,
            self.identity,
            self.shared_ids,
        )
