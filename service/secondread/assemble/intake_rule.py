"""The intake rule: which studies are read, and which are held back and kept as priors."""

from datetime import date

from secondread.reasons import Reason
from secondread.settings import IntakeMode, PeerSettings, TreatmentScope


def find_hold_reason(
    peer: PeerSettings, study_date: date | None, today: date, *, treated: bool | None
) -> Reason | None:
    """Return why a study is held back by the rule, or None if it is read.

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
        return Reason.IGNORED_BY_PEER
    if peer.intake is IntakeMode.PRIOR_ONLY:
        return Reason.PRIOR_ONLY_BY_PEER
    limit = peer.maximum_age_days
    if limit is not None and study_date is not None and (today - study_date).days > limit:
        return Reason.PRIOR_ONLY_BY_AGE
    is_in_scope = {
        TreatmentScope.ALL: True,
        TreatmentScope.TREATED: treated is True,
        TreatmentScope.UNKNOWN_OR_TREATED: treated is not False,
    }[peer.treatment]
    return None if is_in_scope else Reason.NOT_TREATED
