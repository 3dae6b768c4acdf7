"""The DICOM upper layer of one connection, with the limits of time and memory pynetdicom lacks.

pynetdicom 3.0 reads a PDU in blocking calls without a limit of time or length, keeps commands of
any length in memory, and turns each PDU into a byte string, a PDU, items, a primitive and an event
of its state machine, each with a copy of the data. Here each has its limit, and the fragments of a
C-STORE data set go from one reused buffer to the spool.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from secondread import log

_log = log.get_logger(__name__)

_MAXIMUM_PDU_BYTES = 2 * 1024**2
"""No PDU is longer: P-DATA ones are negotiated, and a request with 128 contexts has 50 KiB."""
_MAXIMUM_COMMAND_BYTES = 1024**2
"""Most that one DIMSE message may hold in memory; C-STORE data sets go to the spool instead."""
_FRAGMENTS_PER_CHECK = 64
"""How many fragments are written between two checks of the free space: 8 MiB."""
_ESTABLISHED = "Sta6"
_P_DATA_TF = 4
_PDU_HEAD = struct.Struct(">BxI")
"""PDU type and length (PS3.8 table 9-22)."""
_FRAGMENT_HEAD = struct.Struct(">IBB")
"""Length, presentation context ID and message control header (PS3.8 table 9-23, E.2)."""
_MORE_DATA = 0
"""Message control header: of a data set, and not its last fragment."""


class PeerSocket(AssociationSocket):
    """A connection whose reads have a time limit, and that reads a PDU at once.

    `patience` is the time in seconds that one read may take altogether.
    """

    patience: float = 5.0
    _unread = b""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, or fewer where the peer closed the connection.

        Raises
        ------
        OSError
            The peer took too long, or announced more than is ever needed.
        """
        if nr_bytes > _MAXIMUM_PDU_BYTES:
            raise OSError(f"a PDU of {nr_bytes} bytes is not accepted")
        data = bytearray(nr_bytes)
        with memoryview(data) as view:
            length = self.recv_into(view)
        del data[length:]
        return data

    def recv_into(self, view: memoryview) -> int:
        """Fill a buffer as `recv` does; return how many bytes are in it."""
        filled = min(len(self._unread), len(view))
        view[:filled] = self._unread[:filled]
        self._unread = self._unread[filled:]
        connection = cast(socket.socket, self.socket)
        deadline = time.monotonic() + self.patience
        while filled < len(view):
            received = connection.recv_into(view[filled:])
            if received == 0:
                break
            filled += received
            if filled < len(view) and time.monotonic() > deadline:
                raise TimeoutError("the peer stalled inside a PDU")
        return filled

    def unread(self, data: bytes) -> None:
        """Make the next read begin with these bytes."""
        self._unread = data + self._unread

    def set_patience(self, seconds: float) -> None:
        """Set how long the peer may be silent inside a PDU, or not accept what is sent to it."""
        self.patience = seconds
        # The other thread of the association may close the connection at any moment.
        connection = self.socket
        if connection is not None:
            connection.settimeout(seconds)

    def break_connection(self) -> None:
        """Break the connection, even while another thread reads from it."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class BoundedDimse(DIMSEServiceProvider):
    """Assembles messages within a limit of memory; a bad one ends its association only."""

    _bytes_in_memory = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Process one P-DATA primitive; abort the association where it cannot be used."""
        try:
            self._check(primitive)
            super().receive_primitive(primitive)
        except Exception as error:  # noqa: BLE001  (a full disk, an unknown context, broken bytes)
            _log.warning("message_not_received", error=type(error).__name__)
            # Invalid PDU: the state machine answers with an A-ABORT (PS3.8 table 9-10).
            self.dul.event_queue.put("Evt19")
        if self.message is None:
            self._bytes_in_memory = 0

    def discard_unfinished(self) -> bool:
        """Remove what a broken association left half-received; return whether there was any.

        Call it when the association's threads have ended.
        """
        message, self.message = self.message, None
        if message is None:
            return False
        if message._data_set_file is not None:
            message._data_set_file.close()
            Path(message._data_set_file.name).unlink(missing_ok=True)
        return True

    def _check(self, primitive: P_DATA) -> None:
        """Refuse what is too long, or of another context than the message it would go into.

        pynetdicom mixes fragments of all contexts into one data set; a sender may not (PS3.8 E.1).
        """
        expected = None if self.message is None else self.message.context_id
        contexts = {context_id for context_id, _ in primitive.presentation_data_value_list}
        if expected is not None and contexts != {expected}:
            raise OSError("fragments of different messages are mixed")
        if isinstance(self.message, C_STORE_RQ):
            return
        self._bytes_in_memory += sum(
            len(data) for _, data in primitive.presentation_data_value_list
        )
        if self._bytes_in_memory > _MAXIMUM_COMMAND_BYTES:
            raise OSError("message too long")


