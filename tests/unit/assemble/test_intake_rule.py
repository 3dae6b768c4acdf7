from datetime import date

import pytest

from secondread.assemble.intake_rule import find_hold_reason
from secondread.reasons import Reason
from secondread.settings import PeerSettings

TODAY = date(2026, 6, 30)


def peer(**values: object) -> PeerSettings:
    return PeerSettings.model_validate({"ae_title": "MG1", **values})


@pytest.mark.parametrize(
    ("settings", "study_date", "treated", "reason"),
    [
        ({}, date(2026, 6, 30), None, None),
        ({}, date(2026, 5, 31), None, None),
        ({}, date(2026, 5, 30), None, Reason.PRIOR_ONLY_BY_AGE),
        ({"maximum_age_days": -1}, date(1999, 1, 1), None, None),
        ({}, None, None, None),
        ({"intake": "prior-only"}, date(2026, 6, 30), None, Reason.PRIOR_ONLY_BY_PEER),
        ({"intake": "ignore"}, date(2026, 6, 30), True, Reason.IGNORED_BY_PEER),
        ({"treatment": "treated"}, date(2026, 6, 30), None, Reason.NOT_TREATED),
        ({"treatment": "treated"}, date(2026, 6, 30), True, None),
        ({"treatment": "unknown-or-treated"}, date(2026, 6, 30), None, None),
        ({"treatment": "unknown-or-treated"}, date(2026, 6, 30), False, Reason.NOT_TREATED),
    ],
)
def test_the_rule(
    settings: dict[str, object],
    study_date: date | None,
    treated: bool | None,
    reason: Reason | None,
) -> None:
    assert find_hold_reason(peer(**settings), study_date, TODAY, treated=treated) is reason
