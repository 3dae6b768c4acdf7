"""A-ASSOCIATE-RQ PDUs as bytes, read within limits (PS3.8 9.3.2, annex D; PS3.7 annex D.3.3).

pynetdicom makes several objects for each item of a request: one of 2 MB takes it 4 to 10 seconds,
and nobody else runs meanwhile. Here the titles are read first, and alone; then the items are
counted while they are read, and only what this node answers to becomes an object.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from secondread.errors import InputError

MAXIMUM_PDU_BYTES: Final = 128 * 1024
"""No PDU but P-DATA is longer: 128 contexts with all of their transfer syntaxes take 40 KiB."""
MAXIMUM_CONTEXTS: Final = 128
"""Presentation contexts of one request: their IDs are odd, and one byte (PS3.8 9.3.2.2)."""
MAXIMUM_ITEMS: Final = 4096
"""Items of one request, with the items in them."""

A_ASSOCIATE_RQ: Final = 1
"""Type of the PDU."""
PDU_HEAD: Final = struct.Struct(">BxI")
"""PDU type and length (PS3.8 table 9-11)."""
_FIXED: Final = struct.Struct(">H2x16s16s32x")
"""Protocol version, called and calling AE title (PS3.8 table 9-11)."""
HEAD_BYTES: Final = PDU_HEAD.size + _FIXED.size
"""How much of a request is read before anything else is."""

_ITEM_HEAD: Final = struct.Struct(">BxH")
"""Type and length of an item (PS3.8 table 9-12)."""
_CONTEXT_HEAD: Final = struct.Struct(">B3x")
"""Presentation context ID (PS3.8 table 9-13)."""
_LEAST_PEER_PDU_BYTES: Final = 64
"""A peer that takes less at a time could not even be told a status in one piece."""
_MAXIMUM_UID_BYTES: Final = 64
"""PS3.5 9.1."""
_ITEM_PRESENTATION_CONTEXT: Final = 0x20
_ITEM_ABSTRACT_SYNTAX: Final = 0x30
_ITEM_TRANSFER_SYNTAX: Final = 0x40
_ITEM_USER_INFORMATION: Final = 0x50
_ITEM_MAXIMUM_LENGTH: Final = 0x51
_ITEM_IMPLEMENTATION_CLASS: Final = 0x52
_ITEM_ASYNCHRONOUS_OPERATIONS: Final = 0x53
_ITEM_ROLE_SELECTION: Final = 0x54

_UserItem = (
    AsynchronousOperationsWindowNegotiation
    | ImplementationClassUIDNotification
    | MaximumLengthNotification
    | SCP_SCU_RoleSelectionNegotiation
)


class RequestError(InputError):
    """What came is no request for an association, or exceeds a limit; it is answered A-ABORT."""


class RequestHead(NamedTuple):
    """What a request begins with."""

    rest_bytes: int
    """How much of the PDU follows."""
    is_version_1: bool
    """Whether the peer speaks version 1 of the protocol, the only one."""
    called_ae_title: str
    calling_ae_title: str
    """Without spaces around them, and with ``?`` for what is not ASCII."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the node accepts: it decides which items are worth keeping."""

    sop_classes: frozenset[str]
    transfer_syntaxes: frozenset[str]

    @classmethod
    def from_contexts(cls, contexts: Sequence[PresentationContext]) -> "Offer":
        """Return what some supported contexts offer together."""
        return cls(
            frozenset(str(context.abstract_syntax) for context in contexts),
            frozenset(str(uid) for context in contexts for uid in context.transfer_syntax),
        )


def check_pdu_head(data: bytes) -> int:
    """Check the first six bytes of a connection; return the length of the PDU that follows.

    Raises
    ------
    RequestError
        They do not begin a request, or one that is too short or too long.
    """
    kind, length = PDU_HEAD.unpack_from(data)
    if kind != A_ASSOCIATE_RQ:
        raise RequestError("not a request for an association")
    if not _FIXED.size <= length <= MAXIMUM_PDU_BYTES:
        raise RequestError("request too short or too long")
    return int(length)


def read_request_head(data: bytes) -> RequestHead:
    """Read the first `HEAD_BYTES` bytes of a connection.

    Raises
    ------
    RequestError
        They are not the beginning of a request, or of one that is too long.
    """
    length = check_pdu_head(data)
    version, called, calling = _FIXED.unpack_from(data, PDU_HEAD.size)
    return RequestHead(
        rest_bytes=length - _FIXED.size,
        # Other bits announce other versions beside this one, and are not tested.
        is_version_1=bool(version & 1),
        called_ae_title=_read_title(called),
        calling_ae_title=_read_title(calling),
    )


