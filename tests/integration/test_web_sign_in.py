"""How the first person gets in: the file of the first start, links and tokens by command."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from secondread.app.node import Node, open_node
from secondread.app.sign_in import TOKEN_FILE, prepare_first_token, warn_of_exposure
from secondread.cli.commands import app
from secondread.clock import utc_now
from secondread.settings import NodeSettings, Role, Settings, WebSettings
from secondread.track.access import FIRST_TOKEN, KnownCaller


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return open_node(Settings(node=NodeSettings(data_dir=tmp_path / "node")))


def run(tmp_path: Path, *arguments: str) -> Result:
    (tmp_path / "secondread.toml").write_text('[node]\ndata_dir = "node"\n')
    settings = ("--settings", str(tmp_path / "secondread.toml"))
    return CliRunner().invoke(app, ["web", *arguments, *settings], env={"COLUMNS": "200"})


def test_the_first_start_leaves_a_token_for_its_own_user_and_logs_the_file_alone(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    file = node.settings.node.data_dir / TOKEN_FILE

    prepare_first_token(node, utc_now())
    first = file.read_text()
    prepare_first_token(node, utc_now())

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == first
    token = first.strip()
    assert node.tracker.access.find_token(token) == KnownCaller(FIRST_TOKEN, Role.ADMIN, 1)
    said = json.dumps(capsys.readouterr())
    assert "web_first_token_made" in said
    assert str(file) in said
    assert token not in said


def test_a_first_start_that_cannot_write_leaves_no_token_that_nobody_has(
    node: Node, tmp_path: Path
) -> None:
    file = node.settings.node.data_dir / TOKEN_FILE
    file.mkdir()  # a file cannot take the place of a folder

    with pytest.raises(OSError, match=TOKEN_FILE):
        prepare_first_token(node, utc_now())

    assert node.tracker.access.list_tokens() == []
    assert not list(file.parent.glob("*.part"))
    file.rmdir()
    prepare_first_token(node, utc_now())
    assert node.tracker.access.find_token(file.read_text().strip()) is not None


def test_a_token_is_printed_once_listed_without_its_secret_and_revoked(
    node: Node, tmp_path: Path
) -> None:
    made = run(tmp_path, "token", "make", "wall", "--role", "act")
    token = made.stdout.split()[-1]
    known = node.tracker.access.find_token(token)
    assert known is not None
    assert (known.name, known.role) == ("wall", Role.ACT)

    listed = run(tmp_path, "token", "list").output
    assert "wall" in listed
    assert token not in listed

    assert run(tmp_path, "token", "revoke", "wall").exit_code == 0
    assert node.tracker.access.find_token(token) is None
    assert run(tmp_path, "token", "make", "wall").exit_code != 0


def test_revoking_the_first_token_removes_its_file(node: Node, tmp_path: Path) -> None:
    prepare_first_token(node, utc_now())
    assert run(tmp_path, "token", "revoke", FIRST_TOKEN).exit_code == 0
    assert not (node.settings.node.data_dir / TOKEN_FILE).exists()


def test_the_command_prints_a_link_that_signs_in(node: Node, tmp_path: Path) -> None:
    printed = run(tmp_path, "login", "--role", "look").stdout
    link = re.search(r"http://127\.0\.0\.1:8042/login/([\w-]{22})\n", printed)
    assert link is not None
    known = node.tracker.access.take_link(link[1], utc_now())
    assert known is not None
    assert known.role is Role.LOOK


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_the_start_warns_of_pages_that_cross_the_network_as_plain_text(
    capsys: pytest.CaptureFixture[str], host: str, warns: bool
) -> None:
    warn_of_exposure(WebSettings(host=host))
    assert ("web_without_tls" in json.dumps(capsys.readouterr())) is warns
