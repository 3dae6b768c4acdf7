"""Certificates made by `openssl`, as a hospital's authority makes them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


def run_openssl(*arguments: object) -> str:
    """Run `openssl`; return what it prints."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@dataclass(frozen=True)
class KeyPair:
    """The files of a certificate and its private key."""

    certificate: Path
    key: Path

    @property
    def files(self) -> dict[str, str]:
        """As the settings have them."""
        return {"certificate": str(self.certificate), "key": str(self.key)}


class Authority:
    """An authority with a folder of its own."""

    def __init__(self, folder: Path, name: str = "Hospital CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.pair = make_self_signed(folder, "ca", name)

    @property
    def certificate(self) -> Path:
        return self.pair.certificate

    def issue(self, name: str, host: str = "IP:127.0.0.1", days: int = 90) -> KeyPair:
        """Issue a certificate for a host, which ends after some days; with -1 it has expired."""
        pair = KeyPair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={host}\nbasicConstraints=critical,CA:FALSE\n")
        subject = ("-subj", f"/CN={name}", "-out", request)
        run_openssl("req", *new_key(pair.key), *subject)
        signing = ("-CA", self.pair.certificate, "-CAkey", self.pair.key, "-CAcreateserial")
        files = ("-in", request, "-out", pair.certificate, "-extfile", extensions)
        run_openssl("x509", "-req", *signing, *files, "-days", days)
        return pair


def make_self_signed(folder: Path, file: str, name: str, days: int = 365) -> KeyPair:
    """Make a certificate that is its own authority."""
    pair = KeyPair(folder / f"{file}.pem", folder / f"{file}.key")
    subject = ("-subj", f"/CN={name}", "-days", days, "-out", pair.certificate)
    run_openssl("req", "-x509", *new_key(pair.key), *subject)
    return pair


def new_key(file: Path) -> tuple[object, ...]:
    """Options of `openssl req` for a new key that is not encrypted, of the quickest kind."""
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file
