"""DCMTK's storescu as the modality: other implementations, other encodings."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from tests.unit.accept.fakes import instance, running_node


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
