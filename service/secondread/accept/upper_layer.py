"""The DICOM upper layer of one connection, with the limits of time and memory pynetdicom lacks.

pynetdicom 3.0 reads a PDU in blocking calls without a limit of time or length, keeps commands of
any length in memory, and turns each PDU into a byte string, a PDU, items, a primitive and an event
of its state machine, each with a copy of the data. Here each has its limit, and the fragments of a
C-STORE data set go from the connection into the buffer of their file in the spool.
"""

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.dsutils import create_file_meta
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import TRANSITION_TABLE
from pynetdicom.pdu_primitives import P_DATA

from secondread import log
from secondread.accept.association_request import MAXIMUM_PDU_BYTES, PDU_HEAD
from secondread.accept.fragment_stream import FRAGMENT_HEAD, P_DATA_TF, FragmentStream
from secondread.accept.peer_socket import PeerSocket
from secondread.accept.spool_file import SpoolFile
from secondread.errors import InputError, describe_without_quoting

_log = log.get_logger(__name__)

_PDU_SLACK_BYTES: Final = 1024
"""How much longer than was negotiated a P-DATA PDU may be: some senders do not count its heads."""
_MAXIMUM_COMMAND_BYTES: Final = 64 * 1024
"""The longest command set: those of PS3.7 take a few hundred bytes."""
_MAXIMUM_MESSAGE_BYTES: Final = 1024**2
"""Most that one DIMSE message may hold in memory; C-STORE data sets go to the spool instead."""
_MAXIMUM_FRAGMENTS: Final = 4096
"""Fragments in one PDU; senders make one or two."""
_LONGEST_WAIT_SECONDS: Final = 60.0
_ESTABLISHED: Final = "Sta6"
_CLOSING: Final = "Sta13"
_ITEM_HEAD: Final = struct.Struct(">IB")
"""Length and presentation context ID (PS3.8 table 9-23)."""
_IS_COMMAND: Final = 1
"""Bit of the message control header (PS3.8 E.2)."""

OpenSpoolFile = Callable[[], SpoolFile]


class PduError(InputError):
    """A PDU that is not as PS3.8 has it, or longer than was negotiated; answered with A-ABORT."""


