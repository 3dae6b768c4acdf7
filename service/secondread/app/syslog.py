"""Messages of the audit trail on their way to a syslog server (RFC 5424, 5425, 5426, 6587)."""

import socket
import ssl
from collections.abc import Sequence
from typing import Final

from secondread.certificates import make_call_tls
from secondread.errors import SettingsError
from secondread.settings import SyslogSettings, SyslogTransport
from secondread.tls import explain_failure, get_client_context
from secondread.track.audit_messages import AuditMessage

SYSLOG_SECONDS: Final = 5.0
"""How long each step of a call may take."""

_ACCEPTANCE_SECONDS: Final = 0.3

_PRIORITY: Final = 85  # facility 10 (security), severity 5 (notice): PS3.15 A.6


def make_syslog_line(message: AuditMessage, host: str) -> bytes:
    """Return a message as syslog has it (RFC 5424; PS3.15 A.6: APP-NAME, MSGID, a UTF-8 mark)."""
    at = message.at.isoformat(timespec="milliseconds")
    head = f"<{_PRIORITY}>1 {at} {host[:255]} secondread - DICOM+RFC3881 - "
    return head.encode("ascii", "replace") + b"\xef\xbb\xbf" + message.message.encode()


def send_to_syslog(lines: Sequence[bytes], syslog: SyslogSettings) -> None:
    """Send lines to a syslog server: UDP (RFC 5426), or counted octets over TCP or TLS (RFC 5425).

    Syslog has no answer to a message. Over TCP and TLS the connection is therefore closed for
    sending after the last line, and the server closes its own side when it has read all of it: only
    then are the lines taken for sent. What a server does not confirm in this way is sent again.

    Raises
    ------
    OSError
        It was not reached, its certificate is not trusted, or it did not read all lines. Over UDP
        nobody notices.
    """
    address = syslog.host, syslog.port
    if syslog.transport is SyslogTransport.UDP:
        (family, _, _, _, target), *_ = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            for line in lines:
                datagrams.sendto(line, target)
        return
    framed = b"".join(b"%d %b" % (len(line), line) for line in lines)
    with socket.create_connection(address, timeout=SYSLOG_SECONDS) as plain:
        if syslog.transport is SyslogTransport.TCP:
            plain.sendall(framed)
            plain.shutdown(socket.SHUT_WR)
            _wait_for_end(plain)
            return
        try:
            context = get_client_context(make_call_tls(syslog))
        except SettingsError as error:
            raise OSError(str(error)) from error
        with context.wrap_socket(plain, server_hostname=syslog.host) as encrypted:
            _await_acceptance(encrypted)
            encrypted.sendall(framed)
            _close_tls(encrypted)


def _await_acceptance(encrypted: ssl.SSLSocket) -> None:
    """Give a server time to hang up that does not trust this node's certificate.

    Under TLS 1.3 it judges the certificate only after the handshake has ended on this side. Without
    this, its end could be taken for one that came after the last line.
    """
    encrypted.settimeout(_ACCEPTANCE_SECONDS)
    try:
        if not encrypted.recv(1):
            raise ConnectionAbortedError("the server hung up after the handshake")
    except TimeoutError:
        pass
    finally:
        encrypted.settimeout(SYSLOG_SECONDS)


def _close_tls(encrypted: ssl.SSLSocket) -> None:
    """Announce the end and wait for the server's, with which it has to answer (RFC 5425 4.4)."""
    try:
        plain = encrypted.unwrap()
    except ssl.SSLError as error:
        # It read to the end and closed without announcing that, as rsyslog with GnuTLS does.
        if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            raise
    else:
        _wait_for_end(plain)


def _wait_for_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        continue


def describe_fault(error: OSError) -> str:
    """Return in words why a server does not take the audit trail."""
    if isinstance(error, ssl.SSLError):
        return explain_failure(error)
    if isinstance(error, TimeoutError):
        return "it does not answer, or does not read to the end"
    return error.strerror or str(error) or type(error).__name__
