"""The gates: what an image must be like to be read, and what raises doubt about it, each by name.

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
"""Areas of compressed breasts; what is smaller or larger is not a breast."""
MAXIMUM_SATURATED = 0.01
"""Share of tissue at the highest value: more hides calcifications."""
MAXIMUM_SATURATED_CM2 = 1.0
"""Of one connected saturated area: clips, markers and labels stay far below."""
BORDER_SHARE = 0.1
"""A border of the image is reached where the breast covers more than this share of it."""
MINIMUM_POLARITY = 0.25
"""Share of textured pixels brighter than air; near 0 in a negative; `breast.measure_polarity`."""
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
    DISPLAY = "display"
    LIKENESS = "unlikeness"
    MARKS = "marks_per_cm2"


@dataclass(frozen=True, slots=True)
class GateMeasurement:
    """What one gate measured, its reason if there is doubt, and whether that refuses the image."""

    gate: Gate
    value: float | str
    reason: Reason | None = None
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class PixelMeasurements:
    """What was measured in the pixels of an image."""

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
    """See `breast.measure_polarity`."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gates together decide about an image."""

    status: ImageStatus
    reasons: tuple[Reason, ...]
    values: dict[str, float | str]

    @property
    def is_refused(self) -> bool:
        """Whether the image is not read."""
        return self.status is ImageStatus.REFUSED


def check_header(mammogram: Mammogram) -> tuple[GateMeasurement, ...]:
    """Return the gates that need the header only, to be checked before anything is decoded."""
    lossy, partial = mammogram.is_lossy, mammogram.is_partial_view
    side = mammogram.laterality.letter if mammogram.laterality else ""
    view = mammogram.view.name if mammogram.view else ""
    return (
        _judge(Gate.LOSSY, _yes(lossy), Reason.LOSSY_COMPRESSION, refuse=lossy),
        *_check_spacing(mammogram),
        _check_bits(mammogram),
        _check_implant(mammogram),
        _judge(Gate.LATERALITY, side, _explain_no_side(mammogram), refuse=not side),
        _judge(Gate.VIEW, view, _explain_no_view(mammogram), refuse=not view),
        _judge(Gate.PARTIAL, _yes(partial), Reason.PARTIAL_VIEW, flag=partial),
    )


def check_pixels(pixels: PixelMeasurements, bits_stored: int) -> tuple[GateMeasurement, ...]:
    """Return the gates on what was measured in the pixels."""
    missing, area = pixels.area_cm2 is None, pixels.area_cm2 or 0.0
    odd_area = not missing and not AREA_CM2[0] <= area <= AREA_CM2[1]
    share, area_saturated = pixels.saturated_share, pixels.saturated_cm2
    return (
        _judge(Gate.BREAST, _yes(not missing), Reason.BREAST_NOT_FOUND, refuse=missing),
        _judge(Gate.AREA, round(area, 2), Reason.BREAST_AREA, refuse=odd_area),
        _check_borders(pixels),
        _check_levels(pixels.levels, bits_stored),
        _judge(
            Gate.SATURATION, round(share, 5), Reason.SATURATED, refuse=share > MAXIMUM_SATURATED
        ),
        _judge(
            Gate.SATURATED_AREA,
            round(area_saturated, 2),
            Reason.SATURATED_AREA,
            flag=area_saturated > MAXIMUM_SATURATED_CM2,
        ),
        _judge(
            Gate.POLARITY,
            round(pixels.polarity, 3),
            Reason.POLARITY,
            refuse=pixels.polarity < MINIMUM_POLARITY,
        ),
    )


def check_display(*, by_window: bool, is_senseless: bool) -> GateMeasurement:
    """Return by what the pages show the image, which is remarked where its own window was no use.

    Parameters
    ----------
    by_window
        Whether the header gives a window or VOI LUT that can be applied.
    is_senseless
        Whether it gives one that cannot.
    """
    value = "window" if by_window else "range"
    return _judge(Gate.DISPLAY, value, Reason.DISPLAY_BY_RANGE, flag=is_senseless)


