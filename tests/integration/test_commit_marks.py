"""A mark changes with each commit of whichever connection, and with nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secondread.track.commit_marks import CommitMarks
from secondread.track.database import insert_if_new
from secondread.track.migrate import upgrade_database
from secondread.track.tables import InstallationRow
from secondread.track.tracker import Tracker

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture
def tracker(empty_url: str, tmp_path: Path) -> Iterator[Tracker]:
    upgrade_database(empty_url)
    tracker = Tracker(empty_url, tmp_path)
    yield tracker
    tracker.close()


@pytest.fixture
def marks(tracker: Tracker) -> Iterator[CommitMarks]:
    marks = CommitMarks(tracker.database.url, fresh_seconds=0)
    yield marks
    marks.close()


def test_a_mark_changes_with_each_commit_and_with_nothing_else(
    tracker: Tracker, marks: CommitMarks
) -> None:
    questions: list[Callable[[], object]] = [
        tracker.ping,
        lambda: tracker.studies.has_due(NOW),
        lambda: tracker.studies.find_next_due(NOW),
        lambda: tracker.alarms.clear_alarm("kind", "nothing", NOW),
        lambda: tracker.deliveries.claim_batch("pacs", "worker-0", NOW, 60.0),
    ]
    changes: list[Callable[[], object]] = [
        tracker.get_installation_id,
        lambda: tracker.alarms.raise_alarm("kind", "subject", "words", NOW),
        lambda: tracker.alarms.clear_alarm("kind", "subject", NOW),
    ]
    for ask in questions:
        before = marks.read()
        ask()
        assert marks.read() == before
    for change in changes:
        before = marks.read()
        change()
        assert marks.read() != before


def test_a_mark_changes_when_a_transaction_commits_and_not_before(
    tracker: Tracker, marks: CommitMarks
) -> None:
    with tracker.database.begin_write() as session:
        insert_if_new(session, InstallationRow, {"id": 1, "uid": "0" * 32})
        before = marks.read()
        assert marks.read() == before

    assert marks.read() != before


def test_a_connection_that_was_closed_is_made_again(marks: CommitMarks) -> None:
    marks.read()
    marks.close()

    assert marks.read() == marks.read()
