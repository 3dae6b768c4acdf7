"""The header of one instance, checked and typed: `Mammogram.from_dataset`.

Attribute meanings follow PS3.3 C.8.11 (DX and Mammography modules). Reading is tolerant of small
deviations and strict about what is relied on: an attribute that the rest of the package uses is
either of its type here or None, and what None means for reading is decided in `scope`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from secondread.codes import Laterality, View, ViewModifier
from secondread.errors import HeaderError
from secondread.geometry import SpacingMm


class Intent(StrEnum):
    """Presentation Intent Type (0008,0068)."""

    PRESENTATION = "FOR PRESENTATION"
    PROCESSING = "FOR PROCESSING"


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Who a patient is to the node: Patient ID together with its issuer, never the ID alone."""

    patient_id: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Mammogram:
    """What the node uses of one instance's header."""

    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    series_uid: str
    patient: PatientKey
    study_date: date | None
    study_at: datetime | None
    """Study Date and Time, UTC; naive header times are taken as UTC, for ordering only."""
    acquired_at: datetime | None
    modality: str
    intent: Intent | None
    laterality: Laterality | None
    view: View | None
    view_modifiers: frozenset[ViewModifier]
    rows: int
    columns: int
    frames: int
    bits_stored: int
    photometric_interpretation: str
    is_inverted: bool
    """Whether low stored values are displayed white: MONOCHROME1, or an INVERSE shape."""
    spacing: SpacingMm | None
    is_spacing_at_detector: bool
    """Whether `spacing` is Imager Pixel Spacing (0018,1164) rather than Pixel Spacing."""
    magnification: float | None
    has_implant: bool
    is_partial_view: bool
    is_synthesized: bool
    is_tomosynthesis: bool
    is_lossy: bool
    orientation: tuple[str, str] | None
    """Patient Orientation (0020,0020): direction of the rows, direction of the columns."""
    source_uids: tuple[str, ...]
    """Source Image Sequence (0008,2112): the instances that this one was made from."""
    manufacturer: str
    model: str
    transfer_syntax: str

    @classmethod
    def from_dataset(cls, ds: Dataset) -> "Mammogram":
        """Read the header of a data set; pixel data are not needed and not touched.

        Raises
        ------
        HeaderError
            An attribute that identifies the instance is missing, or one has a senseless value.
        """
        try:
            return cls._read(ds)
        except HeaderError:
            raise
        # What hostile values make a conversion raise: a sequence that is none, a number that is
        # a word, an item without the attribute that makes it one. The value is not quoted.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = type(error).__name__
            raise HeaderError("SOPInstanceUID", "(a header)", f"not readable ({kind})") from None

    @classmethod
    def _read(cls, ds: Dataset) -> "Mammogram":
        spacing, at_detector = _spacing(ds)
        sop_class = _required(ds, "SOPClassUID")
        return cls(
            sop_instance_uid=_required(ds, "SOPInstanceUID"),
            sop_class_uid=sop_class,
            study_uid=_required(ds, "StudyInstanceUID"),
            series_uid=_required(ds, "SeriesInstanceUID"),
            patient=PatientKey(_text(ds, "PatientID"), _text(ds, "IssuerOfPatientID")),
            study_date=_date(ds, "StudyDate"),
            study_at=_instant(ds, "StudyDate", "StudyTime"),
            acquired_at=_acquired_at(ds),
            modality=_text(ds, "Modality"),
            intent=_intent(ds, sop_class),
            laterality=_laterality(ds),
            view=_view(ds),
            view_modifiers=_modifiers(ds),
            rows=_count(ds, "Rows"),
            columns=_count(ds, "Columns"),
            frames=_count(ds, "NumberOfFrames") or 1,
            bits_stored=_count(ds, "BitsStored"),
            photometric_interpretation=_text(ds, "PhotometricInterpretation"),
            is_inverted=_text(ds, "PhotometricInterpretation") == "MONOCHROME1"
            or _text(ds, "PresentationLUTShape") == "INVERSE",
            spacing=spacing,
            is_spacing_at_detector=at_detector,
            magnification=_positive(ds, "EstimatedRadiographicMagnificationFactor"),
            has_implant=_text(ds, "BreastImplantPresent").upper() == "YES",
            is_partial_view=_text(ds, "PartialView").upper() == "YES",
            is_synthesized=_is_synthesized(ds),
            is_tomosynthesis=sop_class == BreastTomosynthesisImageStorage,
            is_lossy=_text(ds, "LossyImageCompression") == "01"
            or read_transfer_syntax(ds) in LOSSY_TRANSFER_SYNTAXES,
            orientation=_orientation(ds),
            source_uids=tuple(
                str(item.ReferencedSOPInstanceUID)
                for item in ds.get("SourceImageSequence", None) or []
                if "ReferencedSOPInstanceUID" in item
            ),
            manufacturer=_text(ds, "Manufacturer"),
            model=_text(ds, "ManufacturerModelName"),
            transfer_syntax=read_transfer_syntax(ds),
        )

    @property
    def is_digital_mammogram(self) -> bool:
        """Whether the SOP class is one of the two digital mammography image classes."""
        return self.sop_class_uid in {
            DigitalMammographyXRayImageStorageForPresentation,
            DigitalMammographyXRayImageStorageForProcessing,
        }

    @property
    def is_upside_down(self) -> bool:
        """Whether the columns run the other way than in the usual hanging (PS3.3 C.7.6.1.1.1).

        Usual is towards the feet in oblique and lateral views, and towards the middle of the body
        in cranio-caudal ones. A header that does not say is taken as usual.
        """
        if self.orientation is None or self.view is None:
            return False
        down = self.orientation[1]
        # An oblique direction is written with its main letter first, which may be either one.
        if "H" in down or "F" in down:
            return "H" in down
        lateral = {Laterality.LEFT: "L", Laterality.RIGHT: "R"}
        return self.laterality in lateral and lateral[self.laterality] in down

    @property
    def label(self) -> str:
        """Side and view in the workstations' short form, for example ``LCC`` or ``RMLO``."""
        side = self.laterality.letter if self.laterality else "?"
        return side + (self.view.name if self.view else "?")


