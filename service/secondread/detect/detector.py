"""One image file to a `Detection`: header, gates, decoding, breast, normalisation, graph, marks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass, Morphology
from secondread.detect import (
    breast,
    gates,
    landmarks,
    likeness,
    neighbours,
    peaks,
    places,
    strips,
)
from secondread.detect.breast import BreastRegion, Brightness, Mask
from secondread.detect.candidate import Candidate, cut_patches
from secondread.detect.decode import decode_pixels
from secondread.detect.gates import GateMeasurement, GateResult
from secondread.detect.grid import InputGrid, crop_to_spacing
from secondread.detect.likeness import LikenessFeatures
from secondread.detect.manifest import Graph, GraphRole, Manifest
from secondread.detect.marks import Detection, Mark
from secondread.detect.observed import measure_pixels
from secondread.detect.opening import read_dataset, read_header
from secondread.detect.pixels import Display, GreyScale, normalise
from secondread.detect.places import PlaceShares
from secondread.detect.session import GraphSession
from secondread.errors import InputError, ModelError, PixelError
from secondread.geometry import PointPx, SpacingMm
from secondread.reasons import ImageStatus, Reason


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """One image, decoded and looked at, ready for the graphs."""

    bright: Brightness
    region: BreastRegion
    spacing: SpacingMm
    measurements: tuple[GateMeasurement, ...]
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
        rescore = manifest.find_graph(GraphRole.RESCORE)
        self._rescore = GraphSession(manifest, rescore, threads) if rescore else None
        around = manifest.find_graph(GraphRole.NEIGHBOURS)
        self._neighbours = _of_spots(manifest, around, threads) if around else None
        describe = manifest.find_graph(GraphRole.DESCRIBE)
        self._describe = GraphSession(manifest, describe, threads) if describe else None

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
            ds = read_dataset(path)
            uid = str(ds.get("SOPInstanceUID", ""))
            mammogram = read_header(ds)
            measured = gates.check_header(mammogram)
            verdict = gates.combine_measurements(measured, overrides)
            if verdict.is_refused:
                return _refused(uid, verdict, None, start), None
            image = prepare_image(ds, mammogram, self.manifest.input.spacing_mm)
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

    def render_display(self, path: Path) -> Display | None:
        """Return an image as `detect` does, without looking for anything in it.

        Raises
        ------
        OSError
            The file cannot be opened or read.
        """
        try:
            ds = read_dataset(path)
            return prepare_image(ds, read_header(ds), self.manifest.input.spacing_mm).display
        except InputError:
            return None

    def score_places(self, path: Path, points: Sequence[PointPx]) -> PlaceShares | None:
        """Return what the rescoring graph says of places of an image, see `places.score_places`.

        No gate refuses here: what is asked about was read before.

        Parameters
        ----------
        path
            The file.
        points
            In the stored image.

        Returns
        -------
        tuple of float or None
            One for each place; None where the model has nothing to look with.

        Raises
        ------
        InputError
            The file is no image that can be decoded.
        OSError
            The file cannot be opened or read.
        """
        if self._rescore is None:
            return None
        ds = read_dataset(path)
        image = prepare_image(ds, read_header(ds), self.manifest.input.spacing_mm)
        cut, grid, tissue, interior = cut_detector_input(image, self.manifest.input.spacing_mm)
        z = normalise(cut, tissue, self.manifest.input)
        return places.score_places(self._rescore, z, interior, grid, points)

    def _read_prepared(
        self,
        uid: str,
        image: PreparedImage,
        header: tuple[GateMeasurement, ...],
        overrides: frozenset[str],
        start: float,
    ) -> Detection:
        cut = cut_detector_input(image, self.manifest.input.spacing_mm)
        measured = (*header, *image.measurements, self._likeness(cut))
        verdict = gates.combine_measurements(measured, overrides)
        if verdict.is_refused:
            return _refused(uid, verdict, image, start)
        marks = self._marks(cut)
        verdict = gates.combine_measurements((*measured, self._density(marks, image)), overrides)
        if verdict.is_refused:
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

    def find_marks(self, image: PreparedImage) -> tuple[Mark, ...]:
        """Run the graphs on a prepared image and return its marks, highest score first."""
        return self._marks(cut_detector_input(image, self.manifest.input.spacing_mm))

    def _marks(self, prepared: "DetectorInput") -> tuple[Mark, ...]:
        cut, grid, tissue, interior = prepared
        return self.find_marks_in_input(normalise(cut, tissue, self.manifest.input), interior, grid)

    def find_marks_in_input(
        self, z: Brightness, interior: Mask, grid: InputGrid
    ) -> tuple[Mark, ...]:
        """Run the graphs on a normalised input and return its marks, highest score first.

        Parameters
        ----------
        z
            What `pixels.normalised` gives, at the model's spacing.
        interior
            Where marks may lie, same shape.
        grid
            Where the input lies in the stored image.
        """
        dense = self.manifest.dense
        maps = strips.run_in_strips(z, interior, dense, self._dense.run_dense)
        seen = peaks.find_candidates(
            maps, dense.heads, z, interior, grid.spacing.mean, self.manifest.limits
        )
        spacing_mm = grid.spacing.mean
        found = seen.settle() if self._rescore is None else self._rescored(z, seen, spacing_mm)
        types = self._types(z, found)
        return tuple(_mark(one, grid, kind) for one, kind in zip(found, types, strict=True))

    def _rescored(
        self, z: Brightness, seen: peaks.OpenCandidates, spacing_mm: float
    ) -> list[Candidate]:
        """Score spots again, and drop those that are not what they seemed.

        A small piece of metal is none if its spots are something else on average. What is left
        of it is larger than the patch and keeps its score, and no spot becomes one.
        """
        session = self._rescore
        if session is None or session.graph.patch_px is None or not seen.spots:
            return seen.settle()
        heads = session.graph.heads
        scores = session.run_patches(cut_patches(z, seen.spots, session.graph.patch_px))
        scores = self._beside_neighbours(scores, seen.spots, spacing_mm)
        best = scores.argmax(axis=1)
        again = tuple(
            replace(one, score=float(scores[number, head]), mark_class=heads[head])
            for number, (one, head) in enumerate(zip(seen.spots, best.tolist(), strict=True))
        )
        metal = np.array([head is MarkClass.METAL for head in heads])
        within = np.array(seen.object_index)
        overturned = {
            number
            for number in np.unique(within[within >= 0]).tolist()
            if _is_no_metal(scores[within == number].mean(axis=0), metal)
        }
        least = self.manifest.limits.minimum_score
        kept = replace(seen, spots=again).settle(overturned)
        return [one for one in kept if one.mark_class is MarkClass.METAL or one.score >= least]

    def _beside_neighbours(
        self, scores: npt.NDArray[np.float32], spots: Sequence[Candidate], spacing_mm: float
    ) -> npt.NDArray[np.float32]:
        """Return the scores, (spots, heads), those of likely calcifications seen among others."""
        session = self._neighbours
        if session is None:
            return scores
        heads = session.graph.heads
        asked = neighbours.select_spots(scores, heads)
        if not asked.size:
            return scores
        at = np.array([(one.row, one.column) for one in spots]) * spacing_mm
        seen = scores.copy()
        seen[asked] = session.run_patches(neighbours.compute_features(at, scores, heads, asked))
        return seen

    def _types(self, z: Brightness, found: Sequence[Candidate]) -> list["Types"]:
        """Return the shares of its types for each calcification, nothing for what is none."""
        told: list[Types] = [()] * len(found)
        session = self._describe
        if session is None or session.graph.patch_px is None:
            return told
        numbers = [
            number for number, one in enumerate(found) if one.mark_class is MarkClass.CALCIFICATION
        ]
        if not numbers:
            return told
        cut = cut_patches(z, [found[number] for number in numbers], session.graph.patch_px)
        for number, shares in zip(numbers, session.run_patches(cut).tolist(), strict=True):
            told[number] = tuple(zip(session.graph.types, shares, strict=True))
        return told

    def _likeness(self, prepared: "DetectorInput") -> GateMeasurement:
        cut, _, _, interior = prepared
        reference = self.manifest.likeness
        features = None if reference is None else likeness.measure_features(cut, interior)
        if reference is None or features is None:
            return gates.check_likeness(None, reference)
        return gates.check_likeness(reference.measure_distance(features), reference)

    def _density(self, marks: Sequence[Mark], image: PreparedImage) -> GateMeasurement:
        limits, shown = self.manifest.limits, self._shown(marks)
        return gates.check_mark_density(
            shown / max(image.region.breast.area_cm2, 1e-6),
            limits.maximum_marks_per_cm2,
            all_listed=shown < limits.maximum_candidates,
        )

    def _shown(self, marks: Sequence[Mark]) -> int:
        minimum = self.manifest.find_operating_point().minimum_certainty.get(
            MarkClass.CALCIFICATION
        )
        if minimum is None:
            return 0
        return sum(
            mark.mark_class is MarkClass.CALCIFICATION
            and self.manifest.calibrate(mark.mark_class, mark.score) >= minimum
            for mark in marks
        )


def prepare_image(ds: Dataset, mammogram: Mammogram, model_mm: float) -> PreparedImage:
    """Decode an image, find the breast, and measure what the pixel gates ask for.

    An image without spacing, or without a breast, comes here only so far that its gates can be
    overridden: it is then taken at the model's spacing, and as tissue from border to border.

    Raises
    ------
    PixelError
        The pixels cannot be decoded or do not fit the header.
    """
    stored = decode_pixels(ds)
    grey = GreyScale.from_dataset(ds, mammogram)
    bright = grey.to_brightness(stored)
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    found = breast.find_breast(bright, spacing)
    oblique = mammogram.view is not None and mammogram.view.is_mlo_like
    region = (
        landmarks.add_landmarks(
            found, bright, spacing, oblique=oblique, upside_down=mammogram.is_upside_down
        )
        if found
        else breast.take_whole_image(bright, spacing)
    )
    pixels = measure_pixels(stored, bright, grey, region, spacing, found=found is not None)
    measured = gates.check_pixels(pixels, mammogram.bits_stored)
    display = grey.render(stored, bright, region.tissue)
    return PreparedImage(bright, region, spacing, measured, display)


Types = tuple[tuple[Morphology, float], ...]
"""Shares, 0-1, of the types of a calcification."""

DetectorInput = tuple[Brightness, InputGrid, Mask, Mask]
"""Brightness at the model's spacing, its grid, the breast, and the breast without its skin."""


