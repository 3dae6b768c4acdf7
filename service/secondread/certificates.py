"""Which certificate files the settings name, and until when what is in them is valid.

Python's `ssl` shows the dates of a certificate only after a handshake, so they are read from its
encoding here: PEM (RFC 7468) around the DER of X.509 (RFC 5280 4.1).
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from secondread.errors import SettingsError
from secondread.settings import (
    CallTlsSettings,
    Settings,
    SyslogSettings,
    SyslogTransport,
    TlsSettings,
)

EXPIRES_SOON: Final = timedelta(days=30)
"""So long before its end, a certificate is worth an alarm."""
EXPIRES_AT_ONCE: Final = timedelta(days=7)
"""So long before its end, it is worth a critical one."""

_MOST_BYTES: Final = 4 * 1024**2
"""The largest file that is read; the certificates of all public authorities take 0.3 MB."""
_PEM: Final = re.compile(
    r"-----BEGIN (?P<label>(?:X509 )?CERTIFICATE)-----(?P<body>.+?)-----END (?P=label)-----",
    re.DOTALL,
)
_SEQUENCE, _INTEGER, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x02, 0x17, 0x18, 0xA0


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate is valid, from first to last instant."""

    begins_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CertificateUse:
    """A file of certificates, and what for the node uses it."""

    user: str
    """``receiver``, or the destination or archive that is called."""
    role: str
    """The key of the setting: ``certificate`` or ``trusted``."""
    file: Path


def list_certificate_uses(settings: Settings) -> list[CertificateUse]:
    """Return every file of certificates that the settings name."""
    users: list[tuple[str, TlsSettings | CallTlsSettings | None]] = [
        ("receiver", settings.receive.tls),
        *((f"destination {item.name}", item.tls) for item in settings.destinations),
        *((f"archive {item.name}", item.tls) for item in settings.priors.active_sources),
        ("audit syslog", get_syslog_tls(settings)),
    ]
    return [
        CertificateUse(user, role, file)
        for user, tls in users
        if tls is not None
        for role, file in (("certificate", tls.certificate), ("trusted", tls.trusted))
        if file is not None
    ]


def get_syslog_tls(settings: Settings) -> CallTlsSettings | None:
    """Return how the syslog server of the audit trail is called over TLS; None without."""
    syslog = settings.audit.syslog
    if syslog is None or syslog.transport is not SyslogTransport.TLS:
        return None
    return make_call_tls(syslog)


def make_call_tls(syslog: SyslogSettings) -> CallTlsSettings:
    """Return how a syslog server is called over TLS."""
    return CallTlsSettings(certificate=syslog.certificate, key=syslog.key, trusted=syslog.trusted)


def list_keys(settings: Settings) -> list[Path]:
    """Return every file with a private key that the settings name, each once."""
    users: list[TlsSettings | CallTlsSettings | None] = [
        settings.receive.tls,
        *(item.tls for item in settings.destinations),
        *(item.tls for item in settings.priors.active_sources),
        get_syslog_tls(settings),
    ]
    return sorted({tls.key for tls in users if tls is not None and tls.key is not None})


def is_open_to_others(file: Path) -> bool:
    """Whether other users than a file's owner may read or write it, where it can be asked for."""
    try:
        return bool(file.stat().st_mode & 0o077)
    except OSError:
        return False


def find_earliest_expiry(file: Path) -> datetime:
    """Return when the first of the certificates in a file expires.

    Raises
    ------
    SettingsError
        The file cannot be read, or holds no certificate.
    """
    return min(validity.expires_at for validity in read_validities(file))


def read_validities(file: Path) -> list[Validity]:
    """Return the validity of each certificate in a PEM file, in its order.

    Raises
    ------
    SettingsError
        The file cannot be read, or holds no certificate.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES).decode("ascii", errors="replace")
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    try:
        found = [_read_validity(ssl.PEM_cert_to_DER_cert(pem)) for pem in _list_pem(text)]
    except (ValueError, IndexError) as error:
        raise SettingsError(f"{file}: holds a certificate that cannot be read") from error
    if not found:
        raise SettingsError(f"{file}: holds no certificate in PEM form")
    return found


def _list_pem(text: str) -> Iterator[str]:
    for match in _PEM.finditer(text):
        yield f"{ssl.PEM_HEADER}{match['body']}{ssl.PEM_FOOTER}"


def _read_validity(encoded: bytes) -> Validity:
    """Walk to the validity: Certificate, TBSCertificate, then the fields before it."""
    _, certificate, _ = _split(encoded, _SEQUENCE)
    _, fields, _ = _split(certificate, _SEQUENCE)
    tag, _, rest = _split(fields)
    if tag == _VERSION:
        _, _, rest = _split(rest, _INTEGER)
    for _ in ("signature", "issuer"):
        _, _, rest = _split(rest, _SEQUENCE)
    _, validity, _ = _split(rest, _SEQUENCE)
    first_tag, first, rest = _split(validity)
    last_tag, last, _ = _split(rest)
    return Validity(_read_time(first_tag, first), _read_time(last_tag, last))


def _split(encoded: bytes, expected: int | None = None) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first DER element, and what follows it."""
    tag, length, start = encoded[0], encoded[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(encoded[2:start])
    if (expected is not None and tag != expected) or start + length > len(encoded):
        raise ValueError("not the DER of a certificate")
    return tag, encoded[start : start + length], encoded[start + length :]


def _read_time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of the year stand for 1950 to 2049 (RFC 5280 4.1.2.5.1).
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