def decode_request(head: RequestHead, items: bytes, offer: Offer) -> A_ASSOCIATE:
    """Return a request as the primitive that pynetdicom negotiates from.

    It has all presentation contexts, each with the transfer syntaxes that the node offers, or with
    the first one where there is none of them. Of the user information it has the maximum length,
    the implementation, the asynchronous operations window and the roles for offered SOP classes.
    The node answers to nothing else.

    Parameters
    ----------
    head
        What `read_request_head` read.
    items
        The rest of the PDU.
    offer
        What the node accepts.

    Raises
    ------
    RequestError
        The items do not make up a request, or are too many.
    """
    try:
        request = _read_items(items, offer)
        primitive = A_ASSOCIATE()
        primitive.application_context_name = "1.2.840.10008.3.1.1.1"
        primitive.called_ae_title = head.called_ae_title
        primitive.calling_ae_title = head.calling_ae_title
        primitive.presentation_context_definition_list = list(request.contexts.values())
        primitive.user_information = list(_list_user_items(request))
    except (ValueError, TypeError, struct.error) as error:
        # The library's checks, of titles and UIDs for example.
        raise RequestError(f"request not readable: {type(error).__name__}") from error
    return primitive


@dataclass(slots=True)
class _Request:
    """What was read of a request so far."""

    items: int = 0
    contexts: dict[int, PresentationContext] = field(default_factory=dict)
    maximum_length: int = 0
    implementation: str = ""
    operations: tuple[int, int] = (1, 1)
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    def walk(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Yield type and content of items that follow one another, and count them."""
        position = 0
        while position < len(data):
            self.items += 1
            if self.items > MAXIMUM_ITEMS:
                raise RequestError("request with too many items")
            kind, length = _ITEM_HEAD.unpack_from(data, position)
            position += _ITEM_HEAD.size
            if position + length > len(data):
                raise RequestError("item longer than what it lies in")
            yield kind, data[position : position + length]
            position += length


def _read_items(items: bytes, offer: Offer) -> _Request:
    request = _Request()
    for kind, content in request.walk(memoryview(items)):
        if kind == _ITEM_PRESENTATION_CONTEXT:
            if len(request.contexts) == MAXIMUM_CONTEXTS:
                raise RequestError("request with too many presentation contexts")
            _read_context(request, content, offer)
        elif kind == _ITEM_USER_INFORMATION:
            _read_user_information(request, content, offer)
    return request


def _read_context(request: _Request, content: memoryview, offer: Offer) -> None:
    (context_id,) = _CONTEXT_HEAD.unpack_from(content)
    abstract, proposed = "", dict[str, None]()
    for kind, value in request.walk(content[_CONTEXT_HEAD.size :]):
        if kind == _ITEM_ABSTRACT_SYNTAX:
            abstract = _read_uid(value)
        elif kind == _ITEM_TRANSFER_SYNTAX:
            proposed[_read_uid(value)] = None
    if context_id in request.contexts:
        raise RequestError("two presentation contexts with one ID")
    if not abstract or not proposed:
        raise RequestError("presentation context without its syntaxes")
    context = PresentationContext()
    context.context_id = context_id
    context.abstract_syntax = abstract
    offered = [uid for uid in proposed if uid in offer.transfer_syntaxes]
    context.transfer_syntax = offered or list(proposed)[:1]  # type: ignore[assignment]
    request.contexts[context_id] = context


def _read_user_information(request: _Request, content: memoryview, offer: Offer) -> None:
    for kind, value in request.walk(content):
        if kind == _ITEM_MAXIMUM_LENGTH:
            (request.maximum_length,) = struct.unpack(">I", value)
        elif kind == _ITEM_IMPLEMENTATION_CLASS:
            request.implementation = _read_uid(value)
        elif kind == _ITEM_ASYNCHRONOUS_OPERATIONS:
            request.operations = struct.unpack(">HH", value)
        elif kind == _ITEM_ROLE_SELECTION:
            (length,) = struct.unpack_from(">H", value)
            sop_class = _read_uid(value[2 : 2 + length])
            is_scu, is_scp = struct.unpack_from(">??", value, 2 + length)
            if sop_class in offer.sop_classes:
                request.roles[sop_class] = (is_scu, is_scp)
    if 0 < request.maximum_length < _LEAST_PEER_PDU_BYTES:
        raise RequestError("a maximum length in which nothing can be answered")


def _list_user_items(request: _Request) -> Iterator[_UserItem]:
    length = MaximumLengthNotification()
    length.maximum_length_received = request.maximum_length
    yield length
    if request.implementation:
        implementation = ImplementationClassUIDNotification()
        implementation.implementation_class_uid = request.implementation
        yield implementation
    if request.operations != (1, 1):
        window = AsynchronousOperationsWindowNegotiation()
        window.maximum_number_operations_invoked = request.operations[0]
        window.maximum_number_operations_performed = request.operations[1]
        yield window
    for sop_class, (is_scu, is_scp) in request.roles.items():
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid = sop_class
        role.scu_role, role.scp_role = is_scu, is_scp
        yield role


def _read_title(value: bytes) -> str:
    # Some devices pad with zeros instead of spaces.
    return value.decode("ascii", "replace").replace("�", "?").strip(" \0")


def _read_uid(value: memoryview) -> str:
    if len(value) > _MAXIMUM_UID_BYTES:
        raise RequestError("UID of more than 64 characters")
    return bytes(value).decode("ascii").strip(" \0")