LOSSY_TRANSFER_SYNTAXES = frozenset(
    {
        "1.2.840.10008.1.2.4.50",  # JPEG Baseline (Process 1)
        "1.2.840.10008.1.2.4.51",  # JPEG Extended (Process 2 and 4)
        "1.2.840.10008.1.2.4.81",  # JPEG-LS Lossy (Near-Lossless)
        "1.2.840.10008.1.2.4.91",  # JPEG 2000; reversible or not, nothing in the header tells
    }
)


def read_transfer_syntax(ds: Dataset) -> str:
    """Return the transfer syntax UID of the file meta information, or an empty string."""
    meta = getattr(ds, "file_meta", None)
    return str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""


def _required(ds: Dataset, keyword: str) -> str:
    value = str(ds.get(keyword, None) or "").strip()
    if not value:
        raise HeaderError(keyword, None, "every instance has one")
    return value


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword, None)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return "" if value is None else str(value).strip()


def _count(ds: Dataset, keyword: str) -> int:
    value = ds.get(keyword, None)
    if value is None or value == "":
        return 0
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise HeaderError(keyword, value, "a whole number is expected") from error
    if number < 0:
        raise HeaderError(keyword, value, "it cannot be negative")
    return number


def _positive(ds: Dataset, keyword: str) -> float | None:
    value = ds.get(keyword, None)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise HeaderError(keyword, value, "a number is expected") from error
    if not (math.isfinite(number) and number > 0):
        raise HeaderError(keyword, value, "it is positive")
    return number


def _spacing(ds: Dataset) -> tuple[SpacingMm | None, bool]:
    for keyword, at_detector in (("ImagerPixelSpacing", True), ("PixelSpacing", False)):
        value = ds.get(keyword, None)
        if value is None or value == "":
            continue
        try:
            rows, columns = (float(number) for number in value)
            return SpacingMm(rows, columns), at_detector
        except (TypeError, ValueError) as error:
            raise HeaderError(keyword, value, "two positive numbers in mm are expected") from error
    return None, False


