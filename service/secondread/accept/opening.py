"""The beginning of a connection: reading a request for an association, before there is one.

Nothing of pynetdicom is involved until a caller is let in, and what it sends is read as bytes: a
stranger costs little more than its connection.
"""

import socket
import struct
import time
from typing import Final

from pynetdicom.pdu_primitives import A_ASSOCIATE

from secondread.accept.admission import AssociationRejection
from secondread.accept.association_request import (
    HEAD_BYTES,
    PDU_HEAD,
    Offer,
    RequestError,
    RequestHead,
    check_pdu_head,
    decode_request,
    read_request_head,
)
from secondread.accept.connection import fill, linger

UNKNOWN_VERSION: Final = AssociationRejection(1, 2, 2)
"""Rejected by the ACSE: protocol version not supported (PS3.8 table 9-21)."""

_REJECT: Final = struct.Struct(">BxIxBBB")
"""An A-ASSOCIATE-RJ PDU (PS3.8 table 9-21)."""
_ABORT: Final = struct.Struct(">BxIxxBB")
"""An A-ABORT PDU (PS3.8 table 9-26)."""
_SERVICE_PROVIDER: Final = 2
_UNEXPECTED_PDU: Final = 2


REJECT_AFTER_SECONDS = 0.1
"""How long a caller who is not let in waits for its answer."""


class Opening:
    """A connection whose first bytes are read.

    Parameters
    ----------
    connection
        Just accepted, and encrypted where it has to be.
    seconds
        How long each of its parts may take to arrive; also the connection's own timeout.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds

    def read_head(self) -> RequestHead | None:
        """Read who calls whom; None if the peer went away before it said anything.

        Raises
        ------
        OSError
            The peer took too long, or the connection broke.
        RequestError
            It sent something else.
        """
        # What speaks another protocol may say less than a whole head, and wait for an answer.
        begin = self._read_bytes(PDU_HEAD.size)
        if len(begin) < PDU_HEAD.size:
            return None
        check_pdu_head(begin)
        rest = self._read_bytes(HEAD_BYTES - PDU_HEAD.size)
        if len(begin) + len(rest) < HEAD_BYTES:
            raise RequestError("connection closed inside the request")
        return read_request_head(begin + rest)

    def read_request(self, head: RequestHead, offer: Offer) -> A_ASSOCIATE:
        """Read the rest of a request.

        Raises
        ------
        OSError
            The peer took too long, or the connection broke.
        RequestError
            The request is not readable, or exceeds a limit.
        """
        items = self._read_bytes(head.rest_bytes)
        if len(items) < head.rest_bytes:
            raise RequestError("connection closed inside the request")
        return decode_request(head, items, offer)

    def reject(self, rejection: AssociationRejection) -> None:
        """Answer the request with an A-ASSOCIATE-RJ, and wait a little for the peer to close.

        Not at once: a requestor on pynetdicom 3.0 that is answered, and has closed, before it looks
        whether it is connected reports that it could not connect, instead of the reason.
        """
        time.sleep(REJECT_AFTER_SECONDS)
        self._send_last(_REJECT.pack(3, 4, *rejection))

    def abort(self) -> None:
        """Answer what is no request with an A-ABORT, and wait a little for the peer to close."""
        self._send_last(_ABORT.pack(7, 4, _SERVICE_PROVIDER, _UNEXPECTED_PDU))

    def _send_last(self, pdu: bytes) -> None:
        self._connection.sendall(pdu)
        linger(self._connection)

    def _read_bytes(self, length: int) -> bytes:
        data = bytearray(length)
        with memoryview(data) as view:
            filled = fill(self._connection, view, self._seconds)
        return bytes(data[:filled])
