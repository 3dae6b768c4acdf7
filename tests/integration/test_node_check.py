import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE
from typer.testing import CliRunner

from secondread.app.node_check import check_node
from secondread.certificates import find_earliest_expiry
from secondread.cli.commands import app
from secondread.detect.manifest import load_manifest
from secondread.send.find import check_query_support
from secondread.send.outbox import PeerCheck
from secondread.send.retrieve import check_move_destination
from secondread.settings import PriorSourceSettings, load_settings
from tests.peers.prior_peer import PriorPeer, serving
from tests.unit.accept.fakes import running_node
from tests.unit.detect.overlays import overlay
from tests.worlds.certificates import Authority, make_self_signed


def check(folder: Path, text: str, end: str = "") -> tuple[int, str]:
    settings = folder / "secondread.toml"
    settings.write_text(text + "\n[receive]\nhost = '127.0.0.1'\nport = 1\n" + end)
    result = CliRunner().invoke(app, ["check", "--settings", str(settings)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_a_new_node_that_does_not_run_yet_passes_with_hints_at_what_is_missing(
    tmp_path: Path,
) -> None:
    status, printed = check(tmp_path, "")

    assert status == 0, printed
    assert "secondread serve" in printed
    assert "add [[peers]]" in printed


def test_a_destination_that_does_not_answer_fails_with_its_name(tmp_path: Path) -> None:
    destination = (
        '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\n'
    )

    status, printed = check(tmp_path, destination)

    assert status == 1
    assert "FAILED" in printed
    assert "destination pacs" in printed


@pytest.mark.parametrize(
    ("setting", "failed", "words"),
    [
        ('[database]\nurl = "postgresql+psycopg://me@/x?host=/nowhere"\n', 2, "does not run, or"),
        ('[node]\ndata_dir = "secondread.toml"\n', 4, "is a file, and has to be a folder"),
    ],
)
def test_what_cannot_be_opened_fails_and_the_rest_is_checked_all_the_same(
    tmp_path: Path, setting: str, failed: int, words: str
) -> None:
    status, printed = check(tmp_path, setting)

    assert status == 1
    assert printed.count("FAILED") == failed, printed
    assert words in " ".join(printed.split())
    assert "operations page" in printed


def test_a_program_reads_the_checks_as_json(tmp_path: Path) -> None:
    (tmp_path / "secondread.toml").write_text("[receive]\nhost = '127.0.0.1'\nport = 1\n")
    arguments = ["check", "--json", "--settings", str(tmp_path / "secondread.toml")]
    checks = json.loads(CliRunner().invoke(app, arguments).stdout)["checks"]
    assert {row["result"] for row in checks} == {"ok", "note"}
    assert {"what": "durable engine's database", "result": "ok", "answer": "answers"} in checks


@contextmanager
def pacs(*classes: str, syntax: str = ExplicitVRLittleEndian) -> Iterator[str]:
    """Serve a PACS that accepts some classes; yield the lines of it as a destination."""
    entity = AE(ae_title="PACS")
    for sop_class in ("1.2.840.10008.1.1", *classes):
        entity.add_supported_context(sop_class, syntax)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    assert server.socket is not None
    port = server.socket.getsockname()[1]
    try:
        yield (
            '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\n'
            f"port = {port}\n"
        )
    finally:
        server.shutdown()


def test_a_destination_that_takes_implicit_vr_alone_passes_and_is_told_apart(
    tmp_path: Path,
) -> None:
    classes = (MammographyCADSRStorage, SecondaryCaptureImageStorage)
    with pacs(*classes, syntax=ImplicitVRLittleEndian) as destination:
        status, printed = check(tmp_path, destination)

    assert status == 0, printed
    words = " ".join(printed.split())
    assert "accepts Mammography CAD SR Storage and Secondary Capture Image Storage" in words
    assert "in Implicit VR Little Endian only, and is sent them converted" in words


def test_a_destination_that_cannot_take_what_its_profile_sends_fails(tmp_path: Path) -> None:
    with pacs(SecondaryCaptureImageStorage) as destination:
        status, printed = check(tmp_path, destination)

    assert status == 1
    words = " ".join(printed.split())
    assert "does not accept Mammography CAD SR Storage" in words
    assert "take cad-sr out of the profile's objects" in words


def test_an_archive_for_priors_is_called_and_named(tmp_path: Path) -> None:
    source = '[[priors.sources]]\nname = "old"\nae_title = "OLD"\nhost = "127.0.0.1"\nport = 1\n'

    status, printed = check(tmp_path, source)

    assert status == 1
    assert "archive old" in printed


@pytest.mark.parametrize(
    ("peer", "ask", "words"),
    [
        (PriorPeer(), check_move_destination, "does not know NODE: enter it there"),
        (PriorPeer(destination=("127.0.0.1", 1)), check_move_destination, "NODE as destination"),
        (PriorPeer(), check_query_support, "answers Study Root queries"),
        (PriorPeer(find_status=0xA700), check_query_support, "it may have to know NODE"),
    ],
)
def test_an_archive_is_asked_whether_it_knows_this_node(
    peer: PriorPeer, ask: Callable[[PriorSourceSettings, str], PeerCheck], words: str
) -> None:
    with serving(peer):
        source = PriorSourceSettings(name="old", ae_title="A", host="127.0.0.1", port=peer.port)
        answer = ask(source, "NODE")
    assert words in answer.detail
    assert answer.ok == ("know NODE" not in answer.detail)


def test_settings_that_would_only_show_when_serving_fail_here_already(tmp_path: Path) -> None:
    tls = '[receive.tls]\ncertificate = "nowhere.pem"\nkey = "nowhere.pem"\n'

    status, printed = check(tmp_path, '[detect]\noverride_gates = ["zzz"]\n', tls)

    assert status == 1
    assert "zzz" in printed
    assert "receive.tls" in printed


@pytest.mark.peer("openssl")
def test_it_says_until_when_certificates_are_valid_and_which_are_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own, expired = authority.issue("own"), authority.issue("expired", days=-1)
    soon = make_self_signed(tmp_path, "soon", "soon", days=20)
    own.key.chmod(0o640)
    expired.key.chmod(0o600)
    receive = f'[receive.tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
    address = 'ae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\n'
    files = f'certificate = "{expired.certificate}", key = "{expired.key}"'
    destination = f'[[destinations]]\nname = "pacs"\n{address}tls = {{ {files} }}\n'
    source = (
        f'[[priors.sources]]\nname = "vna"\n{address}tls = {{ trusted = "{soon.certificate}" }}\n'
    )

    status, printed = check(tmp_path, destination + source, receive)

    assert status == 1
    words = " ".join(printed.split())
    ends = find_earliest_expiry(own.certificate)
    assert f"certificate, receiver (tls.certificate) valid until {ends:%Y-%m-%d}" in words
    assert "expired.pem (tls.certificate) expired on" in words
    assert "soon.pem (tls.trusted) expires on" in words
    assert words.count("other users can read this private key") == 1


@pytest.mark.peer("openssl")
def test_the_own_receiver_is_called_over_its_tls(tmp_path: Path) -> None:
    own = Authority(tmp_path / "ca").issue("own", host="DNS:node.hospital")
    with running_node(tmp_path / "archive", tls=own.files) as node:
        receive = f"[receive]\nport = {node.port}\nhost = '127.0.0.1'\n"
        tls = f'[receive.tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
        file = tmp_path / "secondread.toml"
        file.write_text(f'{receive}{tls}[[peers]]\nae_title = "MOD"\n')
        results = check_node(load_settings(file, {}))
    (own_receiver,) = [result for result in results if "own receiver" in result.subject]
    assert own_receiver.is_good, own_receiver.message


def test_a_wrong_model_fails_with_the_file_and_the_key(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text("schema_version = 99\n")

    status, printed = check(tmp_path, f'[detect]\nmanifest = "{tmp_path / "manifest.toml"}"\n')

    assert status == 1
    assert "schema_version" in printed


def test_a_sites_calibration_is_shown_and_one_of_another_model_fails(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    settings = f'[detect]\nsite_calibration = "{site}"\n'
    site.write_text(overlay(load_manifest().digest).as_toml())
    right = check(tmp_path, settings)
    site.write_text(overlay("cd" * 32).as_toml())

    status, printed = check(tmp_path, settings)

    assert right[0] == 0
    assert "site-calibrated on 12 exams" in " ".join(right[1].split())
    assert status == 1
    assert "calibrate anew" in " ".join(printed.split())


def test_a_page_that_crosses_the_network_without_tls_is_named(tmp_path: Path) -> None:
    assert "web login" in " ".join(check(tmp_path, "")[1].split())
    exposed = check(tmp_path, "", '[web]\nhost = "0.0.0.0"\n')[1]
    assert "without TLS" in " ".join(exposed.split())
