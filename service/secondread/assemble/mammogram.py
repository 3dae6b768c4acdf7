"""The header of one instance, checked and typed: `Mammogram.from_dataset`.

Attribute meanings follow PS3.3 C.8.11 (DX and Mammography modules). Reading is tolerant of small
deviations and strict about what is relied on: an attribute that the rest of the package uses
either has its type here or is None. What None means for reading is decided in `scope`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from secondread.accept.sop_classes import TRANSFER_SYNTAXES, PixelCoding
from secondread.assemble.person import UNKNOWN_PERSON, Person, read_person
from secondread.codes import Laterality, View, ViewModifier
from secondread.errors import HeaderError
from secondread.geometry import SpacingMm
from secondread.uids import is_uid


class Intent(StrEnum):
    """Presentation Intent Type (0008,0068)."""

    PRESENTATION = "FOR PRESENTATION"
    PROCESSING = "FOR PROCESSING"


@dataclass(frozen=True, slots=True)
class PatientKey:
    """What identifies a patient: Patient ID together with its issuer, never the ID alone."""

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
    person: Person = UNKNOWN_PERSON

    @classmethod
    def from_dataset(cls, ds: Dataset) -> "Mammogram":
        """Read the header of a data set; pixel data are not needed and not touched.

        Raises
        ------
        HeaderError
            An attribute that identifies the instance is missing, or one has a senseless value.
        """
        try:
            return cls._from_header(ds)
        except HeaderError:
            raise
        # Hostile values make conversions raise: a word in place of a number or a sequence, an
        # item without its attributes. The value is not quoted.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = type(error).__name__
            raise HeaderError("SOPInstanceUID", "(a header)", f"not readable ({kind})") from None

    @classmethod
    def _from_header(cls, ds: Dataset) -> "Mammogram":
        spacing, at_detector = _read_spacing(ds)
        sop_class = _read_uid(ds, "SOPClassUID")
        study_date = _read_date(ds, "StudyDate")
        return cls(
            sop_instance_uid=_read_uid(ds, "SOPInstanceUID"),
            sop_class_uid=sop_class,
            study_uid=_read_uid(ds, "StudyInstanceUID"),
            series_uid=_read_uid(ds, "SeriesInstanceUID"),
            patient=PatientKey(_read_text(ds, "PatientID"), _read_text(ds, "IssuerOfPatientID")),
            study_date=study_date,
            study_at=_read_instant(ds, "StudyDate", "StudyTime"),
            acquired_at=_read_acquisition_time(ds),
            modality=_read_text(ds, "Modality"),
            intent=_read_intent(ds, sop_class),
            laterality=_read_laterality(ds),
            view=_read_view(ds),
            view_modifiers=_read_view_modifiers(ds),
            rows=_read_count(ds, "Rows"),
            columns=_read_count(ds, "Columns"),
            frames=_read_count(ds, "NumberOfFrames") or 1,
            bits_stored=_read_count(ds, "BitsStored"),
            photometric_interpretation=_read_text(ds, "PhotometricInterpretation"),
            is_inverted=_read_text(ds, "PhotometricInterpretation") == "MONOCHROME1"
            or _read_text(ds, "PresentationLUTShape") == "INVERSE",
            spacing=spacing,
            is_spacing_at_detector=at_detector,
            magnification=_read_positive(ds, "EstimatedRadiographicMagnificationFactor"),
            has_implant=_read_text(ds, "BreastImplantPresent").upper() == "YES",
            is_partial_view=_read_text(ds, "PartialView").upper() == "YES",
            is_synthesized=_is_synthesized(ds),
            is_tomosynthesis=sop_class == BreastTomosynthesisImageStorage,
            is_lossy=_read_text(ds, "LossyImageCompression") == "01"
            or read_transfer_syntax(ds) in _LOSSY_TRANSFER_SYNTAXES,
            orientation=_read_orientation(ds),
            source_uids=tuple(
                str(item.ReferencedSOPInstanceUID)
                for item in ds.get("SourceImageSequence", None) or []
                if "ReferencedSOPInstanceUID" in item
            ),
            manufacturer=_read_text(ds, "Manufacturer"),
            model=_read_text(ds, "ManufacturerModelName"),
            transfer_syntax=read_transfer_syntax(ds),
            person=read_person(ds, study_date),
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
        """Whether the columns run against the usual hanging (PS3.3 C.7.6.1.1.1).

        Usually they run towards the feet in oblique and lateral views, and towards the middle of
        the body in cranio-caudal ones. So does an image without an orientation.
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
        """Side and view in the short form of workstations, for example ``LCC`` or ``RMLO``."""
        side = self.laterality.letter if self.laterality else "?"
        return side + (self.view.name if self.view else "?")

    @property
    def view_key(self) -> tuple[str, str] | None:
        """Side letter and view name; None where the header does not give both."""
        if self.laterality is None or self.view is None:
            return None
        return self.laterality.letter, self.view.name


_LOSSY_TRANSFER_SYNTAXES = {
    str(row.uid) for row in TRANSFER_SYNTAXES if row.coding is PixelCoding.LOSSY
}
"""Of JPEG 2000, the header does not show whether it was reversible; it counts as lossy."""


def read_transfer_syntax(ds: Dataset) -> str:
    """Return the transfer syntax UID of the file meta information, or an empty string."""
    meta = getattr(ds, "file_meta", None)
    return str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""


