"""Storage commitment reports that a PACS brings over an association of its own."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from secondread.accept.commitment import MAXIMUM_ITEMS, MAXIMUM_REPORT_BYTES
from secondread.accept.ledger import RefusalKind
from secondread.accept.sop_classes import STORAGE_COMMITMENT_PUSH_MODEL
from secondread.reasons import Reason
from tests.unit.accept.fakes import Node, commitment_report, eventually, instance, running_node

MG = uid.DigitalMammographyXRayImageStorageForPresentation
TRANSACTION = "2.25.7001"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path) as node:
        node.commitments.known[TRANSACTION] = "pacs"
        yield node


def call(
    node: Node,
    calling: str = "PACS",
    *others: str,
    role: bool = True,
    called: str = "SECONDREAD",
) -> Association:
    """Open an association as SCP of Storage Commitment, as PACSs do to report."""
    ae = AE(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    for sop_class in (STORAGE_COMMITMENT_PUSH_MODEL, *others):
        ae.add_requested_context(sop_class, uid.ExplicitVRLittleEndian)
    roles: list[Any] = [build_role(STORAGE_COMMITMENT_PUSH_MODEL, scp_role=True)] if role else []
    association = ae.associate(
        "127.0.0.1",
        node.port,
        ae_title=called,
        ext_neg=roles,
        evt_handlers=node.socket_handlers,
    )
    node.associations.append(association)
    return association


def send(association: Association, information: Dataset, event_type: int = 1) -> int:
    status, _ = association.send_n_event_report(
        information, event_type, STORAGE_COMMITMENT_PUSH_MODEL, StorageCommitmentPushModelInstance
    )
    return int(status.get("Status", -1))


def report(node: Node, information: Dataset, event_type: int = 1) -> int:
    association = call(node)
    assert association.is_established
    answer = send(association, information, event_type)
    association.release()
    return answer


def test_a_report_from_a_destination_that_is_no_peer_is_taken(node: Node) -> None:
    assert report(node, commitment_report(TRANSACTION, ["1.1"], {"1.2": 0x0112}), 2) == 0x0000
    (taken,) = node.commitments.reports
    assert taken.committed == {"1.1"}
    assert taken.refused == {"1.2": 0x0112}


def test_a_peer_may_report_too_and_is_no_destination_for_it(node: Node) -> None:
    association = call(node, "MOD", MG)
    assert len(association.accepted_contexts) == 2
    assert send(association, commitment_report(TRANSACTION, ["1.1"], {})) == 0x0000


def test_the_pacs_is_given_the_role_that_it_asks_for(node: Node) -> None:
    (context,) = call(node).accepted_contexts
    assert context.as_scp


def test_a_pacs_that_takes_its_role_for_granted_is_heard(node: Node) -> None:
    association = call(node, role=False)
    association.accepted_contexts[0]._as_scp = True  # it does not look at what was negotiated
    assert send(association, commitment_report(TRANSACTION, ["1.1"], {})) == 0x0000


def test_a_destination_that_is_no_peer_may_report_and_nothing_else(node: Node) -> None:
    association = call(node, "PACS", MG, "1.2.840.10008.1.1")
    assert [cx.abstract_syntax for cx in association.accepted_contexts] == [
        STORAGE_COMMITMENT_PUSH_MODEL
    ]
    association.release()
    assert eventually(lambda: len(node.ledger.refusals) == 1)
    (refusal,) = node.ledger.refusals
    assert (refusal.kind, refusal.sop_class_uid) == (RefusalKind.CONTEXT, MG)
    assert (node.ledger.opened, node.files) == ([], [])


def test_a_destination_that_does_not_propose_reports_is_an_unknown_peer(
    node: Node,
) -> None:
    association = node.call(MG, calling="PACS")
    assert association.is_rejected
    assert eventually(lambda: bool(node.ledger.refusals))
    assert node.ledger.refusals[0].reason is Reason.CALLING_AE_UNKNOWN


@pytest.mark.parametrize(
    ("calling", "called"),
    [("STRANGER", "SECONDREAD"), ("FAR", "SECONDREAD"), ("PACS", "OTHER")],
    ids=["a stranger", "a peer from elsewhere", "a destination that calls another"],
)
def test_nobody_else_may_report(node: Node, calling: str, called: str) -> None:
    assert call(node, calling, called=called).is_rejected


def test_instances_do_not_come_in_over_the_context_of_reports(node: Node) -> None:
    association = call(node)
    for sop_class in (MG, STORAGE_COMMITMENT_PUSH_MODEL):
        ds = instance(sop_class=sop_class)
        association.accepted_contexts[0].abstract_syntax = uid.UID(sop_class)
        association.accepted_contexts[0]._as_scu = True
        if not association.is_established:
            association = call(node)
        assert association.send_c_store(ds).get("Status", 0xC000) != 0x0000
    assert node.ledger.instances == {}
    assert report(node, commitment_report(TRANSACTION, ["1.1"], {})) == 0x0000


def test_a_report_that_comes_twice_is_answered_success_twice(node: Node) -> None:
    twice = commitment_report(TRANSACTION, ["1.1"], {})
    assert [report(node, twice), report(node, twice)] == [0x0000, 0x0000]
    assert len(node.commitments.reports) == 1


def test_a_transaction_that_nobody_asked_for_is_an_invalid_argument(node: Node) -> None:
    assert report(node, commitment_report("2.25.404", ["1.1"], {})) == 0x0115
    assert node.commitments.reports == []


def test_a_report_while_the_database_is_away_is_not_answered_success(node: Node) -> None:
    node.commitments.away = True
    information = commitment_report(TRANSACTION, ["1.1"], {})
    assert report(node, information) == 0x0110
    node.commitments.away = False
    assert report(node, information) == 0x0000


def test_an_unknown_event_type_is_answered_as_one(node: Node) -> None:
    assert report(node, commitment_report(TRANSACTION, ["1.1"], {}), 3) == 0x0113


def raw_report(node: Node, data: bytes | None) -> int:
    """Send bytes as the Event Information, whatever they are."""
    association = call(node)
    request = N_EVENT_REPORT()
    request.MessageID = 1
    request.AffectedSOPClassUID = STORAGE_COMMITMENT_PUSH_MODEL
    request.AffectedSOPInstanceUID = StorageCommitmentPushModelInstance
    request.EventTypeID = 1
    request.EventInformation = None if data is None else BytesIO(data)
    association._reactor_checkpoint.clear()
    context_id = association.accepted_contexts[0].context_id
    assert context_id is not None
    association.dimse.send_msg(request, context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    return -1 if answer is None or answer.Status is None else int(answer.Status)


_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_SEQUENCE = b"\x08\x00\x99\x11SQ\x00\x00\xff\xff\xff\xff"
HOSTILE: dict[str, tuple[bytes | None, int]] = {
    "too long": (b"\x09\x00\x10\x00UN\x00\x00" + b"\x00" * MAXIMUM_REPORT_BYTES, 0x0213),
    "too many items": (
        _SEQUENCE + b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * (MAXIMUM_ITEMS + 1),
        0x0213,
    ),
    "nested without end": ((_SEQUENCE + _ITEM) * 3000, 0x0115),
    "no data set": (b"GET / HTTP/1.1\r\n\r\n", 0x0115),
    "cut": (_SEQUENCE + _ITEM, 0x0115),
    "wrong VR": (b"\x08\x00\x95\x11US\x02\x00\x01\x00" + b"\x08\x00\x99\x11LO\x02\x00ab", 0x0115),
    "empty": (None, 0x0115),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_report_costs_an_error_and_nobody_else_anything(node: Node, kind: str) -> None:
    data, expected = HOSTILE[kind]
    assert raw_report(node, data) == expected
    assert report(node, commitment_report(TRANSACTION, ["1.1"], {})) == 0x0000
