"""What a hospital starts the node with: the service file, and the script that installs it."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

SERVICE = ROOT / "deploy" / "systemd" / "secondread.service"
INSTALL = ROOT / "deploy" / "install.sh"

MOST_EXPOSED = 3.0
"""Of 10, as `systemd-analyze security` reckons."""


@pytest.mark.peer("systemd-analyze")
def test_the_service_has_little_of_the_machine() -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", str(SERVICE)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(exposure) <= MOST_EXPOSED


def test_the_service_starts_what_the_script_installs() -> None:
    (started,) = re.findall(r"^ExecStart=(\S+)", SERVICE.read_text(), re.MULTILINE)
    (folder,) = re.findall(r"^folder=\$\{1:-(\S+)\}$", INSTALL.read_text(), re.MULTILINE)
    assert started == f"{folder}/current/bin/secondread"


def test_the_script_is_one() -> None:
    subprocess.run(["bash", "-n", str(INSTALL)], check=True)


def test_a_release_that_is_not_there_is_not_switched_to() -> None:
    said = subprocess.run(
        [str(INSTALL), "--switch", "9.9", "/nowhere"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 2
    assert "no release 9.9 in /nowhere" in said.stderr
