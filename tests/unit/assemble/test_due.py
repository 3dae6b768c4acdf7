from datetime import UTC, datetime, timedelta

from secondread.assemble.due import DueRules, DueTimes
from secondread.assemble.viewset import SLOTS, StudyViews
from secondread.settings import AssembleSettings

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
RULES = DueRules.from_settings(
    AssembleSettings(settle_seconds=20, quiet_seconds=120, late_window_days=7)
)


def test_a_study_with_its_expected_views_is_due_after_the_settle_time() -> None:
    times = RULES.find_due_times(StudyViews(SLOTS, [], ()), NOW)

    assert times == DueTimes(NOW + timedelta(seconds=120), NOW + timedelta(seconds=20))


def test_a_study_that_lacks_a_view_is_due_after_the_quiet_time_only() -> None:
    times = RULES.find_due_times(StudyViews([("R", "CC")], [], ()), NOW)

    assert times == DueTimes(NOW + timedelta(seconds=120), None)


def test_what_changes_after_the_report_waits_the_settle_time_for_more() -> None:
    assert RULES.find_revision_time(NOW) == NOW + timedelta(seconds=20)


def test_a_report_is_recent_up_to_the_end_of_the_late_window() -> None:
    assert RULES.is_recent(NOW - timedelta(days=7), NOW)
    assert not RULES.is_recent(NOW - timedelta(days=7, seconds=1), NOW)
    assert not RULES.is_recent(None, NOW)


def test_the_rules_without_settings_are_those_of_the_default_settings() -> None:
    assert DueRules() == DueRules.from_settings(AssembleSettings())