class BoundedDimse(DIMSEServiceProvider):
    """Assembles messages within a limit of memory; a bad one ends its association only.

    Parameters
    ----------
    association
        Whose provider it is.
    open_spool_file
        Makes the file that a C-STORE data set goes to as it arrives. None: pynetdicom makes it,
        if it is configured so.
    """

    _bytes_in_memory = 0
    _command_bytes = 0

    def __init__(
        self, association: Association, open_spool_file: OpenSpoolFile | None = None
    ) -> None:
        super().__init__(association)
        self._open_spool_file = open_spool_file
        self._spool_files: list[SpoolFile] = []

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Process one P-DATA primitive; abort the association where it cannot be used."""
        try:
            self._check(primitive)
            for context_id, data in primitive.presentation_data_value_list:
                self._receive_fragment(context_id, data)
        except Exception as error:  # noqa: BLE001  (a full disk, an unknown context, broken bytes)
            _log.warning("message_not_received", error=describe_without_quoting(error))
            # Invalid PDU: the state machine answers with an A-ABORT (PS3.8 table 9-10).
            self.dul.event_queue.put("Evt19")
        if self.message is None:
            self._bytes_in_memory = self._command_bytes = 0

    def discard_unfinished(self) -> bool:
        """Remove what is left in the spool; return whether a message was half-received.

        Call it when the association has ended, or when all of its requests are served.
        """
        is_broken = self.message is not None
        self.message = None
        files, self._spool_files = self._spool_files, []
        for file in files:
            with contextlib.suppress(OSError):  # pynetdicom's own, on a full disk
                file.close()
            # Those that were taken over have been renamed.
            Path(file.name).unlink(missing_ok=True)
        return is_broken

    def _receive_fragment(self, context_id: int, data: bytes) -> None:
        message = self.message = self.message or DIMSEMessage()
        fragment = P_DATA()
        fragment.presentation_data_value_list.append((context_id, data))
        if not message.decode_msg(fragment, self.assoc):
            if isinstance(message, C_STORE_RQ):
                self._provide_spool_file(message)
            return
        self.message = None
        request = cast(Any, message.message_to_primitive())
        # Requests are served one after the other, so there is nothing that could be cancelled.
        if not isinstance(request, C_CANCEL):
            self.msg_queue.put((cast(int, message.context_id), request))

    def _provide_spool_file(self, message: C_STORE_RQ) -> None:
        """Give a C-STORE request whose command has arrived a file for its data set."""
        if message._data_set_file is None and self._open_spool_file is not None:
            file = self._open_spool_file()
            self._spool_files.append(file)
            self._write_file_head(message, file)
            message._data_set_file = cast(Any, file)
            message._data_set_path = Path(file.name)
        elif message._data_set_file is not None:
            file = cast(SpoolFile, message._data_set_file)
            if file not in self._spool_files:
                self._spool_files.append(file)

    def _write_file_head(self, message: C_STORE_RQ, file: SpoolFile) -> None:
        context = self.assoc._accepted_cx[cast(int, message.context_id)]
        head = DicomBytesIO()
        head.write(bytes(128) + b"DICM")
        command = message.command_set
        meta = create_file_meta(
            sop_class_uid=command.AffectedSOPClassUID,
            sop_instance_uid=command.AffectedSOPInstanceUID,
            transfer_syntax=context.transfer_syntax[0],
        )
        write_file_meta_info(head, meta)
        file.write(head.getvalue())
        file.begin_digest()

    def _check(self, primitive: P_DATA) -> None:
        """Refuse what is too long, or of another context than the message it would go into.

        pynetdicom mixes fragments of all contexts into one data set; a sender may not (PS3.8 E.1).
        """
        expected = None if self.message is None else self.message.context_id
        contexts = {context_id for context_id, _ in primitive.presentation_data_value_list}
        if expected is not None and contexts != {expected}:
            raise PduError("fragments of different messages are mixed")
        if isinstance(self.message, C_STORE_RQ):
            return
        for _, data in primitive.presentation_data_value_list:
            self._bytes_in_memory += len(data)
            self._command_bytes += len(data) if data[0] & _IS_COMMAND else 0
        if (
            self._command_bytes > _MAXIMUM_COMMAND_BYTES
            or self._bytes_in_memory > _MAXIMUM_MESSAGE_BYTES
        ):
            raise PduError("message too long")


class _FragmentsPdu:
    """A P-DATA-TF PDU as pynetdicom's state machine takes it."""

    def __init__(self, primitive: P_DATA) -> None:
        self._primitive = primitive

    def to_primitive(self) -> P_DATA:
        return self._primitive


