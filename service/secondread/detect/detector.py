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
from secondread.detect.candidate import Candidate, patches
from secondread.detect.decode import decode
from secondread.detect.gates import Measured, Verdict
from secondread.detect.grid import Grid, cropped
from secondread.detect.likeness import Features
from secondread.detect.manifest import Graph, Manifest, Role
from secondread.detect.marks import Detection, Mark
from secondread.detect.observed import observe
from secondread.detect.opening import header_of, opened
from secondread.detect.pixels import Display, GreyScale, normalised
from secondread.detect.places import Shares
from secondread.detect.session import GraphSession
from secondread.errors import InputError, ModelError, PixelError
from secondread.geometry import PointPx, SpacingMm
from secondread.reasons import ImageStatus, Reason


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
        around = manifest.graph(Role.NEIGHBOURS)
        self._neighbours = _of_spots(manifest, around, threads) if around else None
        describe = manifest.graph(Role.DESCRIBE)
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
            ds = opened(path)
            uid = str(ds.get("SOPInstanceUID", ""))
            mammogram = header_of(ds)
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

    def show(self, path: Path) -> Display | None:
        """Return an image as `detect` does, without looking for anything in it.

        Raises
        ------
        OSError
            The file cannot be opened or read.
        """
        try:
            ds = opened(path)
            return prepare(ds, header_of(ds), self.manifest.input.spacing_mm).display
        except InputError:
            return None

    def scores_at(self, path: Path, points: Sequence[PointPx]) -> Shares | None:
        """Return what the rescoring graph says of places of an image, see `places.shares_at`.

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
        ds = opened(path)
        image = prepare(ds, header_of(ds), self.manifest.input.spacing_mm)
        cut, grid, tissue, interior = detector_input(image, self.manifest.input.spacing_mm)
        z = normalised(cut, tissue, self.manifest.input)
        return places.shares_at(self._rescore, z, interior, grid, points)

    def _read_prepared(
        self,
        uid: str,
        image: Prepared,
        header: tuple[Measured, ...],
        overrides: frozenset[str],
        start: float,
    ) -> Detection:
        cut = detector_input(image, self.manifest.input.spacing_mm)
        measured = (*header, *image.measured, self._likeness(cut))
        verdict = gates.verdict(measured, overrides)
        if verdict.refused:
            return _refused(uid, verdict, image, start)
        marks = self._marks(cut)
        verdict = gates.verdict((*measured, self._density(marks, image)), overrides)
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
        return self._marks(detector_input(image, self.manifest.input.spacing_mm))

    def _marks(self, prepared: "DetectorInput") -> tuple[Mark, ...]:
        cut, grid, tissue, interior = prepared
        return self.marks_on(normalised(cut, tissue, self.manifest.input), interior, grid)

    def marks_on(self, z: Brightness, interior: Mask, grid: Grid) -> tuple[Mark, ...]:
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
        maps = strips.infer(z, interior, dense, self._dense.dense)
        seen = peaks.candidates(
            maps, dense.heads, z, interior, grid.spacing.mean, self.manifest.limits
        )
        spacing_mm = grid.spacing.mean
        found = seen.settled() if self._rescore is None else self._rescored(z, seen, spacing_mm)
        types = self._types(z, found)
        return tuple(_mark(one, grid, kind) for one, kind in zip(found, types, strict=True))

    def _rescored(self, z: Brightness, seen: peaks.Found, spacing_mm: float) -> list[Candidate]:
        """Score spots again, and drop those that are not what they seemed.

        A small piece of metal is none if its spots are something else on average. What is left
        of it is larger than the patch and keeps its score, and no spot becomes one.
        """
        session = self._rescore
        if session is None or session.graph.patch_px is None or not seen.spots:
            return seen.settled()
        heads = session.graph.heads
        scores = session.patches(patches(z, seen.spots, session.graph.patch_px))
        scores = self._beside_neighbours(scores, seen.spots, spacing_mm)
        best = scores.argmax(axis=1)
        again = tuple(
            replace(one, score=float(scores[number, head]), mark_class=heads[head])
            for number, (one, head) in enumerate(zip(seen.spots, best.tolist(), strict=True))
        )
        metal = np.array([head is MarkClass.METAL for head in heads])
        within = np.array(seen.within)
        overturned = {
            number
            for number in np.unique(within[within >= 0]).tolist()
            if _is_no_metal(scores[within == number].mean(axis=0), metal)
        }
        least = self.manifest.limits.minimum_score
        kept = replace(seen, spots=again).settled(overturned)
        return [one for one in kept if one.mark_class is MarkClass.METAL or one.score >= least]

    def _beside_neighbours(
        self, scores: npt.NDArray[np.float32], spots: Sequence[Candidate], spacing_mm: float
    ) -> npt.NDArray[np.float32]:
        """Return the scores, (spots, heads), those of likely calcifications seen among others."""
        session = self._neighbours
        if session is None:
            return scores
        heads = session.graph.heads
        asked = neighbours.asked(scores, heads)
        if not asked.size:
            return scores
        at = np.array([(one.row, one.column) for one in spots]) * spacing_mm
        seen = scores.copy()
        seen[asked] = session.patches(neighbours.features(at, scores, heads, asked))
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
        cut = patches(z, [found[number] for number in numbers], session.graph.patch_px)
        for number, shares in zip(numbers, session.patches(cut).tolist(), strict=True):
            told[number] = tuple(zip(session.graph.types, shares, strict=True))
        return told

    def _likeness(self, prepared: "DetectorInput") -> Measured:
        cut, _, _, interior = prepared
        reference = self.manifest.likeness
        features = None if reference is None else likeness.measure(cut, interior)
        if reference is None or features is None:
            return gates.likeness_gate(None, reference)
        return gates.likeness_gate(reference.distance(features), reference)

    def _density(self, marks: Sequence[Mark], image: Prepared) -> Measured:
        limits, shown = self.manifest.limits, self._shown(marks)
        return gates.marks_gate(
            shown / max(image.region.breast.area_cm2, 1e-6),
            limits.maximum_marks_per_cm2,
            all_listed=shown < limits.maximum_candidates,
        )

    def _shown(self, marks: Sequence[Mark]) -> int:
        minimum = self.manifest.operating_point().minimum_certainty.get(MarkClass.CALCIFICATION)
        if minimum is None:
            return 0
        return sum(
            mark.mark_class is MarkClass.CALCIFICATION
            and self.manifest.certainty(mark.mark_class, mark.score) >= minimum
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
    oblique = mammogram.view is not None and mammogram.view.is_mlo_like
    region = (
        landmarks.located(
            found, bright, spacing, oblique=oblique, upside_down=mammogram.upside_down
        )
        if found
        else breast.everything(bright, spacing)
    )
    pixels = observe(stored, bright, grey, region, spacing, found=found is not None)
    measured = gates.pixel_gates(pixels, mammogram.bits_stored)
    display = grey.display(stored, bright, region.tissue)
    return Prepared(bright, region, spacing, measured, display)


Types = tuple[tuple[Morphology, float], ...]
"""Shares, 0-1, of the types of a calcification."""

DetectorInput = tuple[Brightness, Grid, Mask, Mask]
"""Brightness at the model's spacing, its grid, the breast, and the breast without its skin."""


