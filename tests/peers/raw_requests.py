"""A-ASSOCIATE-RQ PDUs made byte by byte, well-formed and not (PS3.8 9.3.2)."""

import socket
import struct
from collections.abc import Sequence

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def item(kind: int, content: bytes) -> bytes:
    """One item or sub-item."""
    return struct.pack(">BBH", kind, 0, len(content)) + content


def context(
    context_id: int = 1,
    abstract_syntax: str = VERIFICATION,
    transfer_syntaxes: Sequence[str] = (IMPLICIT,),
) -> bytes:
    """A presentation context item."""
    syntaxes = b"".join(item(0x40, syntax.encode()) for syntax in transfer_syntaxes)
    head = bytes([context_id, 0, 0, 0])
    return item(0x20, head + item(0x30, abstract_syntax.encode()) + syntaxes)


def user_information(*more: bytes, maximum_length: int = 16384) -> bytes:
    """The user information item."""
    least = item(0x51, struct.pack(">I", maximum_length)) + item(0x52, b"1.2.3")
    return item(0x50, least + b"".join(more))


def role(sop_class: str, *, scu: bool, scp: bool) -> bytes:
    """A role selection sub-item."""
    uid = sop_class.encode()
    return item(0x54, struct.pack(">H", len(uid)) + uid + bytes([scu, scp]))


def request(
    *items: bytes, calling: str = "MOD", called: str = "SECONDREAD", version: int = 1
) -> bytes:
    """A request with the given items after the application context."""
    titles = called.ljust(16).encode("latin-1") + calling.ljust(16).encode("latin-1")
    content = b"".join((item(0x10, b"1.2.840.10008.3.1.1.1"), *items))
    body = struct.pack(">HH", version, 0) + titles + bytes(32) + content
    return struct.pack(">BBI", 1, 0, len(body)) + body


def open_raw(port: int, calling: str = "MOD", *contexts: bytes) -> socket.socket:
    """Open an association without a library behind it, and read its acceptance away."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(request(*(contexts or (context(),)), user_information(), calling=calling))
    kind, _ = read_pdu(connection)
    if kind != 2:
        connection.close()
        raise ConnectionRefusedError(f"PDU {kind} instead of an acceptance")
    return connection


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """Read one PDU: its type and content; type 0 where the connection ends first."""
    head = _read(connection, 6)
    if len(head) < 6:
        return 0, b""
    kind, length = struct.unpack(">BxI", head)
    return kind, _read(connection, length)


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := connection.recv(length - len(data))):
        data += more
    return data
