"""The gates: what an image must be like to be read, what lowers the trust in it, each by name.

A gate measures one value and may give a reason. A reason that refuses means that the image gets
no marks at all, never an answer that looks empty. A person can override a gate by its name; the
image is then read, and flagged with the reason and with the fact that it was overridden.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from secondread.assemble.mammogram import Mammogram
from secondread.codes import ViewModifier
from secondread.detect.likeness import Likeness
from secondread.reasons import ImageStatus, Reason

MAXIMUM_SPACING_MM = 0.11
"""Coarser pixels do not show a calcification of 0.2 mm (four pixels across two)."""
MINIMUM_SPACING_MM = 0.045
"""Finer pixels are flagged and averaged down. They are readable, so nothing is refused; but no
flat detector has them: they come from computed radiography, digitised film or enlargement."""
FULL_BITS = 10
"""Fewer are flagged, and fewer than 8 refused: 256 levels just resolve faint contrast."""
FEW_LEVELS = 256
"""An image of 10 bits or more that uses no more grey levels than this in the breast had 8."""
MINIMUM_LEVELS = 64
"""With fewer, steps between levels are as high as faint calcifications."""
AREA_CM2 = (20.0, 500.0)
"""Areas of compressed breasts; outside, the breast was not what was found."""
MAXIMUM_SATURATED = 0.01
"""Share of tissue at the highest value: more hides calcifications."""
MAXIMUM_SATURATED_CM2 = 1.0
"""Of one connected saturated area: clips, markers and labels stay far below."""
REACHES = 0.1
"""A border of the image is reached where the breast covers more than this share of it."""
MINIMUM_POLARITY = 0.25
"""Share of textured pixels brighter than air; near 0 in a negative, see `breast.polarity`."""
ALL_GATES = "all"
"""Overrides every gate."""


class Gate(StrEnum):
    """Names of the gates: keys of `Detection.gates`, and what an override names."""

    LOSSY = "lossy"
    SPACING = "spacing_mm"
    SPACING_ORIGIN = "spacing_at_detector"
    BITS = "bits_stored"
    LEVELS = "grey_levels"
    IMPLANT = "implant"
    LATERALITY = "laterality"
    VIEW = "view"
    PARTIAL = "partial_view"
    BREAST = "breast_found"
    AREA = "breast_area_cm2"
    BORDERS = "borders_reached"
    SATURATION = "saturated_share"
    SATURATED_AREA = "saturated_area_cm2"
    POLARITY = "polarity"
    LIKENESS = "unlikeness"
    MARKS = "marks_per_cm2"


@dataclass(frozen=True, slots=True)
class GateMeasurement:
    """What one gate measured, and what follows."""

    gate: Gate
    value: float | str
    reason: Reason | None = None
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class PixelMeasurements:
    """What was found in the pixels of an image."""

    area_cm2: float | None
    """Area of the breast; None where none was found."""
    borders: dict[str, float]
    """Share of each border of the image that the breast covers: left, right, top, bottom."""
    chest_wall_side: str
    """The border that the breast has to reach: ``left`` or ``right``."""
    saturated_share: float
    """Share of the breast's pixels at the highest possible value."""
    saturated_cm2: float
    """Area of the largest connected part of them."""
    levels: int
    """How many grey levels the breast uses."""
    polarity: float
    """See `breast.polarity`."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gates together say about an image."""

    status: ImageStatus
    reasons: tuple[Reason, ...]
    values: dict[str, float | str]

    @property
    def is_refused(self) -> bool:
        """Whether the image is not read."""
        return self.status is ImageStatus.REFUSED


def check_header(mammogram: Mammogram) -> tuple[GateMeasurement, ...]:
    """Return the gates that need the header only, to be asked before anything is decoded."""
    return (
        _refusing(
            Gate.LOSSY, _yes(mammogram.is_lossy), mammogram.is_lossy, Reason.LOSSY_COMPRESSION
        ),
        *_spacing(mammogram),
        _bits(mammogram),
        _implant(mammogram),
        _refusing(
            Gate.LATERALITY,
            mammogram.laterality.letter if mammogram.laterality else "",
            mammogram.laterality is None,
            Reason.LATERALITY_MISSING,
        ),
        _refusing(
            Gate.VIEW,
            mammogram.view.name if mammogram.view else "",
            mammogram.view is None,
            Reason.VIEW_MISSING,
        ),
        GateMeasurement(
            Gate.PARTIAL,
            _yes(mammogram.is_partial_view),
            Reason.PARTIAL_VIEW if mammogram.is_partial_view else None,
        ),
    )


def check_pixels(found: PixelMeasurements, bits_stored: int) -> tuple[GateMeasurement, ...]:
    """Return the gates on what was found in the pixels."""
    missing = found.area_cm2 is None
    area = 0.0 if found.area_cm2 is None else found.area_cm2
    return (
        _refusing(Gate.BREAST, _yes(not missing), missing, Reason.BREAST_NOT_FOUND),
        _refusing(
            Gate.AREA,
            round(area, 2),
            not missing and not AREA_CM2[0] <= area <= AREA_CM2[1],
            Reason.BREAST_AREA,
        ),
        _borders(found),
        _levels(found.levels, bits_stored),
        _refusing(
            Gate.SATURATION,
            round(found.saturated_share, 5),
            found.saturated_share > MAXIMUM_SATURATED,
            Reason.SATURATED,
        ),
        _flagging(
            Gate.SATURATED_AREA,
            round(found.saturated_cm2, 2),
            found.saturated_cm2 > MAXIMUM_SATURATED_CM2,
            Reason.SATURATED_AREA,
        ),
        _refusing(
            Gate.POLARITY,
            round(found.polarity, 3),
            found.polarity < MINIMUM_POLARITY,
            Reason.POLARITY,
        ),
    )


