"""The receiver is killed at the worst moments; what it had not answered is healed by a resend."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread, uid
from pynetdicom import AE

from tests.unit.accept.fakes import instance

ROOT = Path(__file__).resolve().parents[2]
MG = uid.DigitalMammographyXRayImageStorageForPresentation

CHILD = """
import os, signal, sqlite3, sys, threading
from pathlib import Path
from secondread import log
from secondread.accept.archive import Archive
from secondread.accept.ledger import RecordOutcome
from secondread.accept.scp import Receiver
from secondread.settings import PeerSettings, ReceiveSettings, Settings
from tests.unit.accept.fakes import MemoryCommitments, MemoryLedger

folder, moment = Path(sys.argv[1]), sys.argv[2]

def die_at(here):
    if here == moment:
        os.kill(os.getpid(), signal.SIGKILL)

class DyingArchive(Archive):
    def commit(self, spooled, digest, area="instances"):
        die_at("before-rename")
        file = super().commit(spooled, digest, area)
        die_at("after-rename")
        return file

class SqlLedger(MemoryLedger):
    def record_instance(self, instance, header):
        connection = sqlite3.connect(folder / "ledger.sqlite")
        connection.execute("PRAGMA synchronous=FULL")
        row = (instance.sop_instance_uid, instance.sha256, instance.relative_path)
        try:
            connection.execute("INSERT INTO instances VALUES (?, ?, ?)", row)
        except sqlite3.IntegrityError:
            return RecordOutcome.REPEATED
        connection.commit()
        die_at("after-commit")
        return RecordOutcome.NEW

archive = DyingArchive(folder)
archive.create()
settings = Settings(
    receive=ReceiveSettings(host="127.0.0.1", port=0, minimum_free_bytes=0),
    peers=(PeerSettings(ae_title="MOD"),),
)
log.configure_logging("receive", "error")
print(Receiver(settings, archive, SqlLedger(), MemoryCommitments()).start(), flush=True)
threading.Event().wait()
"""


@contextmanager
def receiver(folder: Path, moment: str = "never") -> Iterator[int]:
    """A receiver in a process of its own that kills itself at a moment; yields its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), moment],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT}"},
    )
    try:
        assert process.stdout is not None
        with process.stdout:
            yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def send(port: int) -> int | None:
    """Send one instance; return the status, None if there was no answer."""
    ae = AE("MOD")
    ae.add_requested_context(MG)
    ae.dimse_timeout = 10
    association = ae.associate("127.0.0.1", port, ae_title="SECONDREAD")
    assert association.is_established
    connection = association.dul.socket.socket  # type: ignore[union-attr]  # it is established
    status = association.send_c_store(instance())
    association.release()
    connection.close()  # type: ignore[union-attr]
    return int(status.Status) if "Status" in status else None


@pytest.mark.parametrize("moment", ["before-rename", "after-rename", "after-commit"])
def test_a_kill_before_the_answer_is_healed_by_the_resend(tmp_path: Path, moment: str) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as sql:
        sql.execute(
            "CREATE TABLE instances (uid TEXT, sha256 TEXT, path TEXT, UNIQUE (uid, sha256))"
        )
        sql.commit()
        with receiver(tmp_path, moment) as port:
            assert send(port) is None
        with receiver(tmp_path) as port:
            assert send(port) == 0x0000
        rows = sql.execute("SELECT path FROM instances").fetchall()
    kept = [path for path in (tmp_path / "instances").rglob("*") if path.is_file()]
    assert [tmp_path / path for (path,) in rows] == kept
    assert dcmread(kept[0]).PixelData == instance().PixelData
