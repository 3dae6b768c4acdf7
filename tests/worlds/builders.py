"""Small valid values for tests; each test overrides what it is about."""

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass, View
from secondread.detect.marks import Detection, Mark
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def header(**attributes: object) -> Dataset:
    """The header of a left cranio-caudal For Presentation image."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.4"
    ds.PatientID, ds.IssuerOfPatientID, ds.PatientName = "P1", "HOSPITAL", "Test^Patient"
    ds.StudyDate, ds.StudyTime = "20260105", "101500"
    ds.AcquisitionDate, ds.AcquisitionTime = "20260105", "101730"
    ds.Modality = "MG"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.ImageLaterality = "L"
    ds.ViewCodeSequence = Sequence([coded("399162004", "SCT", "cranio-caudal")])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
    ds.PatientOrientation = ["A", "R"]
    ds.Rows, ds.Columns = 1000, 800
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.ImagerPixelSpacing = [0.07, 0.07]
    with disable_value_validation():  # so that tests can write what makers write
        for keyword, value in attributes.items():
            ds.pop(keyword, None)
            if value is not None:
                setattr(ds, keyword, value)
    return ds


def view_sequence(view: View, *modifiers: tuple[str, str]) -> Sequence:
    item = coded(view.code.value, view.code.scheme, view.code.meaning)
    item.ViewModifierCodeSequence = Sequence([coded(v, s, "modifier") for v, s in modifiers])
    return Sequence([item])


def mammogram(**attributes: object) -> Mammogram:
    return Mammogram.from_dataset(header(**attributes))


def mark(
    col: float, row: float, score: float = 0.9, mark_class: MarkClass = MarkClass.CALCIFICATION
) -> Mark:
    return Mark(PointPx(col, row), score, mark_class, diameter_mm=0.3, contrast=8.0)


def detection(uid: str, *marks: Mark, status: ImageStatus = ImageStatus.READ) -> Detection:
    return Detection(uid, status, (), marks, {"breast_cm2": 120.0}, None, 0.5)
