import time

import pytest
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE

from secondread.accept.application_entity import build_application_entity
from secondread.accept.association_request import (
    HEAD_BYTES,
    Offer,
    RequestError,
    decode_request,
    read_request_head,
)
from secondread.settings import Settings
from tests.peers.raw_requests import (
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    context,
    item,
    request,
    role,
    user_information,
)

OFFER = Offer.from_contexts(build_application_entity(Settings()).supported_contexts)


def decode(pdu: bytes) -> A_ASSOCIATE:
    return decode_request(read_request_head(pdu[:HEAD_BYTES]), pdu[HEAD_BYTES:], OFFER)


def describe(primitive: A_ASSOCIATE) -> tuple[object, ...]:
    return (
        primitive.called_ae_title,
        primitive.calling_ae_title,
        [
            (cx.context_id, cx.abstract_syntax, cx.transfer_syntax)
            for cx in primitive.presentation_context_definition_list
        ],
        primitive.maximum_length_received,
        primitive.implementation_class_uid,
    )


def test_a_request_reads_as_the_library_reads_it() -> None:
    pdu = request(
        context(1, VERIFICATION, (IMPLICIT, EXPLICIT)), context(3, "1.2.9"), user_information()
    )
    by_library = A_ASSOCIATE_RQ()
    by_library.decode(pdu)
    assert describe(decode(pdu)) == describe(by_library.to_primitive())


def test_only_what_the_node_answers_to_becomes_an_object() -> None:
    others = [f"1.2.3.{number}" for number in range(30)]
    pdu = request(
        context(1, VERIFICATION, (*others, EXPLICIT)),
        context(3, VERIFICATION, others),
        user_information(
            role(VERIFICATION, scu=False, scp=True),
            role("1.2.9", scu=True, scp=True),
            item(0x56, b"\x00\x051.2.9extended"),
            item(0x58, b"\x01\x00\x00\x04user\x00\x00"),
        ),
    )
    primitive = decode(pdu)
    assert [cx.transfer_syntax for cx in primitive.presentation_context_definition_list] == [
        [EXPLICIT],
        ["1.2.3.0"],
    ]
    kinds = [type(user_item).__name__ for user_item in primitive.user_information]
    assert kinds == [
        "MaximumLengthNotification",
        "ImplementationClassUIDNotification",
        "SCP_SCU_RoleSelectionNegotiation",
    ]


@pytest.mark.parametrize("padding", [" ", "\0"])
def test_titles_are_read_without_what_pads_them(padding: str) -> None:
    head = read_request_head(request(calling="MOD".ljust(16, padding))[:HEAD_BYTES])
    assert (head.calling_ae_title, head.called_ae_title) == ("MOD", "SECONDREAD")


def test_a_title_that_is_not_ascii_is_nobodys() -> None:
    assert read_request_head(request(calling="MÖD")[:HEAD_BYTES]).calling_ae_title == "M?D"


@pytest.mark.parametrize(("version", "is_spoken"), [(1, True), (3, True), (2, False)])
def test_other_versions_may_be_spoken_beside_the_first(version: int, is_spoken: bool) -> None:
    assert read_request_head(request(version=version)[:HEAD_BYTES]).is_version_1 is is_spoken


BROKEN = {
    "no request": b"\x04" + request()[1:],
    "too short": b"\x01\x00\x00\x00\x00\x10" + bytes(68),
    "too long": b"\x01\x00\x00\x02\x00\x01" + bytes(68),
}


@pytest.mark.parametrize("pdu", BROKEN.values(), ids=BROKEN)
def test_what_begins_no_request_is_refused_by_its_head(pdu: bytes) -> None:
    with pytest.raises(RequestError):
        read_request_head(pdu[:HEAD_BYTES])


LIMITS = {
    "129 contexts": request(*(context(number * 2 % 256 + 1) for number in range(129))),
    "4,097 transfer syntaxes": request(context(1, VERIFICATION, ("1.2",) * 4094)),
    "items at the top": request(*[item(0x77, b"")] * 4096),
    "user items": request(context(), user_information(*[item(0x56, b"")] * 4096)),
    "item beyond its end": request(context()[:-1]),
    "sub-item beyond its end": request(item(0x20, bytes(4) + b"\x30\x00\xff\xff1.2")),
    "half an item head": request(b"\x20\x00"),
    "context without syntaxes": request(item(0x20, bytes([1, 0, 0, 0]))),
    "context with an even ID": request(context(2)),
    "two contexts of one ID": request(context(1), context(1)),
    "UID of 65 characters": request(context(1, "1." + "2" * 63)),
    "UID that is no text": request(item(0x20, bytes([1, 0, 0, 0]) + item(0x30, b"\xff"))),
    "maximum length in which nothing fits": request(context(), user_information(maximum_length=7)),
    "no calling title": request(context(), calling=""),
}


@pytest.mark.parametrize("pdu", LIMITS.values(), ids=LIMITS)
def test_what_is_no_request_or_beyond_a_limit_is_an_error_of_ours(pdu: bytes) -> None:
    with pytest.raises(RequestError):
        decode(pdu)


def test_the_most_that_is_let_through_takes_little_of_the_processor() -> None:
    syntaxes = [f"1.2.840.10008.1.2.4.{number}" for number in range(25)]
    largest = [
        request(*(context(2 * n + 1, f"1.2.3.{n}", syntaxes) for n in range(128))),
        request(
            context(),
            user_information(*(role(f"1.2.{n}", scu=True, scp=True) for n in range(3900))),
        ),
    ]
    for pdu in largest:
        started = time.thread_time()
        decode(pdu)
        # The limit is 0.1 s for the whole association; what it takes is a tenth of that.
        assert time.thread_time() - started < 0.1
