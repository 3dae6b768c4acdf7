"""Certificates of a node that runs: expiry is an alarm, and new files need no restart."""

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from secondread.app.certificate_watch import EXPIRY_ALARM, FILES_ALARM
from secondread.settings import load_settings
from secondread.track.tracker import Tracker
from tests.acceptance.conftest import until
from tests.peers.ports import free_port
from tests.worlds.certificates import Authority, KeyPair

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("openssl")]


def show(port: int, trusted: Path) -> bytes | None:
    """Return the certificate that a port shows; None where nothing answers yet."""
    try:
        pem = ssl.get_server_certificate(("127.0.0.1", port), ca_certs=str(trusted), timeout=5)
    except OSError:
        return None
    return ssl.PEM_cert_to_DER_cert(pem)


def read_der(pair: KeyPair) -> bytes:
    text = pair.certificate.read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index(ssl.PEM_HEADER) :])


def test_a_receiver_warns_of_its_certificate_and_takes_up_the_next(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    ending, renewed = authority.issue("ending", days=5), authority.issue("renewed", days=200)
    own = KeyPair(tmp_path / "own.pem", tmp_path / "own.key")

    def install(pair: KeyPair) -> None:
        shutil.copy(pair.key, own.key)
        shutil.copy(pair.certificate, own.certificate)

    port, file = free_port(), tmp_path / "secondread.toml"
    file.write_text(
        f'[node]\ndata_dir = "node"\n[receive]\nhost = "127.0.0.1"\nport = {port}\n'
        '[receive.tls]\ncertificate = "own.pem"\nkey = "own.key"\n'
    )
    install(ending)
    command = [sys.executable, "-m", "secondread", "receive", "--settings", str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
    tracker = None
    try:
        until(lambda: show(port, authority.certificate) == read_der(ending), "the receiver")
        settings = load_settings(file, {})
        tracker = Tracker(settings.tracker_url, settings.node.data_dir)

        def list_kinds() -> set[str]:
            assert tracker is not None
            return {alarm.kind for alarm in tracker.node_queries.list_alarms()}

        until(lambda: list_kinds() == {EXPIRY_ALARM}, "the alarm")
        own.key.write_text("broken")
        until(lambda: FILES_ALARM in list_kinds(), "the alarm of broken files")
        assert show(port, authority.certificate) == read_der(ending)
        install(renewed)
        until(lambda: not list_kinds(), "the end of the alarms")
        assert show(port, authority.certificate) == read_der(renewed)
    finally:
        if tracker is not None:
            tracker.close()
        process.terminate()
        process.wait(30)
    assert "certificates_reloaded" in (tmp_path / "log").read_text()
