import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = [
    Requirement(text)
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]


def read_locked(name: str) -> dict[str, str]:
    """Versions by package of a hash-pinned requirement file."""
    text = (ROOT / "deploy/requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_what_is_locked_is_what_is_asked_for(requirement: Requirement) -> None:
    assert requirement.specifier.contains(read_locked("runtime.txt")[requirement.name])


@pytest.mark.parametrize(
    ("name", "version", "fault"),
    [
        ("starlette", "0.49.0", "quadratic time in Range headers"),
        ("jinja2", "3.1.5", "a way out of the sandbox"),
        ("h11", "0.14.0", "lenient chunk ends"),
    ],
)
def test_versions_with_known_faults_are_never_installed(
    name: str, version: str, fault: str
) -> None:
    (requirement,) = [requirement for requirement in REQUIREMENTS if requirement.name == name]
    assert not requirement.specifier.contains(version), fault
