"""With its presentation state an image looks as it looks without one, drawn by DCMTK."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from secondread.reasons import Outcome
from secondread.report.encoding import encode_file
from secondread.report.pages.presentation_states import build_presentation_states
from secondread.report.result import Authorship
from secondread.settings import ProfileSettings
from tests.unit.report.readings import (
    FIRST_OCCASION,
    NODE,
    UIDS,
    index_by_uid,
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("dcmp2pgm", "dcmj2pnm")]

BY = Authorship(NODE, UIDS, FIRST_OCCASION, ProfileSettings())
WINDOW = {"WindowCenter": "2048", "WindowWidth": "3000"}
ROOTS = [int(4095 * (k / 4095) ** 0.5) for k in range(4096)]


def table(first: int, bits: int = 16) -> Dataset:
    item = Dataset()
    item.add(DataElement(0x00283002, "SS" if first < 0 else "US", [4096, first, bits]))
    item.add(DataElement(0x00283006, "US", ROOTS))
    return item


def ramp(lowest: int, **attributes: object) -> Dataset:
    """Return an image whose pixels go from the lowest value of 12 bits to the highest."""
    attributes = {"PixelRepresentation": int(lowest < 0), **attributes}
    ds = make_header("LCC", Rows=600, Columns=600, SamplesPerPixel=1, **attributes)
    row = np.linspace(lowest, lowest + 4095, 600).astype("<i4").astype("<u2")
    ds.PixelData = np.tile(row, (600, 1)).tobytes()
    return ds


def draw(*command: str | Path, into: Path) -> npt.NDArray[np.float64]:
    subprocess.run([*command, into], check=True, capture_output=True, timeout=60)
    return np.asarray(Image.open(into).convert("L"), np.float64)


@pytest.mark.parametrize(
    ("image", "voi"),
    [
        (ramp(0), ()),
        (ramp(-2048, RescaleIntercept="2048", RescaleSlope="1", **WINDOW), ("+Wi", "1")),
        (ramp(-2048, WindowCenter="-100", WindowWidth="3000"), ("+Wi", "1")),
        (ramp(0, ModalityLUTSequence=[table(0)], **WINDOW), ("+Wi", "1")),
        (ramp(-2048, ModalityLUTSequence=[table(-2048)], **WINDOW), ("+Wi", "1")),
        (ramp(-2048, VOILUTSequence=[table(-2048, 12)]), ("+Wl", "1")),
        (ramp(0, VOILUTFunction="SIGMOID", **WINDOW), ("+Wi", "1")),
        (ramp(0, PhotometricInterpretation="MONOCHROME1", **WINDOW), ("+Wi", "1")),
        (ramp(0, PresentationLUTShape="INVERSE", **WINDOW), ("+Wi", "1")),
    ],
    ids=[
        "no window",
        "signed",
        "signed without rescale",
        "table",
        "signed table",
        "VOI table",
        "sigmoid",
        "MONOCHROME1",
        "inverse",
    ],
)
def test_an_image_looks_the_same_with_its_state(
    image: Dataset, voi: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "image.dcm").write_bytes(encode_file(image))
    read = pydicom.dcmread(tmp_path / "image.dcm")
    marked = make_image_reading(read, make_cluster())
    reading = make_study_reading(Outcome.FINDINGS, marked)
    (state,) = build_presentation_states(reading, index_by_uid(read), BY)
    (tmp_path / "state.dcm").write_bytes(encode_file(state.dataset))

    seen = draw(
        "dcmp2pgm", "-p", tmp_path / "state.dcm", tmp_path / "image.dcm", into=tmp_path / "a.pgm"
    )
    expected = draw("dcmj2pnm", *voi, tmp_path / "image.dcm", into=tmp_path / "b.pgm")
    assert expected.std() > 30
    assert np.abs(seen - expected).mean() < 1
