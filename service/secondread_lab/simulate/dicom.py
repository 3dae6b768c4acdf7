"""A simulated view as a DICOM object of the two digital mammography image classes.

PS3.3 A.27 (Digital Mammography X-Ray Image IOD). Patient, institution and manufacturer are
obviously invented.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
)

from secondread import __version__
from secondread.assemble.intent import Intent
from secondread.codes import Code, Laterality, View
from secondread.report.sr.uids import derive_uid
from secondread_lab.simulate.acquisition import XRayDetector
from secondread_lab.simulate.projection import Positioning
from secondread_lab.simulate.vendors import Vendor

IMPLEMENTATION_UID = derive_uid("secondread", "simulate")
ISSUER = "SIMULATED"
PATIENT_NAME = "Simulated^Exam"

_BREAST = Code("76752008", "SCT", "Breast")


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """Identity that all images of one study share."""

    key: str
    """Text that UIDs are derived from; equal keys give equal UIDs."""
    patient_id: str
    taken_at: datetime
    """Of the study; its images follow a minute apart."""

    def derive_uid(self, *parts: str) -> str:
        """Return the UID of a part of the study."""
        return derive_uid("secondread-simulate", self.key, self.taken_at.isoformat(), *parts)


@dataclass(frozen=True, slots=True)
class ViewIdentity:
    """Identity of one image within its study."""

    study: StudyIdentity
    laterality: Laterality
    view: View
    number: int
    """Instance Number, from 1."""
    has_source: bool = False
    """Whether a For Processing image of the view is written too."""

    @property
    def label(self) -> str:
        """Side and view, for example ``LCC``."""
        return self.laterality.letter + self.view.name

    def derive_instance_uid(self, intent: Intent) -> str:
        """SOP Instance UID of the view's image of an intent."""
        return self.study.derive_uid("instance", self.label, intent.value)


def build_mammogram(
    identity: ViewIdentity,
    intent: Intent,
    pixels: npt.NDArray[np.uint16],
    vendor: Vendor,
    detector: XRayDetector,
    positioning: Positioning,
) -> FileDataset:
    """Return the DICOM object of one image, ready to be written."""
    sop_class = (
        DigitalMammographyXRayImageStorageForPresentation
        if intent is Intent.PRESENTATION
        else DigitalMammographyXRayImageStorageForProcessing
    )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = UID(identity.derive_instance_uid(intent))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = f"SECONDREAD{__version__}"[:16]
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, identity.derive_instance_uid(intent)
    _add_identity(ds, identity, intent)
    _add_equipment(ds, vendor, detector)
    _add_acquisition(ds, identity, positioning, vendor)
    _add_grey_scale(ds, intent, vendor, detector)
    ds.Rows, ds.Columns = pixels.shape
    # Pixel Data has an even length (PS3.5 section 8.1.1): pixels of two bytes need no padding.
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _add_identity(ds: Dataset, identity: ViewIdentity, intent: Intent) -> None:
    study = identity.study
    taken = study.taken_at + timedelta(minutes=identity.number)
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = PATIENT_NAME, study.patient_id, ISSUER
    ds.PatientBirthDate, ds.PatientSex = "19640101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = (
        study.derive_uid("study"),
        study.derive_uid("series", intent.value),
    )
    ds.StudyDate, ds.StudyTime = f"{study.taken_at:%Y%m%d}", f"{study.taken_at:%H%M%S}"
    ds.SeriesDate, ds.SeriesTime = ds.StudyDate, ds.StudyTime
    for keyword in ("Acquisition", "Content"):
        setattr(ds, f"{keyword}Date", f"{taken:%Y%m%d}")
        setattr(ds, f"{keyword}Time", f"{taken:%H%M%S}")
    ds.StudyID, ds.AccessionNumber = f"{study.taken_at:%y%m%d}", f"SIM{study.taken_at:%y%m%d}"
    ds.StudyDescription = "SIMULATED FOLLOW-UP MAMMOGRAM"
    ds.ReferringPhysicianName = ""
    ds.SeriesNumber = 1 if intent is Intent.PRESENTATION else 2
    ds.InstanceNumber = identity.number
    ds.Modality, ds.PresentationIntentType = "MG", intent.value
    ds.InstitutionName = "SIMULATED"
    if intent is Intent.PRESENTATION:
        ds.ImageType = ["DERIVED", "PRIMARY"]
        if identity.has_source:
            _add_source(ds, identity)
    else:
        ds.ImageType = ["ORIGINAL", "PRIMARY"]


