"""rsyslog as the server of an audit trail: RFC 5425, with certificates of both sides."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.ports import free_port
from tests.worlds.certificates import KeyPair

_DEADLINE_SECONDS = 60


@dataclass
class SyslogServer:
    """An rsyslogd of its own that may be stopped and started again."""

    folder: Path
    driver: str
    """``gtls`` or ``ossl``: which library it speaks TLS with."""
    authority: Path
    pair: KeyPair
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        return self.folder / "messages.json"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text(self._configure())
        command = ["rsyslogd", "-n", "-f", str(configuration), "-i", str(self.folder / "pid")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._is_listening():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "rsyslogd does not listen"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def read(self) -> list[dict[str, str]]:
        """Return what it took so far, as it parsed it."""
        if not self.output.exists():
            return []
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def wait_for(self, number: int) -> list[dict[str, str]]:
        """Return what it took once that is so many messages: it writes them after it took them."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while len(taken := self.read()) < number:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return taken

    def _is_listening(self) -> bool:
        # Asked of the kernel: a connection that says nothing would be an error in its log.
        wanted = f":{self.port:04X}"
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(row.split()[1].endswith(wanted) and row.split()[3] == "0A" for row in rows)

    def _configure(self) -> str:
        files = f"""
            defaultNetstreamDriver="{self.driver}"
            defaultNetstreamDriverCAFile="{self.authority}"
            defaultNetstreamDriverCertFile="{self.pair.certificate}"
            defaultNetstreamDriverKeyFile="{self.pair.key}"
        """
        names = ("pri", "app-name", "msgid", "hostname", "msg")
        fields = 'constant(value=", ")'.join(
            f'property(name="{name}" outname="{name}" format="jsonf")' for name in names
        )
        return f"""
global(workDirectory="{self.folder}" maxMessageSize="64k" {files})
module(load="imtcp" StreamDriver.Name="{self.driver}" StreamDriver.Mode="1"
       StreamDriver.AuthMode="x509/certvalid")
template(name="line" type="list") {{ constant(value="{{") {fields} constant(value="}}\\n") }}
ruleset(name="take") {{ action(type="omfile" file="{self.output}" template="line") }}
input(type="imtcp" port="{self.port}" address="127.0.0.1" ruleset="take")
"""
