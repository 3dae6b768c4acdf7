"""The engine of a worker knows every version of a workflow that `workflow.order` names."""

import re
from typing import cast

import pytest

from secondread.app import work
from secondread.settings import Settings
from secondread.workflow import order
from secondread.workflow.steps import ReadingSteps


def test_a_worker_can_run_every_version_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []

    def note_workflows(url: str, name: str, workflows: dict[str, object]) -> None:
        registered.extend(workflows)

    monkeypatch.setattr(work, "Engine", note_workflows)
    work._make_engine(Settings(), "w0", cast(ReadingSteps, None))

    names = [value for value in vars(order).values() if isinstance(value, str)]
    assert registered
    assert sorted(registered) == sorted(n for n in names if re.fullmatch(r"[a-z]+\.v\d+", n))
