import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pydicom import uid
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import build_context

from secondread.accept.application_entity import configure_process
from secondread.accept.archive import Archive
from secondread.accept.spool_file import SpoolFile
from secondread.accept.upper_layer import BoundedDimse
from tests.peers.hostile_peers import MG, make_command


@pytest.fixture(params=["of a peer", "of a C-GET"])
def dimse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BoundedDimse]:
    """One that writes to the spool, as for an association that a peer opened, or the node."""
    archive = Archive(tmp_path)
    archive.create()
    context = build_context(MG, uid.ExplicitVRLittleEndian)
    association = SimpleNamespace(
        _accepted_cx={1: context},
        dul=SimpleNamespace(event_queue=queue.Queue()),
        dimse_timeout=None,
    )

    def open_file() -> SpoolFile:
        return archive.open_spool_file("test-")

    opener: Callable[[], SpoolFile] | None = open_file if request.param == "of a peer" else None
    with configure_process(None if opener else archive.spool):
        yield BoundedDimse(cast(Association, association), opener)


def list_spooled(folder: Path) -> list[Path]:
    return list((folder / "spool").iterdir())


def receive(dimse: BoundedDimse, *fragments: bytes) -> None:
    """Take fragments with their message control headers, all in one PDU."""
    primitive = P_DATA()
    primitive.presentation_data_value_list.extend((1, fragment) for fragment in fragments)
    dimse.receive_primitive(primitive)


def test_a_command_and_its_data_set_may_come_in_one_pdu(
    dimse: BoundedDimse, tmp_path: Path
) -> None:
    receive(dimse, b"\x03" + make_command("1.2.3"), b"\x00first", b"\x02last")
    _, request = dimse.get_msg()
    assert request is not None
    (path,) = list_spooled(tmp_path)
    assert request._dataset_file is not None
    request._dataset_file.close()
    content = path.read_bytes()
    assert content[128:132] == b"DICM"
    assert content.endswith(b"firstlast")
    assert dimse.message is None


def test_what_is_half_received_is_removed_when_the_association_has_ended(
    dimse: BoundedDimse, tmp_path: Path
) -> None:
    receive(dimse, b"\x03" + make_command("1.2.3"), b"\x00first")
    assert len(list_spooled(tmp_path)) == 1
    assert dimse.discard_unfinished()
    assert list_spooled(tmp_path) == []


def test_what_came_whole_and_was_not_taken_over_is_removed_too(
    dimse: BoundedDimse, tmp_path: Path
) -> None:
    for number in range(3):
        receive(dimse, b"\x03" + make_command(f"1.2.{number}"), b"\x02data")
    kept = list_spooled(tmp_path)[0].rename(tmp_path / "kept.dcm")
    assert not dimse.discard_unfinished()
    assert list_spooled(tmp_path) == []
    assert kept.exists()
