"""Every alarm is in the rules and the runbook; what rules and dashboard ask for is in the code."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "service" / "secondread"
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "secondread.json"
RUNBOOK = ROOT / "service" / "docs" / "runbook.md"

_RAISING = frozenset({"raise_alarm", "raise_alarm_in", "OverdueAlarm"})
"""Functions and classes whose first argument is a kind of alarm."""

_KIND = re.compile(r"[a-z]+(?:-[a-z]+)+")


def find_constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that a module gives names to."""
    found: dict[str, str] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found |= {target.id: value.value for target in targets if isinstance(target, ast.Name)}
    return found


def find_raised(tree: ast.Module) -> set[str]:
    """Return the names, or the texts, that alarms are raised under."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name not in _RAISING:
            continue
        for argument in node.args[:2]:  # of raise_alarm_in the first is the session
            if isinstance(argument, ast.Name):
                found.add(argument.id)
            elif isinstance(argument, ast.Constant) and _KIND.fullmatch(str(argument.value)):
                found.add(str(argument.value))
    return found


@cache
def list_kinds() -> frozenset[str]:
    """Return the kinds of alarm in the code."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    constants: dict[str, set[str]] = {}
    for tree in trees:
        for name, text in find_constants(tree).items():
            constants.setdefault(name, set()).add(text)
    named = set().union(*(find_raised(tree) for tree in trees))
    named |= {name for name in constants if "ALARM" in name}
    texts = set().union(*(constants.get(name, {name}) for name in named))
    return frozenset(text for text in texts if _KIND.fullmatch(text))


def list_ruled(operator: str) -> list[str]:
    """Return the kinds that rules ask for with `=~` or `!~`."""
    texts = re.findall(rf'kind{operator}"([^"]+)"', RULES.read_text())
    return [kind for text in texts for kind in text.split("|")]


def test_the_search_finds_kinds_of_every_way_to_raise_one() -> None:
    some = {"study-stuck", "delivery-overdue", "certificate-expires", "audit-events-lost"}
    assert some | {"disk-full", "reading-held-up", "prior-source-failing"} <= list_kinds()


def test_every_alarm_has_its_rule_and_no_rule_asks_for_another() -> None:
    assert sorted(list_ruled("=~")) == sorted(list_kinds())
    assert sorted(list_ruled("!~")) == sorted(list_kinds())


def test_the_runbook_says_of_every_alarm_what_to_do() -> None:
    text = RUNBOOK.read_text()
    assert [kind for kind in sorted(list_kinds()) if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("file", [RULES, DASHBOARD])
def test_every_metric_of_the_rules_and_the_dashboard_is_there(file: Path) -> None:
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    asked = set(re.findall(r"\bsecondread_[a-z_]+", file.read_text()))
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert len(names) > 4
    # Gauges have their names without the prefix in the code.
    short = {name: name.removeprefix("secondread_") for name in names}
    assert [n for n in names if f'"{n}"' not in code and f'"{short[n]}"' not in code] == []


@pytest.mark.peer("promtool")
def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    result = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "SUCCESS: 8 rules found" in result.stdout