class StreamingDul(DULServiceProvider):
    """The upper layer of an association that the thread of its connection takes step by step.

    pynetdicom runs it in a thread of its own, which looks for work every millisecond. Here the
    one thread waits for the peer, takes a PDU, and has it answered before it takes the next: a
    peer that does not wait for its answers is held back by TCP.

    The fragments of a C-STORE data set go straight to its file in the spool. What is plainly the
    next fragment, and not the last, is copied; everything else is left to the state machine.

    Parameters
    ----------
    association
        Whose provider it is.
    has_room
        Whether there is room for more. Where there is not, the rest of the data set is read and
        dropped: its file is gone when the request is served, which is then answered A700.
    """

    fragments_streamed = 0
    """How many fragments were copied without the state machine."""

    def __init__(self, association: Association, has_room: Callable[[], bool]) -> None:
        super().__init__(association)
        self._has_room = has_room

    @property
    def has_ended(self) -> bool:
        """Whether the connection is closed and nothing is left to do."""
        return self._kill_thread

    @property
    def peer(self) -> PeerSocket:
        """The connection."""
        return cast(PeerSocket, self.socket)

    def wait(self) -> None:
        """Wait until there is something to do: from the peer, from this side, or a time is up."""
        if self.event_queue.empty() and self.to_provider_queue.empty():
            artim, idle = self.artim_timer, self._idle_timer
            is_timed = artim._start_time is not None and artim._end_time is None
            seconds = artim.remaining if is_timed else idle.remaining
            self.peer.wait_until_readable(min(seconds, _LONGEST_WAIT_SECONDS))

    def process_next(self) -> None:
        """Process one event, if there is one."""
        if self.artim_timer.expired:
            self.event_queue.put("Evt18")
        if self.event_queue.empty() and not self._process_recv_primitive():
            self._take_from_peer()
        if not self.event_queue.empty():
            self._act(self.event_queue.get())

    def restart_idle_timer(self) -> None:
        """Begin anew to count how long the peer is silent."""
        self._idle_timer.restart()

    def break_off(self, error: str) -> None:
        """End it at once, whatever state it is in."""
        _log.warning("association_broken_off", error=error)
        self.peer.close()
        self.kill_dul()

    def _take_from_peer(self) -> None:
        if self.state_machine.current_state == _CLOSING:
            # The last is said; what still comes is not looked at.
            self.peer.close()
        elif self.peer.ready:
            self._read_pdu_data()
            self._idle_timer.restart()

    def _act(self, event: str) -> None:
        state = self.state_machine.current_state
        if (event, state) not in TRANSITION_TABLE:
            self.break_off(f"{event} in {state}")
            return
        try:
            self.state_machine.do_action(event)
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends this association only)
            self.break_off(describe_without_quoting(error))

    def _read_pdu_data(self) -> None:
        """Read what has arrived, at least one PDU."""
        message = self.assoc.dimse.message
        try:
            # pynetdicom's own has no such room, where this process retrieves by C-GET as well.
            file = cast(object, getattr(message, "_data_set_file", None))
            if isinstance(message, C_STORE_RQ) and isinstance(file, SpoolFile):
                self._stream(message, file)
            else:
                self._read_pdu()
        except PduError as error:
            _log.warning("pdu_refused", error=str(error))
            self.event_queue.put("Evt19")
        except OSError as error:
            _log.warning("message_not_received", error=describe_without_quoting(error))
            self.event_queue.put("Evt17")

    def _read_pdu(self) -> None:
        """Read one PDU, and hand it to the state machine."""
        head = self.peer.recv(PDU_HEAD.size)
        if len(head) < PDU_HEAD.size:
            self.event_queue.put("Evt17")
            return
        kind, length = PDU_HEAD.unpack(head)
        if length > self._find_limit(kind):
            raise PduError(f"{length} bytes are announced")
        data = head + self.peer.recv(length)
        if len(data) < len(head) + length:
            self.event_queue.put("Evt17")
        elif kind == P_DATA_TF:
            self._recv_pdu.put(cast(Any, _FragmentsPdu(_read_fragments(bytes(data)))))
            self.event_queue.put("Evt10")
        else:
            self._hand_on(data)

    def _find_limit(self, kind: int) -> int:
        """Return how long a PDU may be."""
        if kind == P_DATA_TF:
            return cast(int, self.assoc.acceptor.maximum_length) + _PDU_SLACK_BYTES
        return MAXIMUM_PDU_BYTES

    def _hand_on(self, data: bytearray) -> None:
        """Have pynetdicom decode a PDU that releases or aborts; no other is in place."""
        if data[0] not in _RELEASES_AND_ABORTS:
            raise PduError(f"PDU of type {data[0]}")
        try:
            pdu, event = self._decode_pdu(data)
        except Exception as error:
            raise PduError(f"PDU of type {data[0]} not readable") from error
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)

    def _stream(self, message: C_STORE_RQ, file: SpoolFile) -> None:
        """Copy fragments to the file as long as there are any, then read one other PDU."""
        longest = self._find_limit(P_DATA_TF)
        stream = FragmentStream(self.peer, file, message.context_id, longest, self._has_room)
        try:
            is_other = stream.copy()
        finally:
            self.fragments_streamed += stream.fragments
        if is_other:
            self._read_pdu()


_RELEASES_AND_ABORTS: Final = frozenset({5, 6, 7})
"""PDU types A-RELEASE-RQ, A-RELEASE-RP and A-ABORT (PS3.8 9.3)."""


def _read_fragments(pdu: bytes) -> P_DATA:
    """Return the fragments of a P-DATA-TF PDU (PS3.8 9.3.5).

    Raises
    ------
    PduError
        They do not fill the PDU, or are too many.
    """
    fragments: list[tuple[int, bytes]] = []
    position = PDU_HEAD.size
    while position < len(pdu):
        if position + FRAGMENT_HEAD.size > len(pdu):
            raise PduError("fragment without a head")
        length, context_id = _ITEM_HEAD.unpack_from(pdu, position)
        end = position + 4 + length
        # A context ID and a message control header at least.
        if length < 2 or end > len(pdu) or len(fragments) == _MAXIMUM_FRAGMENTS:
            raise PduError("fragments that do not fill their PDU, or too many")
        fragments.append((context_id, pdu[position + _ITEM_HEAD.size : end]))
        position = end
    primitive = P_DATA()
    primitive.presentation_data_value_list.extend(fragments)
    return primitive
