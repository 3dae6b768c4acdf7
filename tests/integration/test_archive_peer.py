"""The demo's archive: what comes in lies there as it was sent, and goes on as it lies."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from pynetdicom import AE, _config
from pynetdicom.presentation import build_context

from secondread.demo.archive_peer import ArchivePeer
from secondread.errors import InputError
from secondread.send.outbox import AnswerKind, PeerAddress

STUDY = "1.2.826.0.1.3680043.10.77"
MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
CT = "1.2.840.10008.5.1.4.1.1.2"


def dicom_file(
    path: Path, number: int, sop_class: str = MAMMOGRAM, syntax: UID = ExplicitVRLittleEndian
) -> Path:
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"{STUDY}.{number}"
    ds.StudyInstanceUID = STUDY
    ds.TextValue = "z" * 20_000
    if syntax.is_encapsulated:
        ds.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def data_set_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    return content[132 + 12 + read_file_meta_info(path).FileMetaInformationGroupLength :]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ArchivePeer, ArchivePeer]]:
    root = tmp_path_factory.mktemp("archives")
    with ArchivePeer(root / "here", "HERE") as here, ArchivePeer(root / "there", "THERE") as there:
        yield here, there


@pytest.fixture
def here(peers: tuple[ArchivePeer, ArchivePeer]) -> ArchivePeer:
    return peers[0]


@pytest.fixture
def there(peers: tuple[ArchivePeer, ArchivePeer]) -> Iterator[ArchivePeer]:
    yield peers[1]
    shutil.rmtree(peers[1].folder, ignore_errors=True)
    peers[1]._objects.clear()
    peers[1]._received.clear()


def at(peer: ArchivePeer) -> PeerAddress:
    return PeerAddress(peer.ae_title, "127.0.0.1", peer.port, timeout_seconds=5)


def test_a_study_goes_from_archive_to_archive_unchanged_and_sorted_by_class(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path
) -> None:
    files = [
        dicom_file(tmp_path / "1", 1, syntax=JPEG2000Lossless),
        dicom_file(tmp_path / "2", 2, syntax=RLELossless),
        dicom_file(tmp_path / "3", 3, CAD_SR),
    ]
    taken = here.import_files(files)
    assert (taken.study_uids, taken.skipped) == ((STUDY,), ())
    answers = here.forward_study(STUDY, at(there))
    assert [answer.kind for answer in answers] == [AnswerKind.STORED] * 3
    received = there.list_received(STUDY)
    assert {sop_class: len(found) for sop_class, found in received.items()} == {
        MAMMOGRAM: 2,
        CAD_SR: 1,
    }
    for sent, kept in zip(files, there.list_objects(STUDY), strict=True):
        assert data_set_bytes(kept.path) == data_set_bytes(sent)
        assert (
            read_file_meta_info(kept.path).TransferSyntaxUID
            == read_file_meta_info(sent).TransferSyntaxUID
        )


def test_it_keeps_what_comes_in_pieces_too(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where a receiver of the node runs in the same process.
    monkeypatch.setattr(_config, "STORE_RECV_CHUNKED_DATASET", True)
    file = dicom_file(tmp_path / "1", 1)
    assert all(answer.is_stored for answer in here.forward([file], at(there)))
    assert data_set_bytes(there.list_objects(STUDY)[0].path) == data_set_bytes(file)


def test_what_was_put_in_by_hand_does_not_count_as_received(
    there: ArchivePeer, tmp_path: Path
) -> None:
    there.import_files([dicom_file(tmp_path / "1", 1)])
    assert len(there.list_objects(STUDY)) == 1
    assert there.list_received(STUDY) == {}


def test_files_that_are_no_dicom_are_skipped(there: ArchivePeer, tmp_path: Path) -> None:
    text = tmp_path / "README.txt"
    text.write_text("not DICOM")
    good = dicom_file(tmp_path / "1", 1)
    taken = there.import_files([text, good, tmp_path / "missing"])
    assert taken.study_uids == (STUDY,)
    assert taken.skipped == (text, tmp_path / "missing")


def test_forwarding_a_file_that_is_no_dicom_is_an_input_error(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path
) -> None:
    text = tmp_path / "README.txt"
    text.write_text("not DICOM")
    with pytest.raises(InputError, match=re.escape("README.txt")):
        here.forward([text], at(there))


def test_a_refused_context_is_named_by_class_and_transfer_syntax(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path
) -> None:
    answers = here.forward(
        [dicom_file(tmp_path / "1", 1, CT), dicom_file(tmp_path / "2", 2)], at(there)
    )
    assert [answer.kind for answer in answers] == [AnswerKind.CONTEXT_REFUSED, AnswerKind.STORED]
    assert answers[0].detail == (
        "the peer does not accept CT Image Storage in Explicit VR Little Endian or Implicit VR"
        " Little Endian"
    )


# pydicom says so too, as a warning.
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
def test_a_uid_that_is_a_path_is_refused_and_nothing_is_written(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path
) -> None:
    path = dicom_file(tmp_path / "1", 1)
    hostile = path.read_bytes().replace(STUDY.encode() + b"\x00", b"../../../../../tmp/evil.dcm")
    assert hostile != path.read_bytes()
    path.write_bytes(hostile)
    (answer,) = here.forward([path], at(there))
    assert answer.status == 0xC000
    assert not there.folder.exists() or list(there.folder.iterdir()) == []


def test_waiting_ends_when_enough_came(
    here: ArchivePeer, there: ArchivePeer, tmp_path: Path
) -> None:
    files = [dicom_file(tmp_path / str(n), n, CAD_SR) for n in (1, 2)]
    sender = threading.Thread(target=here.forward, args=(files, at(there)))
    sender.start()
    began = time.monotonic()
    assert there.wait_until(STUDY, lambda found: len(found.get(CAD_SR, ())) == 2, 30)
    assert time.monotonic() - began < 20
    sender.join(10)
    assert not there.wait_until(STUDY, lambda found: MAMMOGRAM in found, 0.05)


def test_it_answers_an_echo(here: ArchivePeer, there: ArchivePeer) -> None:
    assert here.echo(at(there)).ok


def test_it_accepts_every_class_that_results_have(there: ArchivePeer) -> None:
    entity = AE("ANY")
    classes = [
        MAMMOGRAM,
        CAD_SR,
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.88.33",
        "1.2.840.10008.5.1.4.1.1.88.34",
        "1.2.840.10008.5.1.4.1.1.11.1",
    ]
    contexts = [build_context(sop_class, ExplicitVRLittleEndian) for sop_class in classes]
    assoc = entity.associate("127.0.0.1", there.port, contexts=contexts)
    accepted = [context.abstract_syntax for context in assoc.accepted_contexts]
    assoc.release()
    assert accepted == classes


def test_a_real_compressed_exam_is_forwarded_without_transcoding(
    here: ArchivePeer, there: ArchivePeer, exams: Path
) -> None:
    files = sorted((exams / "a-ffdm-cc").glob("*.dcm"))
    (study,) = here.import_files(files).study_uids
    assert all(answer.is_stored for answer in here.forward_study(study, at(there)))
    for sent, kept in zip(files, there.list_objects(study), strict=True):
        assert data_set_bytes(kept.path) == data_set_bytes(sent)
        assert dcmread(kept.path, stop_before_pixels=True).file_meta.TransferSyntaxUID == (
            JPEG2000Lossless
        )


@pytest.mark.peer("storescu")
def test_storescu_delivers_to_it(there: ArchivePeer, tmp_path: Path) -> None:
    path = dicom_file(tmp_path / "1.dcm", 1, CAD_SR)
    subprocess.run(
        ["storescu", "-aec", "ANYTHING", "127.0.0.1", str(there.port), str(path)],
        check=True,
        timeout=30,
    )
    assert list(there.list_received(STUDY)) == [CAD_SR]