def cut_detector_input(image: PreparedImage, model_mm: float) -> DetectorInput:
    """Return the breast's box at the model's spacing, its grid, and both masks of that shape."""
    box = image.region.breast.box
    cut, grid = crop_to_spacing(image.bright, box, image.spacing, model_mm)
    tissue = breast.resample_mask(image.region.tissue, image.bright.shape, box, cut.shape)
    interior = breast.resample_mask(image.region.interior, image.bright.shape, box, cut.shape)
    return cut, grid, tissue, interior


def measure_likeness(ds: Dataset, model_mm: float) -> LikenessFeatures | None:
    """Return the features that the likeness of an image is judged by, for fitting a reference.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    cut, _, _, interior = cut_detector_input(prepare_image(ds, read_header(ds), model_mm), model_mm)
    return likeness.measure_features(cut, interior)


def _refused(uid: str, verdict: GateResult, image: PreparedImage | None, start: float) -> Detection:
    return Detection(
        sop_instance_uid=uid,
        status=verdict.status,
        reasons=verdict.reasons,
        marks=(),
        gates=verdict.values,
        breast=image.region.breast if image else None,
        seconds=time.perf_counter() - start,
    )


def _of_spots(manifest: Manifest, graph: Graph, threads: int) -> GraphSession:
    session = GraphSession(manifest, graph, threads)
    wanted, length = neighbours.count_features(len(graph.heads)), session.input_shape[-1]
    if isinstance(length, int) and length != wanted:
        where = manifest.folder / graph.file
        raise ModelError(f"{where}: takes {length} features a spot, {graph.features} has {wanted}")
    return session


def _is_no_metal(score: npt.NDArray[np.float32], metal: npt.NDArray[np.bool_]) -> bool:
    """Return whether a mean score, one number a head, says anything but metal or nothing."""
    return float(score[~metal].max()) > max(float(score[metal].max(initial=0.0)), 0.5)


def _mark(one: Candidate, grid: InputGrid, morphology: Types) -> Mark:
    return Mark(
        center=grid.to_stored(one.row, one.column),
        score=one.score,
        mark_class=one.mark_class,
        diameter_mm=one.diameter_px * grid.spacing.mean,
        contrast=one.contrast,
        elongation=one.elongation,
        morphology=morphology,
    )