def _add_source(ds: Dataset, identity: ViewIdentity) -> None:
    source = Dataset()
    source.ReferencedSOPClassUID = DigitalMammographyXRayImageStorageForProcessing
    source.ReferencedSOPInstanceUID = identity.derive_instance_uid(Intent.PROCESSING)
    source.PurposeOfReferenceCodeSequence = Sequence(
        [_make_code_item(Code("121321", "DCM", "For Processing predecessor"))]
    )
    source.SpatialLocationsPreserved = "YES"
    ds.SourceImageSequence = Sequence([source])


def _add_equipment(ds: Dataset, vendor: Vendor, detector: XRayDetector) -> None:
    ds.Manufacturer, ds.ManufacturerModelName = vendor.manufacturer, vendor.name.upper()
    ds.DeviceSerialNumber, ds.SoftwareVersions = "SIM-1", __version__
    ds.DetectorType = "SCINTILLATOR" if detector.noise_blur_px > 0 else "DIRECT"
    ds.DetectorID = "SIM-1"
    ds.ImagerPixelSpacing = [detector.pitch_mm, detector.pitch_mm]
    ds.DetectorActiveShape = "RECTANGLE"
    ds.FieldOfViewShape = "RECTANGLE"


def _add_acquisition(
    ds: Dataset, identity: ViewIdentity, positioning: Positioning, vendor: Vendor
) -> None:
    left, cc = identity.laterality is Laterality.LEFT, identity.view.is_cc_like
    ds.ImageLaterality = identity.laterality.letter
    # Rows run from the chest wall to the nipple of a left breast, the other way on the right;
    # columns run to the feet, in an oblique view also towards the other side.
    rows, medial = ("A", "R") if left else ("P", "L")
    ds.PatientOrientation = [rows, medial if cc else "F" + medial]
    view = _make_code_item(identity.view.code)
    view.ViewModifierCodeSequence = Sequence([])
    ds.ViewCodeSequence = Sequence([view])
    ds.AnatomicRegionSequence = Sequence([_make_code_item(_BREAST)])
    ds.BodyPartExamined, ds.OrganExposed = "BREAST", "BREAST"
    ds.PositionerType = "MAMMOGRAPHIC"
    ds.PositionerPrimaryAngle = round(-positioning.beam_deg if left else positioning.beam_deg)
    ds.BodyPartThickness = round(positioning.thickness_mm, 1)
    ds.CompressionForce = 110
    ds.KVP, ds.AnodeTargetMaterial, ds.FilterMaterial = 29, "TUNGSTEN", "RHODIUM"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = 660, 640
    ds.EstimatedRadiographicMagnificationFactor = 1.03125
    ds.ExposureControlMode = "AUTOMATIC"
    ds.RelativeXRayExposure = round(vendor.quanta_per_mm2 / 1e3)
    ds.AcquisitionContextSequence = Sequence([])
    ds.BreastImplantPresent, ds.PartialView = "NO", "NO"


def _add_grey_scale(ds: Dataset, intent: Intent, vendor: Vendor, detector: XRayDetector) -> None:
    presented = intent is Intent.PRESENTATION
    bits = vendor.processing.bits if presented else detector.bits
    photometric = vendor.processing.photometric if presented else "MONOCHROME1"
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PresentationLUTShape = "IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"
    # Sign 1: lower values mean less exposure (PS3.3 C.8.11.3.1.2).
    darkest_first = photometric == "MONOCHROME2"
    ds.PixelIntensityRelationship = "LOG" if presented else "LIN"
    ds.PixelIntensityRelationshipSign = -1 if presented and darkest_first else 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.BurnedInAnnotation, ds.QualityControlImage = "NO", "NO"
    ds.LossyImageCompression = "00"
    if presented:
        ds.WindowCenter, ds.WindowWidth = 2 ** (bits - 1), 2**bits
        ds.WindowCenterWidthExplanation = "STANDARD"


def _make_code_item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme
    item.CodeMeaning = code.meaning
    return item