class StreamingDul(DULServiceProvider):
    """Writes the fragments of a C-STORE data set straight to its file in the spool.

    What is plainly the next fragment, and not the last, is copied; everything else (commands, last
    fragments, other PDUs, anything odd) is left to the library. It overrides a private method of
    pynetdicom 3.0: if that is not called any more, the library processes everything, more slowly,
    and a test fails.

    Parameters
    ----------
    association
        Whose provider it is.
    has_room
        Whether there is room for more. Where there is not, the rest of the data set is read and
        dropped: its file is gone when the request is served, which is then answered A700.
    """

    fragments_streamed = 0
    """How many fragments were copied without the library."""

    def __init__(self, association: Association, has_room: Callable[[], bool]) -> None:
        super().__init__(association)
        # A request that hangs in the database must not keep the process from ending.
        self.daemon = True
        self._has_room = has_room
        self._dropped: DIMSEMessage | None = None
        self._buffer = bytearray(128 * 1024)

    def _read_pdu_data(self) -> None:
        """Read what has arrived, at least one PDU."""
        message = self.assoc.dimse.message
        peer = cast(PeerSocket, self.socket)
        if (
            isinstance(message, C_STORE_RQ)
            and message._data_set_file is not None
            and self.state_machine.current_state == _ESTABLISHED
            and self.event_queue.empty()
        ):
            try:
                self._stream(peer, message, cast(IO[bytes], message._data_set_file))
            except OSError as error:
                _log.warning("message_not_received", error=str(error))
                self.event_queue.put("Evt17")
            return
        super()._read_pdu_data()

    def _stream(self, peer: PeerSocket, message: C_STORE_RQ, file: IO[bytes]) -> None:
        """Copy fragments to the file as long as there are any, then read one other PDU."""
        while (length := self._read_fragment_head(peer, message.context_id)) is not None:
            if length > len(self._buffer):
                self._buffer = bytearray(length)
            with memoryview(self._buffer)[:length] as view:
                if peer.recv_into(view) < length:
                    self.event_queue.put("Evt17")
                    return
                if self.fragments_streamed % _FRAGMENTS_PER_CHECK == 0 and not self._has_room():
                    self._dropped = message
                    Path(file.name).unlink(missing_ok=True)
                if self._dropped is not message:
                    file.write(view)
            self.fragments_streamed += 1
            self._idle_timer.restart()
            if self._kill_thread or not self.to_provider_queue.empty() or not peer.ready:
                return
        super()._read_pdu_data()

    def _read_fragment_head(self, peer: PeerSocket, context_id: int | None) -> int | None:
        """Read the head of a PDU with a fragment; return the length of its data.

        None, and nothing is read, if it is another PDU. A PDU counts when it holds one fragment and
        nothing else, as every sender makes them.
        """
        head = bytes(peer.recv(_PDU_HEAD.size))
        if len(head) == _PDU_HEAD.size:
            kind, pdu_length = _PDU_HEAD.unpack(head)
            if kind == _P_DATA_TF and _FRAGMENT_HEAD.size < pdu_length <= _MAXIMUM_PDU_BYTES:
                head += peer.recv(_FRAGMENT_HEAD.size)
                if len(head) == _PDU_HEAD.size + _FRAGMENT_HEAD.size:
                    length, context, control = _FRAGMENT_HEAD.unpack_from(head, _PDU_HEAD.size)
                    expected = (pdu_length - 4, context_id, _MORE_DATA)
                    if (length, context, control) == expected:
                        return int(length) - 2
        peer.unread(head)
        return None
