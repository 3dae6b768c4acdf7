"""A stock Orthanc that speaks DICOM over mutual TLS, with everything that the node asks of it."""

import hashlib
from pathlib import Path
from typing import cast

import pytest

from secondread.accept.store_requests import RetrievalReceiver
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.find import find_instances
from secondread.send.outbox import AwaitedInstance, OutboxObject
from secondread.send.retrieve import WantedStudy, retrieve_from_archive
from secondread.send.scu import send_echo, store_objects
from secondread.settings import CallTlsSettings, PriorSourceSettings
from tests.acceptance.conftest import until
from tests.peers.orthanc_peer import Orthanc, shipped_configuration
from tests.unit.accept.fakes import instance, running_node
from tests.worlds.certificates import Authority

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("Orthanc", "openssl")]


def write_object(folder: Path) -> tuple[OutboxObject, AwaitedInstance, str]:
    """Return an image to store, the same as awaited, and its study."""
    ds = instance()
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path = folder / "image.dcm"
    ds.save_as(path, enforce_file_format=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    uids = (str(ds.SOPClassUID), str(ds.SOPInstanceUID))
    awaited = AwaitedInstance(uids[0], str(ds.SeriesInstanceUID), uids[1], 0)
    return OutboxObject(*uids, path, digest), awaited, str(ds.StudyInstanceUID)


def test_store_commitment_query_and_move_work_over_mutual_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own, other = authority.issue("node"), authority.issue("orthanc")
    trusted = str(authority.certificate)
    orthanc = Orthanc(tmp_path / "orthanc")
    with running_node(tmp_path / "archive", tls=own.files | {"trusted": trusted}) as node:
        modality = shipped_configuration()["DicomModalities"]["secondread"]
        orthanc.configure(
            node.port,
            LuaScripts=[],
            DicomAet="VNA",
            DicomTlsEnabled=True,
            DicomTlsCertificate=str(other.certificate),
            DicomTlsPrivateKey=str(other.key),
            DicomTlsTrustedCertificates=trusted,
            DicomModalities={"secondread": {**modality, "Port": node.port, "UseDicomTls": True}},
        )
        orthanc.start()
        try:
            source = PriorSourceSettings(
                name="vna",
                ae_title="VNA",
                host="127.0.0.1",
                port=orthanc.port,
                timeout_seconds=10,
                tls=CallTlsSettings(
                    certificate=own.certificate, key=own.key, trusted=authority.certificate
                ),
            )
            stored, awaited, study_uid = write_object(tmp_path)

            assert send_echo(source, "SECONDREAD").ok
            (answer,) = store_objects(source, "SECONDREAD", [stored])
            assert answer.is_stored, answer.detail
            never = lambda: False  # noqa: E731
            seen = find_instances(source, "SECONDREAD", study_uid, [awaited], never)
            assert seen == {stored.sop_instance_uid}

            transaction = generate_transaction_uid()
            node.commitments.known[transaction] = "pacs"
            request_commitment(
                source, "SECONDREAD", transaction, [awaited], lambda _: (0x0110, None), 0.1
            )
            until(lambda: bool(node.commitments.reports), "the report, over TLS", 20)
            assert len(node.commitments.reports[0].committed) == 1

            moved = retrieve_from_archive(
                source, "SECONDREAD", WantedStudy(study_uid), cast(RetrievalReceiver, None), never
            )
            assert moved.is_sent
            assert [uid for uid, _ in node.ledger.instances] == [stored.sop_instance_uid]

            stranger = source.model_copy(
                update={"tls": CallTlsSettings(trusted=authority.certificate)}
            )
            refused = send_echo(stranger, "SECONDREAD")
            assert not refused.ok
            assert "demands a certificate" in refused.detail
        finally:
            orthanc.kill()
