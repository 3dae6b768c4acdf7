"""Which images of a study are in the detector's scope, and which image of an exposure is read.

In scope are the kinds of image that the detector was made for; an instance outside never makes a
study partial. Whether an image in scope can be read is decided by the gates of `detect`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from secondread.assemble.image_kinds import ImageKind
from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.viewset import ViewKey
from secondread.codes import Laterality, View, ViewModifier
from secondread.reasons import Reason

_KIND_REASONS = {
    ImageKind.TOMOSYNTHESIS: Reason.TOMOSYNTHESIS,
    ImageKind.SYNTHESIZED: Reason.SYNTHESIZED_2D,
    ImageKind.CONTRAST: Reason.CONTRAST_ENHANCED,
    ImageKind.BIOPSY: Reason.STEREOTACTIC,
    ImageKind.SPECIMEN: Reason.SPECIMEN,
    ImageKind.SCREEN_CAPTURE: Reason.SCREEN_CAPTURE,
}
_KINDS_OF_OTHER_CLASSES = {ImageKind.TOMOSYNTHESIS, ImageKind.SYNTHESIZED}
"""Kinds that are found in mammography classes and in those of tomosynthesis."""
_MODIFIER_REASONS = {
    ViewModifier.TANGENTIAL: Reason.TANGENTIAL,
    ViewModifier.MAGNIFICATION: Reason.MAGNIFICATION,
    ViewModifier.SPOT: Reason.SPOT_COMPRESSION,
}


def find_exclusion_reason(mammogram: Mammogram) -> Reason | None:
    """Return why an instance is outside the detector's scope, or None if it is in it."""
    if mammogram.kind in _KINDS_OF_OTHER_CLASSES:
        return _KIND_REASONS[mammogram.kind]
    if not _is_single_mammogram(mammogram):
        return Reason.NOT_MAMMOGRAPHY
    if mammogram.kind in _KIND_REASONS:
        return _KIND_REASONS[mammogram.kind]
    if mammogram.view is View.SPECIMEN:
        return Reason.SPECIMEN
    return _find_view_reason(mammogram)


def _find_view_reason(mammogram: Mammogram) -> Reason | None:
    modifiers = mammogram.view_modifiers
    if _is_magnified(mammogram):
        modifiers |= {ViewModifier.MAGNIFICATION}
    for modifier, reason in _MODIFIER_REASONS.items():
        if modifier in modifiers:
            return reason
    if mammogram.laterality is Laterality.BOTH:
        return Reason.BOTH_BREASTS
    return None


def _is_single_mammogram(mammogram: Mammogram) -> bool:
    # A missing modality is a gap in the header; another one means that the class is wrong.
    is_of_breast = mammogram.is_digital_mammogram and mammogram.modality in {"MG", ""}
    return is_of_breast and mammogram.frames == 1


def _is_magnified(mammogram: Mammogram) -> bool:
    # A contact view has a factor of 1.0 to 1.1 (breast thickness); magnification stands give
    # 1.5 or more.
    return mammogram.magnification is not None and mammogram.magnification > 1.2


@dataclass(frozen=True, slots=True)
class ImageSelection:
    """The images of a study to read, in reading order, and those left out with their reason."""

    to_read: tuple[Mammogram, ...]
    left_out: tuple[tuple[Mammogram, Reason], ...]

    @property
    def views(self) -> frozenset[ViewKey]:
        """The views of the images to read."""
        return frozenset(key for m in self.to_read if (key := m.view_key) is not None)


def select_images(mammograms: Iterable[Mammogram]) -> ImageSelection:
    """Choose the images to read from all current instances of a study.

    Of a For Processing and a For Presentation image of one exposure only the latter is read: it
    is what the radiologist sees and what marks are drawn on. Retakes are all read.
    """
    in_scope: list[Mammogram] = []
    left_out: list[tuple[Mammogram, Reason]] = []
    for mammogram in mammograms:
        reason = find_exclusion_reason(mammogram)
        if reason is None:
            in_scope.append(mammogram)
        else:
            left_out.append((mammogram, reason))
    paired_uids = _find_paired_processing(in_scope)
    paired = [m for m in in_scope if m.sop_instance_uid in paired_uids]
    left_out += [(mammogram, Reason.PAIRED_PROCESSING) for mammogram in paired]
    to_read = [m for m in in_scope if m.sop_instance_uid not in paired_uids]
    return ImageSelection(tuple(sorted(to_read, key=reading_order)), tuple(left_out))


def _find_paired_processing(mammograms: list[Mammogram]) -> frozenset[str]:
    """Return the For Processing instances that have a For Presentation partner."""
    presentation = [m for m in mammograms if m.intent is Intent.PRESENTATION]
    source_uids = {uid for m in presentation for uid in m.source_uids}
    return frozenset(
        m.sop_instance_uid
        for m in mammograms
        if m.intent is Intent.PROCESSING
        and (
            m.sop_instance_uid in source_uids or any(_is_same_exposure(m, p) for p in presentation)
        )
    )


def _is_same_exposure(processing: Mammogram, presentation: Mammogram) -> bool:
    # Units that write no Source Image Sequence still agree on side, view and acquisition time.
    if presentation.source_uids:
        return False  # it names its source, which is another instance
    return (
        processing.laterality is presentation.laterality
        and processing.view is presentation.view
        and processing.view_modifiers == presentation.view_modifiers
        and processing.acquired_at is not None
        and processing.acquired_at == presentation.acquired_at
    )


def reading_order(mammogram: Mammogram) -> tuple[str, int, str, str]:
    """Return the sort key: right before left, CC before MLO before others, then time and UID."""
    side = mammogram.laterality.letter if mammogram.laterality else "~"
    view = mammogram.view
    rank = 3 if view is None else 0 if view.is_cc_like else 1 if view.is_mlo_like else 2
    acquired = mammogram.acquired_at.isoformat() if mammogram.acquired_at else "~"
    # R sorts after L in the alphabet; the right breast is hung first.
    return ({"R": "0", "L": "1"}.get(side, "2"), rank, acquired, mammogram.sop_instance_uid)
