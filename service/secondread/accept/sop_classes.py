"""What the node negotiates as an SCP: SOP classes, transfer syntaxes, and what becomes of each.

This table is the single source for the association acceptor, for the classification of what
arrives, and for the conformance statement (PS3.2). What is offered is what has a use, and what
comes beside mammograms in one study: senders forward a study whole, and many stop in the middle of
it at the first object that is refused, or whose class is. What other examinations consist of is not
offered: a peer that sends it has a wrong rule, and should notice.
"""

from enum import StrEnum
from typing import NamedTuple

from pydicom import uid
from pydicom.uid import UID

STORAGE_COMMITMENT_PUSH_MODEL = UID("1.2.840.10008.1.20.1")
"""Storage Commitment Push Model SOP Class."""


class InstanceUse(StrEnum):
    """What becomes of the instances of a SOP class."""

    ANSWERED = "answered"
    READ = "stored and read"
    STORED = "stored, not read"
    CAD_SR = "own objects counted and dropped, those of others stored beside a prior"
    NOT_ANALYSED = "own objects counted and dropped, others stored for a time, not analysed"
    REJECTION_NOTES = "rejection notes stored and used, others stored for a time, not analysed"
    REPORTS = "requested as SCU; its reports are received (role SCU)"

    @property
    def has_instances(self) -> bool:
        """Whether a peer can deliver instances of the SOP class."""
        return self not in {InstanceUse.ANSWERED, InstanceUse.REPORTS}


class PixelCoding(StrEnum):
    """What a transfer syntax does to the pixels, and so what becomes of them here."""

    READ = "read"
    EITHER = "read where the pixel data are compressed reversibly, else stored, not analysed"
    LOSSY = "stored, lossy, not analysed"


class SyntaxList(StrEnum):
    """Which transfer syntaxes a SOP class is offered with; the letter is the statement's."""

    IMAGE = "A"
    """All of them."""
    DOCUMENT = "B"
    """Those that encode the data set alone, since documents have no pixels."""
    SERVICE = "C"
    """The same without compression, for services without stored instances."""


class SopClass(NamedTuple):
    """One row of the SOP class table."""

    uid: UID
    use: InstanceUse
    syntax_list: SyntaxList


class TransferSyntax(NamedTuple):
    """One row of the transfer syntax table."""

    uid: UID
    coding: PixelCoding


_IMAGES_BESIDE = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.VLPhotographicImageStorage,
    uid.SegmentationStorage,
)
"""Worksheets, screen captures, the ultrasound of the same visit, radiographs of specimens."""

_DOCUMENTS_BESIDE = (
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.ExtensibleSRStorage,
    uid.XRayRadiationDoseSRStorage,
    uid.ProcedureLogStorage,
    uid.EncapsulatedPDFStorage,
    uid.EncapsulatedCDAStorage,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.ColorSoftcopyPresentationStateStorage,
    uid.PseudoColorSoftcopyPresentationStateStorage,
    uid.BlendingSoftcopyPresentationStateStorage,
    uid.SpatialRegistrationStorage,
    uid.RawDataStorage,
)
"""Reports of people and machines, doses, how images are to be shown, and raw data of makers."""

SOP_CLASSES: tuple[SopClass, ...] = (
    SopClass(UID("1.2.840.10008.1.1"), InstanceUse.ANSWERED, SyntaxList.SERVICE),
    SopClass(STORAGE_COMMITMENT_PUSH_MODEL, InstanceUse.REPORTS, SyntaxList.SERVICE),
    SopClass(
        uid.DigitalMammographyXRayImageStorageForPresentation, InstanceUse.READ, SyntaxList.IMAGE
    ),
    SopClass(
        uid.DigitalMammographyXRayImageStorageForProcessing, InstanceUse.READ, SyntaxList.IMAGE
    ),
    SopClass(uid.BreastTomosynthesisImageStorage, InstanceUse.STORED, SyntaxList.IMAGE),
    SopClass(
        uid.BreastProjectionXRayImageStorageForPresentation, InstanceUse.STORED, SyntaxList.IMAGE
    ),
    SopClass(
        uid.BreastProjectionXRayImageStorageForProcessing, InstanceUse.STORED, SyntaxList.IMAGE
    ),
    SopClass(uid.MammographyCADSRStorage, InstanceUse.CAD_SR, SyntaxList.DOCUMENT),
    SopClass(
        uid.KeyObjectSelectionDocumentStorage, InstanceUse.REJECTION_NOTES, SyntaxList.DOCUMENT
    ),
    *(SopClass(row, InstanceUse.NOT_ANALYSED, SyntaxList.IMAGE) for row in _IMAGES_BESIDE),
    *(SopClass(row, InstanceUse.NOT_ANALYSED, SyntaxList.DOCUMENT) for row in _DOCUMENTS_BESIDE),
)
"""Every abstract syntax that is accepted."""

TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = (
    TransferSyntax(uid.ExplicitVRLittleEndian, PixelCoding.READ),
    TransferSyntax(uid.ImplicitVRLittleEndian, PixelCoding.READ),
    TransferSyntax(uid.JPEGLSLossless, PixelCoding.READ),
    TransferSyntax(uid.JPEGLosslessSV1, PixelCoding.READ),
    TransferSyntax(uid.JPEGLossless, PixelCoding.READ),
    TransferSyntax(uid.JPEG2000Lossless, PixelCoding.READ),
    TransferSyntax(uid.RLELossless, PixelCoding.READ),
    TransferSyntax(uid.DeflatedExplicitVRLittleEndian, PixelCoding.READ),
    TransferSyntax(uid.JPEG2000, PixelCoding.EITHER),
    TransferSyntax(uid.JPEGLSNearLossless, PixelCoding.EITHER),
    TransferSyntax(uid.JPEGExtended12Bit, PixelCoding.LOSSY),
    TransferSyntax(uid.JPEGBaseline8Bit, PixelCoding.LOSSY),
)
"""In order of preference, for peers that propose several in one presentation context: nothing to
decode first, then what decodes fastest, what has lost information last."""

_BY_UID = {row.uid: row for row in SOP_CLASSES}


def find_use(sop_class_uid: str) -> InstanceUse | None:
    """Return what becomes of a SOP class's instances; None if it is not accepted."""
    row = _BY_UID.get(UID(sop_class_uid))
    return None if row is None else row.use


def list_transfer_syntaxes(syntax_list: SyntaxList) -> tuple[TransferSyntax, ...]:
    """Return the transfer syntaxes that are offered, in order of preference."""
    if syntax_list is SyntaxList.IMAGE:
        return TRANSFER_SYNTAXES
    plain = tuple(row for row in TRANSFER_SYNTAXES if not row.uid.is_encapsulated)
    if syntax_list is SyntaxList.DOCUMENT:
        return plain
    return tuple(row for row in plain if not row.uid.is_deflated)