def check_likeness(distance: float | None, reference: Likeness | None) -> GateMeasurement:
    """Return the gate on how unlike the images that the model was made for this one is.

    Parameters
    ----------
    distance
        `Likeness.measure_distance`; None, which is flagged, where the breast is too small for it.
    reference
        The manifest's; without one this gate decides nothing.
    """
    if reference is None:
        return GateMeasurement(Gate.LIKENESS, "no reference")
    if distance is None:
        return GateMeasurement(Gate.LIKENESS, "not measured", Reason.UNLIKE_TRAINING)
    return _judge(
        Gate.LIKENESS,
        round(distance, 2),
        Reason.UNLIKE_TRAINING,
        refuse=distance > reference.refuse_beyond,
        flag=distance > reference.flag_beyond,
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
    return _judge(
        Gate.MARKS,
        round(marks_per_cm2, 3),
        Reason.TOO_MANY_MARKS,
        refuse=marks_per_cm2 > maximum or not all_listed,
    )


def combine_measurements(
    measurements: Iterable[GateMeasurement], overrides: frozenset[str] = frozenset()
) -> GateResult:
    """Combine what the gates measured.

    Parameters
    ----------
    measurements
        In the order in which their reasons are to be named.
    overrides
        Names of gates that do not refuse this time, or ``all``.
    """
    values: dict[str, float | str] = {}
    refusing: list[Reason] = []
    flagging: list[Reason] = []
    overridden = False
    for measurement in measurements:
        gate = measurement.gate.value
        values[gate] = measurement.value
        if measurement.reason is None:
            continue
        is_overridden = measurement.refuses and bool(overrides & {gate, ALL_GATES})
        overridden |= is_overridden
        refuses = measurement.refuses and not is_overridden
        (refusing if refuses else flagging).append(measurement.reason)
    if overridden:
        flagging.append(Reason.GATE_OVERRIDDEN)
    if refusing:
        return GateResult(ImageStatus.REFUSED, tuple(refusing + flagging), values)
    is_doubtful = not all(reason.is_remark for reason in flagging)
    status = ImageStatus.FLAGGED if is_doubtful else ImageStatus.READ
    return GateResult(status, tuple(flagging), values)


def _explain_no_side(mammogram: Mammogram) -> Reason:
    contradicts = mammogram.is_laterality_contradictory
    return Reason.LATERALITY_CONTRADICTORY if contradicts else Reason.LATERALITY_MISSING


def _explain_no_view(mammogram: Mammogram) -> Reason:
    contradicts = mammogram.is_view_contradictory
    return Reason.VIEW_CONTRADICTORY if contradicts else Reason.VIEW_MISSING


def _check_spacing(mammogram: Mammogram) -> tuple[GateMeasurement, GateMeasurement]:
    spacing, at_detector = mammogram.spacing, mammogram.is_spacing_at_detector
    origin = _judge(
        Gate.SPACING_ORIGIN,
        _yes(at_detector),
        Reason.SPACING_NOMINAL,
        flag=spacing is not None and not at_detector,
    )
    if spacing is None:
        return GateMeasurement(Gate.SPACING, "", Reason.SPACING_MISSING, refuses=True), origin
    coarsest = max(spacing.between_rows, spacing.between_columns)
    if coarsest < MINIMUM_SPACING_MM:
        return GateMeasurement(Gate.SPACING, coarsest, Reason.SPACING_FINE), origin
    is_coarse = coarsest > MAXIMUM_SPACING_MM
    return _judge(Gate.SPACING, coarsest, Reason.SPACING_TOO_COARSE, refuse=is_coarse), origin


def _check_bits(mammogram: Mammogram) -> GateMeasurement:
    bits = mammogram.bits_stored
    doubt = {8: Reason.EIGHT_BITS, 9: Reason.NINE_BITS}.get(bits)
    if doubt is not None:
        return GateMeasurement(Gate.BITS, bits, doubt)
    return _judge(Gate.BITS, bits, Reason.FEW_BITS, refuse=bits < 8)


def _check_levels(levels: int, bits_stored: int) -> GateMeasurement:
    # An image of 8 or 9 bits has this doubt from its header already.
    doubtful = bits_stored >= FULL_BITS and levels <= FEW_LEVELS
    few = levels < MINIMUM_LEVELS
    return _judge(Gate.LEVELS, levels, Reason.FEW_LEVELS, refuse=few, flag=doubtful)


def _check_borders(pixels: PixelMeasurements) -> GateMeasurement:
    """Refuse a breast that fills the frame, and flag one that is cut off in front alone.

    A breast reaches the border of the chest wall, and in a mediolateral oblique view those above
    and below as well. Only air is in front of it.
    """
    reached = [side for side, share in pixels.borders.items() if share > BORDER_SHARE]
    front = "right" if pixels.chest_wall_side == "left" else "left"
    cut_off = pixels.area_cm2 is not None and front in reached
    fills_frame = cut_off and ("top" in reached or "bottom" in reached)
    value = " ".join(reached) or "none"
    return _judge(Gate.BORDERS, value, Reason.BREAST_CUT_OFF, refuse=fills_frame, flag=cut_off)


def _check_implant(mammogram: Mammogram) -> GateMeasurement:
    displaced = ViewModifier.IMPLANT_DISPLACED in mammogram.view_modifiers
    hides_tissue = mammogram.has_implant and not displaced
    value = "displaced" if mammogram.has_implant and displaced else _yes(mammogram.has_implant)
    return _judge(Gate.IMPLANT, value, Reason.IMPLANT, refuse=hides_tissue)


def _judge(
    gate: Gate, value: float | str, reason: Reason, *, refuse: bool = False, flag: bool = False
) -> GateMeasurement:
    return GateMeasurement(gate, value, reason if refuse or flag else None, refuses=refuse)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