def check_likeness(distance: float | None, reference: Likeness | None) -> GateMeasurement:
    """Return the gate on how unlike the images that the model was made for this one is.

    Parameters
    ----------
    distance
        `Likeness.distance`; None where the breast is too small to measure it, which is flagged.
    reference
        The manifest's; None where it has none, and nothing can be said.
    """
    if reference is None:
        return GateMeasurement(Gate.LIKENESS, "no reference")
    if distance is None:
        return GateMeasurement(Gate.LIKENESS, "not measured", Reason.UNLIKE_TRAINING)
    reason = Reason.UNLIKE_TRAINING if distance > reference.flag_beyond else None
    return GateMeasurement(
        Gate.LIKENESS, round(distance, 2), reason, refuses=distance > reference.refuse_beyond
    )


def check_mark_density(
    marks_per_cm2: float, maximum: float, *, all_listed: bool = True
) -> GateMeasurement:
    """Return the gate on how densely the default operating point would mark the breast.

    Parameters
    ----------
    marks_per_cm2
        Density of the marks that were counted.
    maximum
        The manifest's limit.
    all_listed
        False where there were more marks than the manifest lists: in a large breast, their
        density is then below the limit for that reason alone.
    """
    return _refusing(
        Gate.MARKS,
        round(marks_per_cm2, 3),
        marks_per_cm2 > maximum or not all_listed,
        Reason.TOO_MANY_MARKS,
    )


def combine_measurements(
    measured: Iterable[GateMeasurement], overrides: frozenset[str] = frozenset()
) -> GateResult:
    """Put what the gates measured together.

    Parameters
    ----------
    measured
        In the order in which their reasons are to be named.
    overrides
        Names of gates that do not refuse this time, or ``all``.
    """
    values: dict[str, float | str] = {}
    refusing: list[Reason] = []
    flagging: list[Reason] = []
    overridden = False
    for one in measured:
        values[one.gate.value] = one.value
        if one.reason is None:
            continue
        if not one.refuses:
            flagging.append(one.reason)
        elif overrides & {one.gate.value, ALL_GATES}:
            flagging.append(one.reason)
            overridden = True
        else:
            refusing.append(one.reason)
    if overridden:
        flagging.append(Reason.GATE_OVERRIDDEN)
    if refusing:
        return GateResult(ImageStatus.REFUSED, tuple(refusing + flagging), values)
    status = ImageStatus.FLAGGED if flagging else ImageStatus.READ
    return GateResult(status, tuple(flagging), values)


def _spacing(mammogram: Mammogram) -> tuple[GateMeasurement, GateMeasurement]:
    spacing = mammogram.spacing
    origin = GateMeasurement(Gate.SPACING_ORIGIN, _yes(mammogram.is_spacing_at_detector))
    if spacing is None:
        return GateMeasurement(Gate.SPACING, "", Reason.SPACING_MISSING, refuses=True), origin
    if not mammogram.is_spacing_at_detector:
        origin = GateMeasurement(Gate.SPACING_ORIGIN, _yes(False), Reason.SPACING_NOMINAL)
    coarsest = max(spacing.between_rows, spacing.between_columns)
    if coarsest < MINIMUM_SPACING_MM:
        return GateMeasurement(Gate.SPACING, coarsest, Reason.SPACING_FINE), origin
    coarse = coarsest > MAXIMUM_SPACING_MM
    return _refusing(Gate.SPACING, coarsest, coarse, Reason.SPACING_TOO_COARSE), origin


def _bits(mammogram: Mammogram) -> GateMeasurement:
    bits = mammogram.bits_stored
    doubt = {8: Reason.EIGHT_BITS, 9: Reason.NINE_BITS}.get(bits)
    if doubt is not None:
        return GateMeasurement(Gate.BITS, bits, doubt)
    return _refusing(Gate.BITS, bits, bits < 8, Reason.FEW_BITS)


def _levels(levels: int, bits_stored: int) -> GateMeasurement:
    few = levels < MINIMUM_LEVELS
    # Of an image of 8 or 9 bits the header has said it.
    doubtful = few or (bits_stored >= FULL_BITS and levels <= FEW_LEVELS)
    return GateMeasurement(
        Gate.LEVELS, levels, Reason.FEW_LEVELS if doubtful else None, refuses=few
    )


def _borders(found: PixelMeasurements) -> GateMeasurement:
    """Refuse a breast that fills the frame, and flag one that is cut off in front alone.

    A breast reaches the border of the chest wall, and in a mediolateral oblique view those above
    and below as well. Only air lies in front of it.
    """
    reached = [side for side, share in found.borders.items() if share > REACHES]
    front = "right" if found.chest_wall_side == "left" else "left"
    cut = found.area_cm2 is not None and front in reached
    fills = cut and ("top" in reached or "bottom" in reached)
    reason = Reason.BREAST_CUT_OFF if cut else None
    return GateMeasurement(Gate.BORDERS, " ".join(reached) or "none", reason, refuses=fills)


def _implant(mammogram: Mammogram) -> GateMeasurement:
    displaced = ViewModifier.IMPLANT_DISPLACED in mammogram.view_modifiers
    value = "displaced" if mammogram.has_implant and displaced else _yes(mammogram.has_implant)
    return _refusing(Gate.IMPLANT, value, mammogram.has_implant and not displaced, Reason.IMPLANT)


def _flagging(gate: Gate, value: float | str, doubtful: bool, reason: Reason) -> GateMeasurement:
    return GateMeasurement(gate, value, reason if doubtful else None)


def _refusing(gate: Gate, value: float | str, refused: bool, reason: Reason) -> GateMeasurement:
    return GateMeasurement(gate, value, reason if refused else None, refuses=refused)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
