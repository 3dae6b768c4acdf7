"""One image file to a `Detection`: header, gates, pixels, breast, normalisation, graphs, marks."""

import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass
from secondread.detect import gates, likeness, neighbours, peaks, prepare, strips
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate, cut_patches
from secondread.detect.gates import GateMeasurement, GateResult
from secondread.detect.manifest import GraphRole, Manifest
from secondread.detect.marks import Breast, Detection, Mark, PlaceShares, TypeShares
from secondread.detect.normalisation import normalise
from secondread.detect.pixels import Display
from secondread.detect.prepare import DetectorInput, InputGrid, PreparedImage
from secondread.detect.session import GraphSession
from secondread.dicom_files import read_image
from secondread.errors import (
    DataSetError,
    InputError,
    ModelError,
    PixelError,
    describe_without_quoting,
)
from secondread.geometry import PointPx
from secondread.reasons import Reason

_PLACES_AT_ONCE = 512  # patches cut at a time: many places must not take much memory


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, so that the process can only end."""
    no_memory_in_filter = isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem
    return isinstance(error, MemoryError) or no_memory_in_filter


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
        A graph does not fit the manifest.
    """

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        def load_graph(role: GraphRole) -> GraphSession | None:
            graph = manifest.find_graph(role)
            return GraphSession(manifest, graph, threads) if graph else None

        cv2.setNumThreads(threads)
        self.manifest = manifest
        self._dense = GraphSession(manifest, manifest.dense, threads)
        self._rescore = load_graph(GraphRole.RESCORE)
        self._neighbours = load_graph(GraphRole.NEIGHBOURS)
        self._describe = load_graph(GraphRole.DESCRIBE)
        if self._neighbours is not None:
            _check_features(self._neighbours, manifest.folder)

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
            cause as `detail` where the file is not an image that can be decoded. Neither has
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
            ds = read_image(path)
            uid = str(ds.get("SOPInstanceUID", ""))
            mammogram = prepare.read_mammogram(ds)
            header = gates.check_header(mammogram)
            result = gates.combine_measurements(header, overrides)
            if result.is_refused:
                return _make_detection(uid, result, start), None
            image = prepare.prepare_image(ds, mammogram, self.manifest.input.spacing_mm)
            result, marks = self._read_prepared(image, header, overrides)
        except InputError as error:
            return _fail(uid, _find_reason(error), str(error), start), None
        except Exception as error:
            if isinstance(error, OSError) or is_out_of_memory(error):
                raise
            # Decoders and filters raise what they like over hostile bytes. The type alone: a
            # message could quote the header.
            detail = describe_without_quoting(error)
            return _fail(uid, Reason.PIXELS_UNREADABLE, detail, start), None
        return _make_detection(uid, result, start, marks, image.region.breast), image.display

    def render_display(self, path: Path) -> Display | None:
        """Return an image's grey levels as `detect` does, without looking for anything in it.

        Raises
        ------
        OSError
            The file cannot be opened or read.
        """
        try:
            ds = read_image(path)
            mammogram = Mammogram.from_dataset(ds)
            return prepare.prepare_image(ds, mammogram, self.manifest.input.spacing_mm).display
        except InputError:
            return None

    def score_places(self, path: Path, points: Sequence[PointPx]) -> PlaceShares | None:
        """Return how surely places of an image are calcifications, whether seen there or not.

        For a recheck: the dense graph may see nothing where another exam shows a calcification.
        No gate refuses here, since the image was read before.

        Parameters
        ----------
        path
            The file.
        points
            In the stored image.

        Returns
        -------
        tuple of float or None
            The rescoring graph's share of calcification at each place, 0-1, None outside the
            breast; None instead of a tuple where the model has no such graph or share.

        Raises
        ------
        InputError
            The file is not an image that can be decoded.
        OSError
            The file cannot be opened or read.
        """
        session = self._rescore
        if session is None or MarkClass.CALCIFICATION not in session.graph.heads:
            return None
        ds, model_mm = read_image(path), self.manifest.input.spacing_mm
        found = prepare.find_breast_image(ds, Mammogram.from_dataset(ds), model_mm)
        image = prepare.cut_detector_input(found, model_mm)
        z = self._normalise(image)
        channel = session.graph.heads.index(MarkClass.CALCIFICATION)
        places = [image.grid.to_input(point) for point in points]
        inside = [index for index, place in enumerate(places) if _is_in(image.interior, *place)]
        shares: list[float | None] = [None] * len(places)
        for first in range(0, len(inside), _PLACES_AT_ONCE):
            chosen = inside[first : first + _PLACES_AT_ONCE]
            scores = _score_patches(session, z, [places[index] for index in chosen])
            for index, share in zip(chosen, scores[:, channel].tolist(), strict=True):
                shares[index] = share
        return tuple(shares)

    def find_marks(self, z: Brightness, interior: Mask, grid: InputGrid) -> tuple[Mark, ...]:
        """Run the graphs on a normalised input and return its marks, highest score first.

        Parameters
        ----------
        z
            What `normalisation.normalise` gives, at the model's spacing.
        interior
            Where marks may be, same shape.
        grid
            Where the input is in the stored image.
        """
        dense, spacing_mm = self.manifest.dense, grid.spacing.mean
        maps = strips.run_in_strips(z, interior, dense, self._dense.run_dense)
        limits = self.manifest.limits
        open_candidates = peaks.find_candidates(maps, dense.heads, z, interior, spacing_mm, limits)
        candidates = self._rescore_spots(z, open_candidates, spacing_mm)
        return tuple(
            Mark(
                center=grid.to_stored(*candidate.center),
                score=candidate.score,
                mark_class=candidate.mark_class,
                diameter_mm=candidate.diameter_px * spacing_mm,
                contrast=candidate.contrast,
                elongation=candidate.elongation,
                morphology=types,
            )
            for candidate, types in zip(candidates, self._find_types(z, candidates), strict=True)
        )

    def _normalise(self, image: DetectorInput) -> Brightness:
        return normalise(image.bright, image.tissue, self.manifest.input)

    def _read_prepared(
        self, image: PreparedImage, header: tuple[GateMeasurement, ...], overrides: frozenset[str]
    ) -> tuple[GateResult, tuple[Mark, ...]]:
        """Return the result of all gates, and the marks unless one refuses."""
        cut = prepare.cut_detector_input(image, self.manifest.input.spacing_mm)
        measurements = (*header, *image.measurements, self._check_likeness(cut))
        result = gates.combine_measurements(measurements, overrides)
        if result.is_refused:
            return result, ()
        marks = self.find_marks(self._normalise(cut), cut.interior, cut.grid)
        measurements = (*measurements, self._check_density(marks, image.region.breast))
        result = gates.combine_measurements(measurements, overrides)
        return result, () if result.is_refused else marks

    def _rescore_spots(
        self, z: Brightness, open_candidates: peaks.OpenCandidates, spacing_mm: float
    ) -> list[Candidate]:
        """Score spots again, and drop those that are not what they seemed.

        A small piece of metal is not metal if its spots are something else on average. What is
        left of it is larger than the patch and keeps its score, and no spot becomes metal.
        """
        session = self._rescore
        if session is None or not open_candidates.spots:
            return open_candidates.settle()
        heads = session.graph.heads
        scores = _score_patches(session, z, [spot.center for spot in open_candidates.spots])
        scores = self._rescore_by_neighbours(scores, open_candidates.spots, spacing_mm)
        spots = tuple(
            replace(spot, score=float(row[head]), mark_class=heads[head])
            for spot, row, head in zip(
                open_candidates.spots, scores, scores.argmax(axis=1), strict=True
            )
        )
        is_metal = np.array([head is MarkClass.METAL for head in heads])
        index = np.array(open_candidates.object_index)
        overturned = {
            number
            for number in np.unique(index[index >= 0]).tolist()
            if _is_other_than_metal(scores[index == number].mean(axis=0), is_metal)
        }
        least = self.manifest.limits.minimum_score
        return [
            candidate
            for candidate in replace(open_candidates, spots=spots).settle(overturned)
            if candidate.mark_class is MarkClass.METAL or candidate.score >= least
        ]

    def _rescore_by_neighbours(
        self, scores: npt.NDArray[np.float32], spots: Sequence[Candidate], spacing_mm: float
    ) -> npt.NDArray[np.float32]:
        """Return the scores, (spots, heads), those of likely calcifications by their neighbours."""
        session = self._neighbours
        if session is None:
            return scores
        heads = session.graph.heads
        chosen = neighbours.select_spots(scores, heads)
        if not chosen.size:
            return scores
        at_mm = np.array([spot.center for spot in spots]) * spacing_mm
        features = neighbours.compute_features(at_mm, scores, heads, chosen)
        rescored = scores.copy()
        rescored[chosen] = session.run_patches(features)
        return rescored

    def _find_types(self, z: Brightness, candidates: Sequence[Candidate]) -> list[TypeShares]:
        """Return the shares of its types for each calcification, none for other candidates."""
        types: list[TypeShares] = [()] * len(candidates)
        session = self._describe
        chosen = [
            index
            for index, candidate in enumerate(candidates)
            if candidate.mark_class is MarkClass.CALCIFICATION
        ]
        if session is None or not chosen:
            return types
        scores = _score_patches(session, z, [candidates[index].center for index in chosen])
        for index, shares in zip(chosen, scores.tolist(), strict=True):
            types[index] = tuple(zip(session.graph.types, shares, strict=True))
        return types

    def _check_likeness(self, cut: DetectorInput) -> GateMeasurement:
        reference = self.manifest.likeness
        if reference is None:
            return gates.check_likeness(None, None)
        features = likeness.measure_features(cut.bright, cut.interior)
        distance = None if features is None else reference.measure_distance(features)
        return gates.check_likeness(distance, reference)

    def _check_density(self, marks: Sequence[Mark], breast: Breast) -> GateMeasurement:
        limits, point = self.manifest.limits, self.manifest.find_operating_point()
        minimum = point.minimum_certainty.get(MarkClass.CALCIFICATION, inf)
        shown = sum(
            mark.mark_class is MarkClass.CALCIFICATION
            and self.manifest.calibrate(mark.mark_class, mark.score) >= minimum
            for mark in marks
        )
        return gates.check_mark_density(
            shown / max(breast.area_cm2, 1e-6),
            limits.maximum_marks_per_cm2,
            all_listed=shown < limits.maximum_candidates,
        )