def _intent(ds: Dataset, sop_class: str) -> Intent | None:
    if sop_class == DigitalMammographyXRayImageStorageForProcessing:
        return Intent.PROCESSING
    if sop_class == DigitalMammographyXRayImageStorageForPresentation:
        return Intent.PRESENTATION
    text = _text(ds, "PresentationIntentType").upper()
    return Intent(text) if text in set(Intent) else None


def _laterality(ds: Dataset) -> Laterality | None:
    # Image Laterality is per image and required for mammography; Laterality is the series'.
    for keyword in ("ImageLaterality", "Laterality"):
        side = Laterality.from_letter(_text(ds, keyword).upper())
        if side is not None:
            return side
    return None


def _codes(items: Sequence[Dataset] | None) -> list[tuple[str, str]]:
    return [
        (str(item.CodeValue), str(item.CodingSchemeDesignator))
        for item in items or []
        if item.get("CodeValue") and item.get("CodingSchemeDesignator")
    ]


def _view(ds: Dataset) -> View | None:
    for value, scheme in _codes(ds.get("ViewCodeSequence", None)):
        view = View.from_code(value, scheme)
        if view is not None:
            return view
    # View Position (0018,5101) is what older units and converted images carry instead.
    name = _text(ds, "ViewPosition").upper()
    return View[name] if name in View.__members__ else None


def _modifiers(ds: Dataset) -> frozenset[ViewModifier]:
    found = {
        ViewModifier.from_code(value, scheme)
        for view in ds.get("ViewCodeSequence", None) or []
        for value, scheme in _codes(view.get("ViewModifierCodeSequence", None))
    }
    return frozenset(modifier for modifier in found if modifier is not None)


def _is_synthesized(ds: Dataset) -> bool:
    # PS3.3 C.8.11.7: a 2-D image computed from tomosynthesis says GENERATED_2D in Image Type
    # value 3 or later; earlier vendors wrote TOMO_2D, or said it in words only.
    words = {str(word).strip().upper() for word in ds.get("ImageType", None) or []}
    if words & {"GENERATED_2D", "TOMO_2D", "TOMOSYNTHESIS", "SYNTHESIZED"}:
        return True
    description = _text(ds, "SeriesDescription").lower()
    return any(word in description for word in ("c-view", "synthesi", "insight 2d", "v-preview"))


def _orientation(ds: Dataset) -> tuple[str, str] | None:
    value = ds.get("PatientOrientation", None)
    if isinstance(value, MultiValue) and len(value) == 2 and all(value):
        return str(value[0]), str(value[1])
    return None


def _date(ds: Dataset, keyword: str) -> date | None:
    text = _text(ds, keyword).replace(".", "")  # the dotted form is of ACR-NEMA age
    if not text:
        return None
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise HeaderError(keyword, text, "a date YYYYMMDD is expected") from error


def _instant(ds: Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    day = _date(ds, date_keyword)
    if day is None:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=_zone(ds)).astimezone(UTC) + _time_of_day(
        _text(ds, time_keyword)
    )


def _time_of_day(text: str) -> timedelta:
    digits = "".join(c for c in text.split(".", maxsplit=1)[0] if c.isdigit()).ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return timedelta(hours=min(hours, 23), minutes=min(minutes, 59), seconds=min(seconds, 59))


def _zone(ds: Dataset) -> timezone:
    text = _text(ds, "TimezoneOffsetFromUTC")
    if len(text) == 5 and text[0] in "+-" and text[1:].isdigit():
        offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
        if offset < timedelta(hours=24):
            return timezone(-offset if text[0] == "-" else offset)
    return UTC


def _acquired_at(ds: Dataset) -> datetime | None:
    for date_keyword, time_keyword in (
        ("AcquisitionDate", "AcquisitionTime"),
        ("ContentDate", "ContentTime"),
        ("StudyDate", "StudyTime"),
    ):
        instant = _instant(ds, date_keyword, time_keyword)
        if instant is not None:
            return instant
    return None
