"""Debian's Orthanc with this repository's configuration, asked over its REST API."""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import until
from tests.conftest import ROOT
from tests.peers.ports import free_port

CONFIGURATION = ROOT / "orthanc"


def shipped_configuration() -> dict[str, Any]:
    """Return `orthanc/orthanc.json` without its comments."""
    text = (CONFIGURATION / "orthanc.json").read_text()
    values: dict[str, Any] = json.loads(re.sub(r"(?m)^\s*//.*$|\s//\s.*$", "", text))
    return values


class Orthanc:
    """The PACS. Its configuration is the shipped one except for ports, folders and a stable age."""

    ae_title = "ORTHANC"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.web_port = free_port(), free_port()
        self.log = folder / "orthanc.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    def configure(self, node_port: int, **changed: object) -> None:
        """Write the configuration, some of its entries changed; the node need not be there."""
        values = shipped_configuration()
        values["DicomModalities"]["secondread"]["Port"] = node_port
        values |= {
            "LuaScripts": [str(CONFIGURATION / script) for script in values["LuaScripts"]],
            "DicomPort": self.port,
            "HttpPort": self.web_port,
            "StableAge": 1,
            **changed,
        }
        (self.folder / "orthanc.json").write_text(json.dumps(values))

    def forbid(self, right: str) -> None:
        """Take a right from the node, in a configuration that was written."""
        file = self.folder / "orthanc.json"
        values = json.loads(file.read_text())
        values["DicomModalities"]["secondread"][right] = False
        file.write_text(json.dumps(values))

    def start(self) -> None:
        self._launch()
        until(self._answers, "Orthanc's REST API", 60)

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/Orthanc", str(self.folder / "orthanc.json")],
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            # After a kill its port may be busy for a moment: it ends, and can be started again.
            time.sleep(1)
            self._launch()
            return False
        try:
            self.get("/system")
        except urllib.error.URLError:
            return False
        return True

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal: one that is stopped takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    def get(self, uri: str) -> Any:
        with urllib.request.urlopen(self.url(uri), timeout=30) as reply:
            return json.load(reply)

    def post(self, uri: str, body: bytes) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.url(uri), body), timeout=30) as it:
            return json.load(it)

    def file(self, instance: str) -> bytes:
        """Return an instance as a DICOM file."""
        with urllib.request.urlopen(self.url(f"/instances/{instance}/file"), timeout=30) as reply:
            content: bytes = reply.read()
            return content

    def url(self, uri: str) -> str:
        return f"http://127.0.0.1:{self.web_port}{uri}"

    def push(self, *paths: Path, ae_title: str = "MG1") -> subprocess.CompletedProcess[str]:
        """Store files as a modality does."""
        return subprocess.run(
            [
                *("storescu", "-v", "-xs", "-R", "-aet", ae_title, "-aec", self.ae_title),
                *("127.0.0.1", str(self.port), *map(str, paths)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def study(self, study_uid: str) -> str:
        """Return Orthanc's own identifier of a study."""
        (found,) = self.post("/tools/lookup", study_uid.encode())
        return str(found["ID"])

    def instances(self, study_uid: str) -> dict[str, str]:
        """Return what Orthanc holds of a study: its identifiers by SOP Instance UID."""
        found = self.get(f"/studies/{self.study(study_uid)}/instances")
        return {i["MainDicomTags"]["SOPInstanceUID"]: i["ID"] for i in found}

    def changes(self, kind: str, identifier: str) -> int:
        """Count the changes of a kind that Orthanc has logged for a resource."""
        log = self.get("/changes?limit=10000")["Changes"]
        return sum(c["ChangeType"] == kind and c["ID"] == identifier for c in log)

    def sent_jobs(self) -> list[str]:
        """Return the states of the jobs that send to a modality."""
        jobs = self.get("/jobs?expand")
        return [job["State"] for job in jobs if job["Type"] == "DicomModalityStore"]
