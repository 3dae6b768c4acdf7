"""DICOM over TLS: what is spoken, with which files, and in words why a handshake failed.

The profile is that of PS3.15 B.12, BCP 195 (RFC 8996 and RFC 9325): TLS 1.2 and 1.3, the first
with forward secrecy and authenticated encryption only, without compression or renegotiation.
"""

import os
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from secondread import log
from secondread.errors import SettingsError
from secondread.settings import CallTlsSettings, TlsSettings

_log = log.get_logger(__name__)

MINIMUM_TLS_VERSION: Final = ssl.TLSVersion.TLSv1_2
"""The oldest version of TLS that is spoken, as server and as client."""

CIPHER_SUITES: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
"""OpenSSL's names of the suites of TLS 1.2 that are spoken (RFC 9325 4.2), preferred ones first."""

_SECURITY_LEVEL: Final = "@SECLEVEL=2"
"""OpenSSL's: keys of RSA have 2,048 bits or more, and signatures are not made with SHA-1."""


class ReloadingContext:
    """A TLS context that is made anew when one of its files has changed.

    Parameters
    ----------
    name
        What messages about it begin with.
    make
        Makes the context from the files.
    files
        What it is made from.

    Raises
    ------
    SettingsError
        It cannot be made for the first time.
    """

    def __init__(
        self, name: str, make: Callable[[], ssl.SSLContext], files: Sequence[Path | None]
    ) -> None:
        self._name = name
        self._make = make
        self._files = [file for file in files if file is not None]
        self._lock = threading.Lock()
        self._seen = self._look()
        self._context = self._make_anew()

    @property
    def context(self) -> ssl.SSLContext:
        """The newest that could be made; for handshakes that begin now."""
        return self._context

    def refresh(self) -> bool:
        """Make the context anew if its files have changed; return whether that was so.

        Raises
        ------
        SettingsError
            The changed files make no context. The one before stays in use.
        """
        with self._lock:
            seen = self._look()
            if seen == self._seen:
                return False
            self._context = self._make_anew()
            # Only now: files that cannot be used are tried again, until they can.
            self._seen = seen
            return True

    def _make_anew(self) -> ssl.SSLContext:
        try:
            return self._make()
        except SettingsError as error:
            raise SettingsError(f"{self._name}: {error}") from error

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_identify(file) for file in self._files]


