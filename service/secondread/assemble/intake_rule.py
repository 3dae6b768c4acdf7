"""The intake rule: whether a study is read, kept as a prior, or left alone."""

from dataclasses import dataclass
from datetime import date

from secondread.reasons import Reason
from secondread.settings import IntakeMode, PeerSettings, TreatmentScope


@dataclass(frozen=True, slots=True)
class IntakeDecision:
    """What the rule says of a study."""

    read: bool
    reason: Reason | None
    """Why it is not read; None when it is."""


READ = IntakeDecision(read=True, reason=None)


def decide_intake(
    peer: PeerSettings, study_date: date | None, today: date, *, treated: bool | None
) -> IntakeDecision:
    """Decide by the peer's settings, the study's age and the patient's treatment status.

    Parameters
    ----------
    peer
        Settings of the peer that sent the study.
    study_date
        Study Date; a study without one is taken as new, so that it is never missed.
    today
        The present day.
    treated
        Whether the patient is known to have been treated; None where nothing is known.
    """
    if peer.intake is IntakeMode.IGNORE:
        return IntakeDecision(read=False, reason=Reason.IGNORED_BY_PEER)
    if peer.intake is IntakeMode.PRIOR_ONLY:
        return IntakeDecision(read=False, reason=Reason.PRIOR_ONLY_BY_PEER)
    limit = peer.maximum_age_days
    if limit is not None and study_date is not None and (today - study_date).days > limit:
        return IntakeDecision(read=False, reason=Reason.PRIOR_ONLY_BY_AGE)
    return READ if _treatment_fits(peer.treatment, treated) else _NOT_TREATED


_NOT_TREATED = IntakeDecision(read=False, reason=Reason.NOT_TREATED)


def _treatment_fits(scope: TreatmentScope, treated: bool | None) -> bool:
    match scope:
        case TreatmentScope.ALL:
            return True
        case TreatmentScope.TREATED:
            return treated is True
        case TreatmentScope.UNKNOWN_OR_TREATED:
            return treated is not False
