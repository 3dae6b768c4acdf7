"""DCMTK's storescu as the modality: other implementations, other encodings."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from secondread.accept.dispositions import Disposition
from secondread.accept.sop_classes import SOP_CLASSES, InstanceUse
from tests.unit.accept.fakes import instance, running_node

MAMMOGRAM = uid.DigitalMammographyXRayImageStorageForPresentation


def image(folder: Path, coder: tuple[str, ...]) -> Path:
    """A complete small image, encoded by one of DCMTK's programs."""
    ds = instance()
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    ds.PixelData = b"".join((number % 4096).to_bytes(2, "little") for number in range(64 * 48))
    ds["PixelData"].VR = "OW"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    plain, coded = folder / "plain.dcm", folder / "coded.dcm"
    ds.save_as(plain, enforce_file_format=True)
    subprocess.run([*coder, plain, coded], check=True, timeout=30)
    return coded


@pytest.mark.peer("storescu", "dcmconv", "dcmcjpeg", "dcmcjpls", "dcmcrle")
@pytest.mark.parametrize(
    ("coder", "proposal", "syntax"),
    [
        (("dcmconv", "+te"), "-xe", uid.ExplicitVRLittleEndian),
        (("dcmconv", "+ti"), "-xi", uid.ImplicitVRLittleEndian),
        (("dcmconv", "+td"), "-xd", uid.DeflatedExplicitVRLittleEndian),
        (("dcmcjpeg",), "-xs", uid.JPEGLosslessSV1),
        (("dcmcjpls",), "-xt", uid.JPEGLSLossless),
        (("dcmcrle",), "-xr", uid.RLELossless),
    ],
)
def test_storescu_delivers_in_every_encoding(
    tmp_path: Path, coder: tuple[str, ...], proposal: str, syntax: str
) -> None:
    sent = image(tmp_path, coder)
    with running_node(tmp_path / "archive") as node:
        command = ["storescu", "-R", proposal, "-aet", "MOD", "-aec", "SECONDREAD"]
        subprocess.run([*command, "127.0.0.1", str(node.port), sent], check=True, timeout=30)
        (stored,) = node.ledger.instances.values()
        assert stored.transfer_syntax == syntax
        kept = dcmread(node.archive.resolve_path(stored.relative_path))
        assert kept.file_meta.TransferSyntaxUID == syntax
        assert kept.PixelData == dcmread(sent).PixelData


def write_study(folder: Path, *beside: str) -> list[Path]:
    """Return the files of a study: objects of these classes first, then two images."""
    paths = []
    for number, sop_class in enumerate([*beside, MAMMOGRAM, MAMMOGRAM]):
        ds = instance(number, sop_class)
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        paths.append(folder / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


@pytest.mark.peer("storescu")
def test_storescu_which_halts_at_a_refusal_sends_a_study_to_its_end(tmp_path: Path) -> None:
    beside = [row.uid for row in SOP_CLASSES if row.use is InstanceUse.NOT_ANALYSED]
    beside.append(uid.KeyObjectSelectionDocumentStorage)
    sent = write_study(tmp_path, *beside)
    with running_node(tmp_path / "archive") as node:
        command = ["storescu", "-R", "-xe", "-aet", "MOD", "-aec", "SECONDREAD"]
        subprocess.run([*command, "127.0.0.1", str(node.port), *sent], check=True, timeout=30)
        stored = [item.disposition for item in node.ledger.instances.values()]
    assert stored == [Disposition.NOT_ANALYSED] * len(beside) + [Disposition.MAMMOGRAM] * 2