def _identify(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def open_server_context(tls: TlsSettings) -> ReloadingContext:
    """Return the context of the receiver; with `trusted`, peers must show a certificate.

    Raises
    ------
    SettingsError
        A file cannot be read, or holds no certificate or key.
    """

    def make() -> ssl.SSLContext:
        context = _harden(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        _load_own(context, tls.certificate, tls.key)
        if tls.trusted is not None:
            _load_trusted(context, tls.trusted)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return ReloadingContext("receive.tls", make, (tls.certificate, tls.key, tls.trusted))


_client_contexts: dict[CallTlsSettings, ReloadingContext] = {}
_client_lock = threading.Lock()


def get_client_context(tls: CallTlsSettings) -> ssl.SSLContext:
    """Return the context to call a peer with, made anew when its files have changed.

    Files that were changed and cannot be used are logged, and those before them stay in use.

    Raises
    ------
    SettingsError
        A file cannot be read, or holds no certificate or key.
    """
    opened = open_client_context(tls)
    try:
        opened.refresh()
    except SettingsError as error:
        _log.error("certificates_not_reloaded", error=str(error))
    return opened.context


def open_client_context(tls: CallTlsSettings) -> ReloadingContext:
    """Return the context to call a peer with: one for all calls of the process.

    Raises
    ------
    SettingsError
        A file cannot be read, or holds no certificate or key.
    """

    def make() -> ssl.SSLContext:
        context = _harden(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        context.check_hostname = tls.check_server_name
        if tls.trusted is None:
            context.load_default_certs()
        else:
            _load_trusted(context, tls.trusted)
        if tls.certificate is not None:
            _load_own(context, tls.certificate, tls.key)
        return context

    with _client_lock:
        if tls not in _client_contexts:
            files = (tls.certificate, tls.key, tls.trusted)
            _client_contexts[tls] = ReloadingContext("tls", make, files)
        return _client_contexts[tls]


def _harden(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = MINIMUM_TLS_VERSION
    context.set_ciphers(":".join((_SECURITY_LEVEL, *CIPHER_SUITES)))
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    # A device's own certificate, put among the trusted ones, is trusted: many have no CA.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    _check_readable(certificate)
    if key is not None:
        _check_readable(key)
    try:
        # Without a password, OpenSSL would ask for that of an encrypted key at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or ""
        words = _FILE_WORDS.get(reason, "not PEM, or an encrypted key")
        raise SettingsError(f"{certificate} and {key or 'its key'}: {words}") from error


_FILE_WORDS: Final = {
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
    "KEY_TYPE_MISMATCH": "the key is not that of the certificate",
    "EE_KEY_TOO_SMALL": "the key is too short; RSA takes 2,048 bits or more",
    "CA_MD_TOO_WEAK": "the certificate is signed with a digest that is no longer safe",
}
"""By OpenSSL's reasons; others mean that a file is not PEM or that the key is encrypted."""


def _load_trusted(context: ssl.SSLContext, trusted: Path) -> None:
    _check_readable(trusted)
    try:
        context.load_verify_locations(trusted)
    except ssl.SSLError as error:
        raise SettingsError(f"{trusted}: holds no certificate in PEM form") from error


def _check_readable(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_NONBLOCK))
        if not file.is_file():
            raise SettingsError(f"{file}: is no file")
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error


def explain_failure(error: OSError) -> str:
    """Return in words why a handshake failed, as its server or as its client."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION_WORDS.get(
            error.verify_code, f"the peer's certificate is not trusted: {error.verify_message}"
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return "the peer hung up during the handshake"
    if isinstance(error, TimeoutError):
        return "the peer did not finish the handshake in time"
    reason = str(getattr(error, "reason", None) or error.strerror or "no reason given")
    return _REASON_WORDS.get(reason, reason.replace("_", " ").lower())


_UNKNOWN_CA: Final = (
    "the peer's certificate is not trusted: neither it nor its CA is among the trusted ones"
)
_VERIFICATION_WORDS: Final = {
    # X509_V_ERR_*, x509_vfy.h of OpenSSL.
    2: _UNKNOWN_CA,
    9: "the peer's certificate is not trusted: it is not valid yet; check both clocks",
    10: "the peer's certificate is not trusted: it has expired",
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    26: "the peer's certificate is not trusted: it is not made for this use (extended key usage)",
    62: "the peer's certificate is not trusted: it names another host; see tls.server_name",
    64: "the peer's certificate is not trusted: it names another address; see tls.server_name",
}
_NO_TLS: Final = "the peer does not speak TLS: plain DICOM, or another protocol"
_NO_COMMON_VERSION: Final = "no common version: TLS 1.2 and 1.3 are spoken here"
_NO_COMMON_SUITE: Final = "no common cipher suite: see the conformance statement"
_NOT_ACCEPTED: Final = "the peer does not accept this node's certificate"
_CERTIFICATE_DEMANDED: Final = "the peer demands a certificate of this node"
_REASON_WORDS: Final = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "HTTPS_PROXY_REQUEST": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_VERSION,
    "VERSION_TOO_LOW": _NO_COMMON_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_COMMON_VERSION,
    "NO_SHARED_CIPHER": _NO_COMMON_SUITE,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"{_NO_COMMON_SUITE}, or {_CERTIFICATE_DEMANDED}",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer shows no certificate, and has to",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CERTIFICATE_DEMANDED,
    "TLSV1_ALERT_UNKNOWN_CA": f"{_NOT_ACCEPTED}: it does not know its CA",
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_ACCEPTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_ACCEPTED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _NOT_ACCEPTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_NOT_ACCEPTED}: it has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"{_NOT_ACCEPTED}: it was revoked",
}
"""By OpenSSL's reasons."""