def detector_input(image: Prepared, model_mm: float) -> DetectorInput:
    """Return the breast's box at the model's spacing, its grid, and both masks of that shape."""
    box = image.region.breast.box
    cut, grid = cropped(image.bright, box, image.spacing, model_mm)
    tissue = breast.resized(image.region.tissue, image.bright.shape, box, cut.shape)
    interior = breast.resized(image.region.interior, image.bright.shape, box, cut.shape)
    return cut, grid, tissue, interior


def features_of(ds: Dataset, model_mm: float) -> Features | None:
    """Return the features that the likeness of an image is judged by, for fitting a reference.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    cut, _, _, interior = detector_input(prepare(ds, header_of(ds), model_mm), model_mm)
    return likeness.measure(cut, interior)


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


def _of_spots(manifest: Manifest, graph: Graph, threads: int) -> GraphSession:
    session = GraphSession(manifest, graph, threads)
    wanted, length = neighbours.features_length(len(graph.heads)), session.input_shape[-1]
    if isinstance(length, int) and length != wanted:
        where = manifest.folder / graph.file
        raise ModelError(f"{where}: takes {length} features a spot, {graph.features} has {wanted}")
    return session


def _is_no_metal(score: npt.NDArray[np.float32], metal: npt.NDArray[np.bool_]) -> bool:
    """Return whether a mean score, one number a head, says anything but metal or nothing."""
    return float(score[~metal].max()) > max(float(score[metal].max(initial=0.0)), 0.5)


def _mark(one: Candidate, grid: Grid, morphology: Types) -> Mark:
    return Mark(
        center=grid.to_stored(one.row, one.column),
        score=one.score,
        mark_class=one.mark_class,
        diameter_mm=one.diameter_px * grid.spacing.mean,
        contrast=one.contrast,
        elongation=one.elongation,
        morphology=morphology,
    )
