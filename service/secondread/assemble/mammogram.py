"""The header of one instance, checked and typed: `Mammogram.from_dataset`.

Attribute meanings follow PS3.3 C.8.11 (DX and Mammography modules). An attribute that the rest of
the package uses either has its type here or is None, whatever the header holds: which sources are
asked for it, and what is no value, is the table of `header_attributes`. What None means for
reading is decided in `scope` and in the gates.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from secondread.assemble import header_attributes
from secondread.assemble.header_attributes import AttributeRow
from secondread.assemble.header_dates import (
    read_acquisition_instant,
    read_study_day,
    read_study_instant,
)
from secondread.assemble.header_loss import has_lost_information
from secondread.assemble.header_person import read_person
from secondread.assemble.header_values import (
    read_items,
    read_number,
    read_numbers,
    read_text,
    read_texts,
    read_transfer_syntax,
)
from secondread.assemble.header_views import read_side, read_view
from secondread.assemble.image_kinds import ImageKind, read_image_kind
from secondread.assemble.intent import Intent
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import UNKNOWN_PERSON, Person
from secondread.assemble.pixel_layout import is_inverted, read_pixel_layout
from secondread.codes import Laterality, View, ViewModifier
from secondread.errors import HeaderError
from secondread.geometry import SpacingMm
from secondread.uids import is_uid


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
    """UTC; None where day or time are unknown."""
    modality: str
    intent: Intent | None
    laterality: Laterality | None
    view: View | None
    view_modifiers: frozenset[ViewModifier]
    is_laterality_contradictory: bool
    """Whether attributes name different sides; `laterality` is None then."""
    is_view_contradictory: bool
    """Whether attributes name different views; `view` is None then."""
    kind: ImageKind
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
    is_lossy: bool
    """Whether header or history say so; what the pixel data say is known once they are read."""
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
            A UID that identifies the instance, its series, its study or its class is missing.
        """
        sop_class = _read_uid(ds, "SOPClassUID")
        study_date = read_study_day(ds)
        spacing, at_detector = _read_spacing(ds)
        side, view, layout = read_side(ds), read_view(ds), read_pixel_layout(ds)
        return cls(
            sop_instance_uid=_read_uid(ds, "SOPInstanceUID"),
            sop_class_uid=sop_class,
            study_uid=_read_uid(ds, "StudyInstanceUID"),
            series_uid=_read_uid(ds, "SeriesInstanceUID"),
            patient=PatientKey(
                *(read_text(ds, keyword) for keyword in header_attributes.PATIENT.sources)
            ),
            study_date=study_date,
            study_at=read_study_instant(ds),
            acquired_at=read_acquisition_instant(ds),
            modality=read_text(ds, "Modality").upper(),
            intent=_read_intent(ds, sop_class),
            laterality=side.laterality,
            view=view.view,
            view_modifiers=view.modifiers,
            is_laterality_contradictory=side.is_contradictory,
            is_view_contradictory=view.is_contradictory,
            kind=read_image_kind(ds, sop_class),
            rows=layout.rows,
            columns=layout.columns,
            frames=layout.frames,
            bits_stored=layout.bits_stored,
            photometric_interpretation=layout.photometric,
            is_inverted=is_inverted(ds),
            spacing=spacing,
            is_spacing_at_detector=at_detector,
            magnification=header_attributes.MAGNIFICATION.find(ds, _read_magnification),
            has_implant=_is_yes(ds, header_attributes.IMPLANT),
            is_partial_view=_is_yes(ds, header_attributes.PARTIAL_VIEW),
            is_lossy=has_lost_information(ds),
            orientation=_read_orientation(ds),
            source_uids=tuple(
                uid
                for item in read_items(ds, "SourceImageSequence")
                if (uid := read_text(item, "ReferencedSOPInstanceUID"))
            ),
            manufacturer=read_text(ds, "Manufacturer"),
            model=read_text(ds, "ManufacturerModelName"),
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


def _read_uid(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword, None)
    if not value:
        raise HeaderError(keyword, "absent", "every instance has one")
    # Not the first of several: whoever compares it takes all of it.
    if not isinstance(value, str) or not is_uid(value):
        # Not quoted: nothing ensures that it holds no more than a UID would.
        raise HeaderError(keyword, "no UID", "components of digits, 64 characters at most")
    return value


def _read_spacing(ds: Dataset) -> tuple[SpacingMm | None, bool]:
    """Return the spacing of pixels, and whether it is the one at the detector."""
    found = header_attributes.SPACING.find_all(ds, _read_spacing_of)
    source, spacing = next(iter(found.items()), ("", None))
    return spacing, source == "ImagerPixelSpacing"


def _read_spacing_of(ds: Dataset, keyword: str) -> SpacingMm | None:
    numbers = _read_positive_pair(ds, keyword)
    if numbers is None or keyword != "DetectorElementSpacing":
        return None if numbers is None else SpacingMm(*numbers)
    binning = _read_positive_pair(ds, "DetectorBinning") or (1.0, 1.0)
    return SpacingMm(numbers[0] * binning[0], numbers[1] * binning[1])


def _read_positive_pair(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    numbers = [number for number in read_numbers(ds, keyword) if number is not None and number > 0]
    is_pair = len(numbers) == 2 == len(read_numbers(ds, keyword))
    return (numbers[0], numbers[1]) if is_pair else None


def _read_magnification(ds: Dataset, keyword: str) -> float | None:
    number = read_number(ds, keyword) or 0.0
    if keyword == "DistanceSourceToDetector":
        # PS3.3 C.8.11.7: the other distance is that to the side of the breast at its support.
        to_breast = read_number(ds, "DistanceSourceToPatient") or 0.0
        number = number / to_breast if 0 < to_breast < number else 0.0
    return number if number > 0 else None


def _read_intent(ds: Dataset, sop_class: str) -> Intent | None:
    if sop_class == DigitalMammographyXRayImageStorageForProcessing:
        return Intent.PROCESSING
    if sop_class == DigitalMammographyXRayImageStorageForPresentation:
        return Intent.PRESENTATION
    text = read_text(ds, "PresentationIntentType").upper()
    return Intent(text) if text in set(Intent) else None


def _read_orientation(ds: Dataset) -> tuple[str, str] | None:
    directions = [text.upper() for text in read_texts(ds, "PatientOrientation")]
    if len(directions) == 2 and all(map(_DIRECTION.fullmatch, directions)):
        return directions[0], directions[1]
    return None


_DIRECTION = re.compile("[ALPRHF]{1,3}")
"""PS3.3 C.7.6.1.1.1: the main direction first."""


def _is_yes(ds: Dataset, row: AttributeRow) -> bool:
    return row.find(ds, read_text) in {"YES", "Yes", "yes", "Y"}
