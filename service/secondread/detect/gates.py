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
from secondread.reasons import ImageStatus, Reason

MAXIMUM_SPACING_MM = 0.11
"""Coarser pixels do not show a calcification of 0.2 mm (four pixels across two)."""
AREA_CM2 = (20.0, 500.0)
"""Areas of compressed breasts; outside, the breast was not what was found."""
MAXIMUM_SATURATED = 0.01
"""Share of tissue at the highest value: more hides calcifications."""
MINIMUM_POLARITY = 0.25
"""Share of textured pixels brighter than air; near 0 in a negative, see `breast.polarity`."""
ALL = "all"
"""Overrides every gate."""


class Gate(StrEnum):
    """Names of the gates: keys of `Detection.gates`, and what an override names."""

    LOSSY = "lossy"
    SPACING = "spacing_mm"
    SPACING_ORIGIN = "spacing_at_detector"
    BITS = "bits_stored"
    IMPLANT = "implant"
    LATERALITY = "laterality"
    VIEW = "view"
    PARTIAL = "partial_view"
    BREAST = "breast_found"
    AREA = "breast_area_cm2"
    SATURATION = "saturated_share"
    POLARITY = "polarity"
    MARKS = "marks_per_cm2"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one gate measured, and what follows."""

    gate: Gate
    value: float | str
    reason: Reason | None = None
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates together say about an image."""

    status: ImageStatus
    reasons: tuple[Reason, ...]
    values: dict[str, float | str]

    @property
    def refused(self) -> bool:
        """Whether the image is not read."""
        return self.status is ImageStatus.REFUSED


def header_gates(mammogram: Mammogram) -> tuple[Measured, ...]:
    """Return the gates that need the header only, to be asked before anything is decoded."""
    return (
        _refusing(Gate.LOSSY, _yes(mammogram.lossy), mammogram.lossy, Reason.LOSSY_COMPRESSION),
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
        Measured(
            Gate.PARTIAL,
            _yes(mammogram.partial_view),
            Reason.PARTIAL_VIEW if mammogram.partial_view else None,
        ),
    )


def pixel_gates(
    area_cm2: float | None, saturated_share: float, polarity: float
) -> tuple[Measured, ...]:
    """Return the gates on what was found in the pixels.

    Parameters
    ----------
    area_cm2
        Area of the breast; None where none was found.
    saturated_share
        Share of its pixels at the highest possible value.
    polarity
        See `breast.polarity`.
    """
    found = area_cm2 is not None
    area = 0.0 if area_cm2 is None else area_cm2
    return (
        _refusing(Gate.BREAST, _yes(found), not found, Reason.BREAST_NOT_FOUND),
        _refusing(
            Gate.AREA,
            round(area, 2),
            found and not AREA_CM2[0] <= area <= AREA_CM2[1],
            Reason.BREAST_AREA,
        ),
        _refusing(
            Gate.SATURATION,
            round(saturated_share, 5),
            saturated_share > MAXIMUM_SATURATED,
            Reason.SATURATED,
        ),
        _refusing(Gate.POLARITY, round(polarity, 3), polarity < MINIMUM_POLARITY, Reason.POLARITY),
    )


def marks_gate(marks_per_cm2: float, maximum: float) -> Measured:
    """Return the gate on how densely the default operating point would mark the breast."""
    return _refusing(
        Gate.MARKS, round(marks_per_cm2, 3), marks_per_cm2 > maximum, Reason.TOO_MANY_MARKS
    )


def verdict(measured: Iterable[Measured], overrides: frozenset[str] = frozenset()) -> Verdict:
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
        elif overrides & {one.gate.value, ALL}:
            flagging.append(one.reason)
            overridden = True
        else:
            refusing.append(one.reason)
    if overridden:
        flagging.append(Reason.GATE_OVERRIDDEN)
    if refusing:
        return Verdict(ImageStatus.REFUSED, tuple(refusing + flagging), values)
    status = ImageStatus.FLAGGED if flagging else ImageStatus.READ
    return Verdict(status, tuple(flagging), values)


def _spacing(mammogram: Mammogram) -> tuple[Measured, Measured]:
    spacing = mammogram.spacing
    origin = Measured(Gate.SPACING_ORIGIN, _yes(mammogram.spacing_at_detector))
    if spacing is None:
        return Measured(Gate.SPACING, "", Reason.SPACING_MISSING, refuses=True), origin
    if not mammogram.spacing_at_detector:
        origin = Measured(Gate.SPACING_ORIGIN, _yes(False), Reason.SPACING_NOMINAL)
    coarsest = max(spacing.between_rows, spacing.between_columns)
    coarse = coarsest > MAXIMUM_SPACING_MM
    return _refusing(Gate.SPACING, coarsest, coarse, Reason.SPACING_TOO_COARSE), origin


def _bits(mammogram: Mammogram) -> Measured:
    bits = mammogram.bits_stored
    if bits == 8:
        return Measured(Gate.BITS, bits, Reason.EIGHT_BITS)
    return _refusing(Gate.BITS, bits, bits < 8, Reason.FEW_BITS)


def _implant(mammogram: Mammogram) -> Measured:
    displaced = ViewModifier.IMPLANT_DISPLACED in mammogram.modifiers
    value = "displaced" if mammogram.implant and displaced else _yes(mammogram.implant)
    return _refusing(Gate.IMPLANT, value, mammogram.implant and not displaced, Reason.IMPLANT)


def _refusing(gate: Gate, value: float | str, refused: bool, reason: Reason) -> Measured:
    return Measured(gate, value, reason if refused else None, refuses=refused)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
