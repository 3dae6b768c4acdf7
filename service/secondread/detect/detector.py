"""One image file to a `Detection`: header, gates, decoding, breast, normalisation, graph, marks."""

import io
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass
from secondread.detect import breast, gates, peaks, strips
from secondread.detect.breast import BreastRegion, Brightness, Mask
from secondread.detect.decode import decode
from secondread.detect.gates import Measured, Verdict
from secondread.detect.grid import Grid, cropped
from secondread.detect.manifest import Manifest, Role
from secondread.detect.marks import Detection, Mark
from secondread.detect.peaks import Candidate
from secondread.detect.pixels import Display, GreyScale, normalised
from secondread.detect.session import GraphSession
from secondread.errors import InputError, PixelError
from secondread.geometry import SpacingMm
from secondread.reasons import ImageStatus, Reason

# What pydicom raises over a broken data set, beside its own error.
_PARSE_ERRORS = (
    InvalidDicomError, EOFError, ValueError, TypeError, LookupError, AttributeError,
    BytesLengthException, NotImplementedError, OSError, RecursionError, ArithmeticError,
    struct.error,
)  # fmt: skip
_PIXEL_KEYWORDS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation", "PixelData",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """One image, decoded and looked at, ready for the graphs."""

    bright: Brightness
    region: BreastRegion
    spacing: SpacingMm
    measured: tuple[Measured, ...]
    display: Display


class Detector:
    """Reads one image at a time; keeps the loaded graphs.

    Parameters
    ----------
    manifest
        The model.
    threads
        Threads of one inference and of the image filters. OpenCV's number of threads is the
        process's, so that two detectors in one process share it.

    Raises
    ------
    ModelError
        A graph is not what the manifest says.
    """

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        cv2.setNumThreads(threads)
        self.manifest = manifest
        self._dense = GraphSession(manifest, manifest.dense, threads)
        rescore = manifest.graph(Role.RESCORE)
        self._rescore = GraphSession(manifest, rescore, threads) if rescore else None

    def detect(
        self, path: Path, overrides: frozenset[str] = frozenset()
    ) -> tuple[Detection, Display | None]:
        """Read one Part 10 file.

        Parameters
        ----------
        path
            The file.
        overrides
            Names of gates (`gates.Gate`) that do not refuse this time, or ``all``.

        Returns
        -------
        Detection
            With status REFUSED and reasons where a gate refused; with status FAILED and the
            cause as `detail` where the file is no image that can be decoded. Neither has
            marks.
        ndarray or None
            The whole image as grey levels for people, calcifications white, shape
            (rows, columns); None where the pixels were not decoded.

        Raises
        ------
        OSError
            The file cannot be opened or read.
        """
        start = time.perf_counter()
        uid = ""
        try:
            ds = _read(path)
            uid = str(ds.get("SOPInstanceUID", ""))
            mammogram = _header(ds)
            measured = gates.header_gates(mammogram)
            verdict = gates.verdict(measured, overrides)
            if verdict.refused:
                return _refused(uid, verdict, None, start), None
            image = prepare(ds, mammogram, self.manifest.input.spacing_mm)
            detection = self._read_prepared(uid, image, measured, overrides, start)
        except InputError as error:
            undecodable = isinstance(error, PixelError)
            reason = Reason.PIXELS_UNREADABLE if undecodable else Reason.HEADER_INVALID
            seconds = time.perf_counter() - start
            detail = str(error)
            return Detection(
                uid, ImageStatus.FAILED, (reason,), (), {}, None, seconds, detail
            ), None
        return detection, image.display

    def _read_prepared(
        self,
        uid: str,
        image: Prepared,
        header: tuple[Measured, ...],
        overrides: frozenset[str],
        start: float,
    ) -> Detection:
        measured = (*header, *image.measured)
        verdict = gates.verdict(measured, overrides)
        if verdict.refused:
            return _refused(uid, verdict, image, start)
        marks = self.marks(image)
        density = self._shown(marks) / max(image.region.breast.area_cm2, 1e-6)
        gate = gates.marks_gate(density, self.manifest.limits.maximum_marks_per_cm2)
        verdict = gates.verdict((*measured, gate), overrides)
        if verdict.refused:
            return _refused(uid, verdict, image, start)
        return Detection(
            sop_instance_uid=uid,
            status=verdict.status,
            reasons=verdict.reasons,
            marks=marks,
            gates=verdict.values,
            breast=image.region.breast,
            seconds=time.perf_counter() - start,
        )

    def marks(self, image: Prepared) -> tuple[Mark, ...]:
        """Run the graphs on a prepared image and return its marks, highest score first."""
        cut, grid, tissue, interior = detector_input(image, self.manifest.input.spacing_mm)
        z = normalised(cut, tissue, self.manifest.input)
        dense = self.manifest.dense
        maps = strips.infer(z, interior, dense, self._dense.dense)
        found = peaks.candidates(
            maps, dense.heads, z, interior, grid.spacing.mean, self.manifest.limits
        )
        if self._rescore is not None:
            found = self._rescored(z, found)
        return tuple(_mark(one, grid) for one in found)

    def _rescored(self, z: Brightness, found: Sequence[Candidate]) -> list[Candidate]:
        session = self._rescore
        if session is None or session.graph.patch_px is None or not found:
            return list(found)
        heads = session.graph.heads
        scores = session.patches(peaks.patches(z, found, session.graph.patch_px))
        best = scores.argmax(axis=1)
        again = [
            replace(one, score=float(scores[number, head]), mark_class=heads[head])
            for number, (one, head) in enumerate(zip(found, best.tolist(), strict=True))
        ]
        kept = [one for one in again if one.score >= self.manifest.limits.minimum_score]
        return sorted(kept, key=lambda one: (-one.score, one.row, one.column))

    def _shown(self, marks: Sequence[Mark]) -> int:
        minimum = self.manifest.operating_point().minimum_certainty.get(MarkClass.CALCIFICATION)
        if minimum is None:
            return 0
        return sum(
            mark.mark_class is MarkClass.CALCIFICATION
            and self.manifest.certainty(mark.score) >= minimum
            for mark in marks
        )


def prepare(ds: Dataset, mammogram: Mammogram, model_mm: float) -> Prepared:
    """Decode an image, find the breast, and measure what the pixel gates ask for.

    An image without spacing, or without a breast, comes here only so far that its gates can be
    overridden: it is then taken at the model's spacing, and as tissue from border to border.

    Raises
    ------
    PixelError
        The pixels cannot be decoded or do not fit the header.
    """
    stored = decode(ds)
    grey = GreyScale.from_dataset(ds, mammogram)
    bright = grey.brightness(stored)
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    found = breast.find(bright, spacing)
    region = found or breast.everything(bright, spacing)
    measured = gates.pixel_gates(
        found.breast.area_cm2 if found else None,
        _saturated_share(bright, grey, region),
        breast.polarity(bright),
    )
    display = grey.display(stored, bright, region.tissue)
    return Prepared(bright, region, spacing, measured, display)


def detector_input(image: Prepared, model_mm: float) -> tuple[Brightness, Grid, Mask, Mask]:
    """Return the breast's box at the model's spacing, its grid, and both masks of that shape."""
    box = image.region.breast.box
    cut, grid = cropped(image.bright, box, image.spacing, model_mm)
    tissue = breast.resized(image.region.tissue, image.bright.shape, box, cut.shape)
    interior = breast.resized(image.region.interior, image.bright.shape, box, cut.shape)
    return cut, grid, tissue, interior


def _read(path: Path) -> Dataset:
    """Read a file, and of its elements, which are parsed when first asked for, all that matter."""
    content = path.read_bytes()  # apart, because pydicom too raises OSError, over broken content
    try:
        ds = pydicom.dcmread(io.BytesIO(content))
        for keyword in ("SOPInstanceUID", *_PIXEL_KEYWORDS):
            ds.get(keyword)
        ds.file_meta.get("TransferSyntaxUID")
    except _PARSE_ERRORS as error:
        raise InputError(f"not a DICOM file that can be read: {_brief(error)}") from error
    return ds


def _header(ds: Dataset) -> Mammogram:
    try:
        return Mammogram.from_dataset(ds)
    except _PARSE_ERRORS as error:
        raise InputError(f"the header cannot be read: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    # A parser's message may quote raw bytes, and with them anything that the header holds.
    return type(error).__name__


def _saturated_share(bright: Brightness, grey: GreyScale, region: BreastRegion) -> float:
    sample = bright[::2, ::2]
    inside = cv2.resize(region.interior, sample.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    saturated = (sample >= grey.bright.max()) & inside
    return float(np.count_nonzero(saturated)) / max(int(np.count_nonzero(inside)), 1)


def _refused(uid: str, verdict: Verdict, image: Prepared | None, start: float) -> Detection:
    return Detection(
        sop_instance_uid=uid,
        status=verdict.status,
        reasons=verdict.reasons,
        marks=(),
        gates=verdict.values,
        breast=image.region.breast if image else None,
        seconds=time.perf_counter() - start,
    )


def _mark(one: Candidate, grid: Grid) -> Mark:
    return Mark(
        center=grid.to_stored(one.row, one.column),
        score=one.score,
        mark_class=one.mark_class,
        diameter_mm=one.diameter_px * grid.spacing.mean,
        contrast=one.contrast,
        elongation=one.elongation,
    )