def _make_detection(
    uid: str,
    result: GateResult,
    start: float,
    marks: tuple[Mark, ...] = (),
    breast: Breast | None = None,
) -> Detection:
    seconds = time.perf_counter() - start
    return Detection(uid, result.status, result.reasons, marks, result.values, breast, seconds)


def _find_reason(error: InputError) -> Reason:
    match error:
        case DataSetError():
            return Reason.DATA_SET_INVALID
        case PixelError():
            return Reason.PIXELS_UNREADABLE
        case _:
            return Reason.HEADER_INVALID


def _fail(uid: str, reason: Reason, detail: str, start: float) -> Detection:
    return Detection.from_failure(uid, reason, detail, time.perf_counter() - start)


def _check_features(session: GraphSession, folder: Path) -> None:
    graph = session.graph
    wanted, length = neighbours.count_features(len(graph.heads)), session.input_shape[-1]
    if isinstance(length, int) and length != wanted:
        raise ModelError(
            f"{folder / graph.file}: takes {length} features a spot, {graph.features} has {wanted}"
        )


def _score_patches(
    session: GraphSession, z: Brightness, centers: Sequence[tuple[float, float]]
) -> npt.NDArray[np.float32]:
    """Return what a patch graph gives around places of the input, (places, channels)."""
    return session.run_patches(cut_patches(z, centers, session.graph.patch_px))


def _is_in(interior: Mask, row: float, column: float) -> bool:
    if not (isfinite(row) and isfinite(column)):
        return False
    rows, columns = interior.shape
    index = round(row), round(column)
    return 0 <= index[0] < rows and 0 <= index[1] < columns and bool(interior[index])


def _is_other_than_metal(score: npt.NDArray[np.float32], is_metal: npt.NDArray[np.bool_]) -> bool:
    """Return whether a mean score, one number a head, stands for neither metal nor nothing.

    What is missing to 1 is the share of nothing: above a half, no other share can be higher.
    """
    return float(score[~is_metal].max()) > max(float(score[is_metal].max(initial=0.0)), 0.5)
