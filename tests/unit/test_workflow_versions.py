"""The engine of a worker knows every version of a workflow that `workflow.order` names."""

import re
from typing import cast

import pytest

from secondread.app import work
from secondread.engine import ReportHoldUp
from secondread.settings import Settings
from secondread.workflow import order
from secondread.workflow.fenced_run import FencedRuns
from secondread.workflow.revision_reader import ReadingTools


def test_a_worker_can_run_every_version_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []

    def note_workflows(url: str, name: str, workflows: dict[str, object], **_: object) -> None:
        registered.extend(workflows)

    monkeypatch.setattr(work, "Engine", note_workflows)
    runs = FencedRuns(cast(ReadingTools, None), "w0")
    work._make_engine(Settings(), "w0", runs, cast(ReportHoldUp, None))

    names = [value for value in vars(order).values() if isinstance(value, str)]
    assert registered
    assert sorted(registered) == sorted(n for n in names if re.fullmatch(r"[a-z]+\.v\d+", n))
