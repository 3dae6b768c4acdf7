"""What the node negotiates as an SCP: SOP classes, transfer syntaxes, and what becomes of each.

This table is the single source for the association acceptor, for the classification of what
arrives, and for the conformance statement (PS3.2). Only what has a use is offered: every
supported context is copied for every association, and a long list also invites peers to send
what nobody reads.
"""

from dataclasses import dataclass
from enum import StrEnum

from pydicom import uid
from pydicom.uid import UID

PUSH_MODEL = UID("1.2.840.10008.1.20.1")
"""Storage Commitment Push Model SOP Class."""


class Use(StrEnum):
    """What becomes of the instances of a SOP class."""

    ANSWERED = "answered"
    READ = "stored and read"
    STORED = "stored, not read"
    CAD_SR = "own objects counted and dropped, those of others stored beside a prior"
    OWN_ONLY = "own objects counted and dropped, all else refused with 0122H"
    REJECTION_NOTES = "rejection notes stored and used, all else refused with 0122H"
    REPORTS = "requested as SCU; its reports are received (role SCU)"

    @property
    def has_instances(self) -> bool:
        """Whether a peer can deliver instances of the SOP class."""
        return self not in {Use.ANSWERED, Use.REPORTS}


class Coding(StrEnum):
    """What a transfer syntax does to the pixels, and so what becomes of them here."""

    READ = "read"
    LOSSY = "stored, lossy, not analysed"


class Kind(StrEnum):
    """Which list of transfer syntaxes a SOP class is offered with."""

    VERIFICATION = "verification"
    COMMITMENT = "commitment"
    IMAGE = "image"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class SopClass:
    """One row of the SOP class table."""

    uid: UID
    use: Use
    kind: Kind

    @property
    def name(self) -> str:
        """Its name in PS3.6 A."""
        return self.uid.name


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One row of the transfer syntax table."""

    uid: UID
    coding: Coding

    @property
    def name(self) -> str:
        """Its name in PS3.6 A."""
        return self.uid.name


SOP_CLASSES: tuple[SopClass, ...] = (
    SopClass(UID("1.2.840.10008.1.1"), Use.ANSWERED, Kind.VERIFICATION),
    SopClass(PUSH_MODEL, Use.REPORTS, Kind.COMMITMENT),
    SopClass(uid.DigitalMammographyXRayImageStorageForPresentation, Use.READ, Kind.IMAGE),
    SopClass(uid.DigitalMammographyXRayImageStorageForProcessing, Use.READ, Kind.IMAGE),
    SopClass(uid.BreastTomosynthesisImageStorage, Use.STORED, Kind.IMAGE),
    SopClass(uid.BreastProjectionXRayImageStorageForPresentation, Use.STORED, Kind.IMAGE),
    SopClass(uid.BreastProjectionXRayImageStorageForProcessing, Use.STORED, Kind.IMAGE),
    SopClass(uid.MammographyCADSRStorage, Use.CAD_SR, Kind.DOCUMENT),
    SopClass(uid.KeyObjectSelectionDocumentStorage, Use.REJECTION_NOTES, Kind.DOCUMENT),
    SopClass(uid.SecondaryCaptureImageStorage, Use.OWN_ONLY, Kind.IMAGE),
    SopClass(uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage, Use.OWN_ONLY, Kind.IMAGE),
    SopClass(uid.MultiFrameTrueColorSecondaryCaptureImageStorage, Use.OWN_ONLY, Kind.IMAGE),
    SopClass(uid.BasicTextSRStorage, Use.OWN_ONLY, Kind.DOCUMENT),
    SopClass(uid.EnhancedSRStorage, Use.OWN_ONLY, Kind.DOCUMENT),
    SopClass(uid.ComprehensiveSRStorage, Use.OWN_ONLY, Kind.DOCUMENT),
    SopClass(uid.Comprehensive3DSRStorage, Use.OWN_ONLY, Kind.DOCUMENT),
    SopClass(uid.GrayscaleSoftcopyPresentationStateStorage, Use.OWN_ONLY, Kind.DOCUMENT),
)
"""Every abstract syntax that is accepted."""

TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = (
    TransferSyntax(uid.ExplicitVRLittleEndian, Coding.READ),
    TransferSyntax(uid.ImplicitVRLittleEndian, Coding.READ),
    TransferSyntax(uid.JPEGLSLossless, Coding.READ),
    TransferSyntax(uid.JPEGLosslessSV1, Coding.READ),
    TransferSyntax(uid.JPEGLossless, Coding.READ),
    TransferSyntax(uid.JPEG2000Lossless, Coding.READ),
    TransferSyntax(uid.RLELossless, Coding.READ),
    TransferSyntax(uid.DeflatedExplicitVRLittleEndian, Coding.READ),
    TransferSyntax(uid.JPEG2000, Coding.LOSSY),
    TransferSyntax(uid.JPEGLSNearLossless, Coding.LOSSY),
    TransferSyntax(uid.JPEGExtended12Bit, Coding.LOSSY),
    TransferSyntax(uid.JPEGBaseline8Bit, Coding.LOSSY),
)
"""In order of preference, for peers that propose several in one presentation context: nothing to
decode first, then what decodes fastest, what has lost information last."""

_BY_UID = {row.uid: row for row in SOP_CLASSES}


def use_of(sop_class_uid: str) -> Use | None:
    """Return what becomes of a SOP class's instances; None if it is not accepted."""
    row = _BY_UID.get(UID(sop_class_uid))
    return None if row is None else row.use


def transfer_syntaxes(kind: Kind) -> tuple[TransferSyntax, ...]:
    """Return what is offered for a kind of SOP class, in order of preference.

    Documents have no pixels: they come in the syntaxes that encode the data set alone.
    """
    if kind is Kind.IMAGE:
        return TRANSFER_SYNTAXES
    plain = tuple(row for row in TRANSFER_SYNTAXES if not row.uid.is_encapsulated)
    if kind is Kind.DOCUMENT:
        return plain
    return tuple(row for row in plain if not row.uid.is_deflated)
