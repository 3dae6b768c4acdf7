"""What the gates see of whole images: each with one that trips it and one that just does not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from secondread.assemble.mammogram import Mammogram
from secondread.detect.gates import GateResult, check_header, combine_measurements
from secondread.detect.prepare import prepare_image
from secondread.reasons import ImageStatus, Reason
from tests.unit.detect.pictures import Stored, breast_image, dataset

PITCH = [0.1, 0.1]


def picture(rows: int = 800, columns: int = 700) -> Stored:
    return breast_image(rows, columns)  # 27 cm2 at 0.1 mm


def judge(ds: Dataset) -> GateResult:
    """What header and pixels together make of an image."""
    mammogram = Mammogram.from_dataset(ds)
    return combine_measurements(
        [*check_header(mammogram), *prepare_image(ds, mammogram, 0.07).measurements]
    )


def image_at(stored: Stored, **attributes: object) -> Dataset:
    return dataset(stored, **{"ImagerPixelSpacing": PITCH, **attributes})


def _saturated(side: int) -> Dataset:
    image = picture()
    image[300 : 300 + side, 100 : 100 + side] = 4095
    return image_at(image)


def _saturated_of_large(side: int) -> Dataset:
    image = breast_image(1600, 1400)  # 132 cm2 at 0.11 mm
    image[600 : 600 + side, 200 : 200 + side] = 4095
    return image_at(image, ImagerPixelSpacing=[0.11, 0.11])


def _levels(number: int) -> Dataset:
    step = 1024 // number
    return image_at(np.asarray(picture(1000, 800) // step * step, np.uint16))


def _cut(columns: int) -> Dataset:
    """A breast cut off in front; all of it is 490 columns deep."""
    return image_at(np.ascontiguousarray(picture(1100, 700)[:, :columns]))


def _filling() -> Dataset:
    """A piece of a breast, with air in one corner."""
    return image_at(np.ascontiguousarray(picture(1500, 1600)[:750, :1000]))


def _raw(*, sign: int) -> Dataset:
    """A For Processing image whose header states one direction of the exposure."""
    exposure = np.asarray(np.rint(4000 * np.exp(picture() / -500.0)) + 10, np.uint16)
    return image_at(
        exposure,
        SOPClassUID=DigitalMammographyXRayImageStorageForProcessing,
        PresentationIntentType="FOR PROCESSING",
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=sign,
    )


def _presentation_called_processing() -> Dataset:
    ds = image_at(picture())
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForProcessing
    ds.PresentationIntentType = "FOR PROCESSING"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LIN", 1
    return ds


@pytest.mark.parametrize(
    ("trips", "spares", "reason"),
    [
        (lambda: image_at(np.zeros((800, 700), np.uint16)), lambda: image_at(picture()), None),
        (
            lambda: image_at(picture(), ImagerPixelSpacing=[0.08, 0.08]),
            lambda: image_at(picture(), ImagerPixelSpacing=[0.09, 0.09]),
            Reason.BREAST_AREA,
        ),
        (lambda: _saturated(60), lambda: _saturated(40), Reason.SATURATED),
        (
            lambda: image_at(4095 - picture()),
            lambda: image_at(4095 - picture(), PhotometricInterpretation="MONOCHROME1"),
            Reason.POLARITY,
        ),
        (lambda: _raw(sign=-1), lambda: _raw(sign=1), Reason.POLARITY),
        (_presentation_called_processing, lambda: image_at(picture()), Reason.POLARITY),
        (_filling, lambda: _cut(500), Reason.BREAST_CUT_OFF),
    ],
    ids=[
        "no breast", "small", "saturated", "negative", "raw negative", "intent", "fills the frame",
    ],
)  # fmt: skip
def test_an_image_is_refused_and_one_that_is_nearly_so_is_read(
    trips: Callable[[], Dataset], spares: Callable[[], Dataset], reason: Reason | None
) -> None:
    result = judge(trips())

    assert result.is_refused
    assert (reason or Reason.BREAST_NOT_FOUND) in result.reasons
    assert judge(spares()).status is ImageStatus.READ, judge(spares()).reasons


@pytest.mark.parametrize(
    ("trips", "spares", "reason"),
    [
        (
            lambda: _saturated_of_large(93),
            lambda: _saturated_of_large(90),
            Reason.SATURATED_AREA,
        ),
        (lambda: _levels(200), lambda: image_at(picture()), Reason.FEW_LEVELS),
        (lambda: _cut(470), lambda: _cut(495), Reason.BREAST_CUT_OFF),
    ],
    ids=["implant", "8 bits in 12", "cut off in front"],
)
def test_an_image_is_flagged_and_one_that_is_nearly_so_is_read(
    trips: Callable[[], Dataset], spares: Callable[[], Dataset], reason: Reason
) -> None:
    result = judge(trips())

    assert (result.status, result.reasons) == (ImageStatus.FLAGGED, (reason,))
    assert judge(spares()).status is ImageStatus.READ, judge(spares()).reasons


def test_a_posterised_image_is_refused() -> None:
    image = cv2.blur(picture(), (9, 9))
    result = judge(image_at(np.asarray(image // 40 * 40, np.uint16)))

    assert result.is_refused
    assert Reason.FEW_LEVELS in result.reasons


def test_what_was_measured_is_told_in_plain_values() -> None:
    values = judge(image_at(picture())).values

    assert values["borders_reached"] == "left"
    assert values["saturated_area_cm2"] == 0.0
    assert isinstance(values["grey_levels"], int)