def _read_uid(ds: Dataset, keyword: str) -> str:
    value = str(ds.get(keyword, None) or "").strip()
    if not value:
        raise HeaderError(keyword, None, "every instance has one")
    if not is_uid(value):
        # Not quoted: nothing ensures that it holds no more than a UID would.
        raise HeaderError(keyword, "no UID", "components of digits, 64 characters at most")
    return value


def _read_text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword, None)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return "" if value is None else str(value).strip()


def _read_number(
    ds: Dataset, keyword: str, convert: Callable[[Any], float], expected: str
) -> float | None:
    value = ds.get(keyword, None)
    if value is None or value == "":
        return None
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise HeaderError(keyword, value, f"{expected} is expected") from error


def _read_count(ds: Dataset, keyword: str) -> int:
    number = _read_number(ds, keyword, int, "a whole number") or 0
    if number < 0:
        raise HeaderError(keyword, ds.get(keyword), "it cannot be negative")
    return int(number)


def _read_positive(ds: Dataset, keyword: str) -> float | None:
    number = _read_number(ds, keyword, float, "a number")
    if number is not None and not (math.isfinite(number) and number > 0):
        raise HeaderError(keyword, ds.get(keyword), "it is positive")
    return number


def _read_spacing(ds: Dataset) -> tuple[SpacingMm | None, bool]:
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


def _read_intent(ds: Dataset, sop_class: str) -> Intent | None:
    if sop_class == DigitalMammographyXRayImageStorageForProcessing:
        return Intent.PROCESSING
    if sop_class == DigitalMammographyXRayImageStorageForPresentation:
        return Intent.PRESENTATION
    text = _read_text(ds, "PresentationIntentType").upper()
    return Intent(text) if text in set(Intent) else None


def _read_laterality(ds: Dataset) -> Laterality | None:
    # Image Laterality is per image and required for mammography; Laterality is the series'.
    for keyword in ("ImageLaterality", "Laterality"):
        side = Laterality.from_letter(_read_text(ds, keyword).upper())
        if side is not None:
            return side
    return None


def _read_codes(items: Sequence[Dataset] | None) -> list[tuple[str, str]]:
    return [
        (str(item.CodeValue), str(item.CodingSchemeDesignator))
        for item in items or []
        if item.get("CodeValue") and item.get("CodingSchemeDesignator")
    ]


def _read_view(ds: Dataset) -> View | None:
    for value, scheme in _read_codes(ds.get("ViewCodeSequence", None)):
        view = View.from_code(value, scheme)
        if view is not None:
            return view
    # Older units and converted images have View Position (0018,5101) instead.
    name = _read_text(ds, "ViewPosition").upper()
    return View[name] if name in View.__members__ else None


def _read_view_modifiers(ds: Dataset) -> frozenset[ViewModifier]:
    modifiers = {
        ViewModifier.from_code(value, scheme)
        for view in ds.get("ViewCodeSequence", None) or []
        for value, scheme in _read_codes(view.get("ViewModifierCodeSequence", None))
    }
    return frozenset(modifier for modifier in modifiers if modifier is not None)


def _is_synthesized(ds: Dataset) -> bool:
    # PS3.3 C.8.11.7: a 2-D image computed from tomosynthesis has GENERATED_2D in Image Type value
    # 3 or later; earlier vendors wrote TOMO_2D, or only described it.
    words = {str(word).strip().upper() for word in ds.get("ImageType", None) or []}
    if words & {"GENERATED_2D", "TOMO_2D", "TOMOSYNTHESIS", "SYNTHESIZED"}:
        return True
    description = _read_text(ds, "SeriesDescription").lower()
    return any(word in description for word in ("c-view", "synthesi", "insight 2d", "v-preview"))


def _read_orientation(ds: Dataset) -> tuple[str, str] | None:
    value = ds.get("PatientOrientation", None)
    if isinstance(value, MultiValue) and len(value) == 2 and all(value):
        return str(value[0]), str(value[1])
    return None


def _read_date(ds: Dataset, keyword: str) -> date | None:
    text = _read_text(ds, keyword).replace(".", "")  # ACR-NEMA wrote dates with dots
    if not text:
        return None
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise HeaderError(keyword, text, "a date YYYYMMDD is expected") from error


def _read_instant(ds: Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    day = _read_date(ds, date_keyword)
    if day is None:
        return None
    midnight = datetime(day.year, day.month, day.day, tzinfo=_read_zone(ds)).astimezone(UTC)
    return midnight + _parse_time(_read_text(ds, time_keyword))


def _parse_time(text: str) -> timedelta:
    digits = "".join(c for c in text.split(".", maxsplit=1)[0] if c.isdigit()).ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return timedelta(hours=min(hours, 23), minutes=min(minutes, 59), seconds=min(seconds, 59))


def _read_zone(ds: Dataset) -> timezone:
    text = _read_text(ds, "TimezoneOffsetFromUTC")
    if len(text) == 5 and text[0] in "+-" and text[1:].isdigit():
        offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
        if offset < timedelta(hours=24):
            return timezone(-offset if text[0] == "-" else offset)
    return UTC


def _read_acquisition_time(ds: Dataset) -> datetime | None:
    for date_keyword, time_keyword in (
        ("AcquisitionDate", "AcquisitionTime"),
        ("ContentDate", "ContentTime"),
        ("StudyDate", "StudyTime"),
    ):
        instant = _read_instant(ds, date_keyword, time_keyword)
        if instant is not None:
            return instant
    return None
