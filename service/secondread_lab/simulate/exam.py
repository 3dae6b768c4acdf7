"""A follow-up exam and its prior, in memory (`simulate_exam`) or on disk (`write_exam`)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset

from secondread.assemble.mammogram import Intent
from secondread.codes import Laterality, MarkClass, View
from secondread_lab.simulate.acquisition import Exposure, Signal, XRayDetector, store_for_processing
from secondread_lab.simulate.annotation import (
    AnnotatedSolid,
    SharedColumns,
    annotate_view,
    list_solids,
)
from secondread_lab.simulate.dicom import ISSUER, StudyIdentity, ViewIdentity, build_mammogram
from secondread_lab.simulate.imaging import Scene, expose_view
from secondread_lab.simulate.lesion_history import draw_lesion
from secondread_lab.simulate.markers import draw_label_mask, draw_scar_wire, make_nipple_ball
from secondread_lab.simulate.metal import draw_metal
from secondread_lab.simulate.phantom import SimulatedBreast, draw_breast
from secondread_lab.simulate.processing import render_for_presentation
from secondread_lab.simulate.projection import (
    Frame,
    ViewLayout,
    draw_positioning,
    find_chest_wall_side,
)
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.spec import TAKEN_AT, ExamName, ExamSpec, Seeds
from secondread_lab.simulate.tissue import Tissue, draw_tissue
from secondread_lab.simulate.treated_breast import (
    draw_aftermath,
    make_treatment_rows,
    write_treatments,
)
from secondread_lab.simulate.truth import TruthRow, write_truth

__all__ = [
    "ExamFiles",
    "ExamSpec",
    "Seeds",
    "SimulatedExam",
    "SimulatedView",
    "simulate_exam",
    "simulate_views",
    "write_exam",
]

Progress = Callable[[str], None]
"""Is told, in words for a person, what has just been made."""


@dataclass(frozen=True, slots=True)
class SimulatedView:
    """One view of one exam, with its truth."""

    exam: ExamName
    identity: ViewIdentity
    instances: tuple[tuple[Intent, FileDataset], ...]
    rows: tuple[TruthRow, ...]
    """Truth of every instance."""
    mask: npt.NDArray[np.uint8]
    """Labels of `annotation.LABELS` where the noise-free contrast of a solid is visible."""
    scene: Scene
    """What stood in the beam, and how it lay."""


@dataclass(frozen=True, slots=True)
class SimulatedExam:
    """A study and its prior, in memory."""

    spec: ExamSpec
    views: tuple[SimulatedView, ...]
    treatments: tuple[tuple[str, ...], ...]
    """Rows of the treatment record."""

    def find_view(self, exam: ExamName, label: str) -> SimulatedView:
        """Return one view, for example ``("current", "LCC")``."""
        return next(v for v in self.views if v.exam == exam and v.identity.label == label)


@dataclass(frozen=True, slots=True)
class ExamFiles:
    """What `write_exam` wrote."""

    current: tuple[Path, ...]
    """DICOM files of the study, views in hanging order."""
    prior: tuple[Path, ...]
    masks: tuple[Path, ...]
    truth: Path
    treatments: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All DICOM files, the prior's first."""
        return self.prior + self.current


def simulate_exam(spec: ExamSpec, progress: Progress | None = None) -> SimulatedExam:
    """Return an exam and its prior with all pixels, about 20 MB a view at full size."""
    views = tuple(simulate_views(spec, progress))
    return SimulatedExam(spec, views, tuple(_make_treatment_rows(spec)))


def write_exam(spec: ExamSpec, folder: Path, progress: Progress | None = None) -> ExamFiles:
    """Write an exam, its prior, the truth table, the masks and the treatment record.

    Parameters
    ----------
    folder
        Gets ``current/``, ``prior/``, ``masks/``, ``truth.csv`` and ``treatments.csv``; files
        of the same names are replaced.
    """
    written: dict[ExamName, list[Path]] = {"current": [], "prior": []}
    masks: list[Path] = []
    rows: list[TruthRow] = []
    for view in simulate_views(spec, progress):
        label = view.identity.label
        target = folder / view.exam
        target.mkdir(parents=True, exist_ok=True)
        for intent, ds in view.instances:
            path = target / f"{label}{'' if intent is Intent.PRESENTATION else '-raw'}.dcm"
            ds.save_as(path, enforce_file_format=True)
            written[view.exam].append(path)
        masks.append(_write_mask(folder / "masks" / f"{view.exam}-{label}.png", view.mask))
        rows.extend(view.rows)
    truth, treatments = folder / "truth.csv", folder / "treatments.csv"
    write_truth(truth, rows)
    write_treatments(treatments, _make_treatment_rows(spec))
    return ExamFiles(
        tuple(written["current"]), tuple(written["prior"]), tuple(masks), truth, treatments
    )


def simulate_views(spec: ExamSpec, progress: Progress | None = None) -> Iterator[SimulatedView]:
    """Make one view after another; the tissue of a view is drawn once for all exams."""
    for number, label in enumerate(spec.views, start=1):
        laterality, view = _parse_label(label)
        breast = _draw_breast(spec, laterality)
        tissue = draw_tissue(breast, view)
        for exam, years_before in spec.exams:
            simulated = _simulate_view(
                spec, _Target(exam, years_before, breast, view, number), tissue
            )
            if progress is not None:
                progress(f"simulated {exam} {simulated.identity.label}")
            yield simulated


@dataclass(frozen=True, slots=True)
class _Target:
    """Which view of which exam."""

    exam: ExamName
    years_before: float
    breast: SimulatedBreast
    view: View
    number: int


def _simulate_view(spec: ExamSpec, target: _Target, tissue: Tissue) -> SimulatedView:
    vendor, detector = spec.find_vendor(target.exam), spec.find_detector(target.exam)
    scene = _arrange_scene(spec, target, tissue, detector)
    items = _list_solids(spec, target)
    image = expose_view(
        scene,
        (item.solid for item in items),
        Exposure(vendor.quanta_per_mm2, spec.noise),
        seed_stream(spec.seeds.acquisition, "noise", target.exam, *_stream_names(target)),
    )
    identity = ViewIdentity(
        _identify_study(spec, target),
        target.breast.laterality,
        target.view,
        target.number,
        has_source=Intent.PROCESSING in spec.intents,
    )
    instances = tuple(
        (
            intent,
            build_mammogram(
                identity,
                intent,
                _make_pixels(image.signal, intent, spec, target),
                vendor,
                detector,
                scene.layout.positioning,
            ),
        )
        for intent in spec.intents
    )
    shared = SharedColumns(vendor.name, target.breast.density, detector.spacing)
    uids = [ds.SOPInstanceUID for _, ds in instances]
    mask, rows = annotate_view(items, image, shared, uids)
    return SimulatedView(target.exam, identity, instances, rows, mask, scene)


def _make_pixels(
    signal: Signal, intent: Intent, spec: ExamSpec, target: _Target
) -> npt.NDArray[np.uint16]:
    detector = spec.find_detector(target.exam)
    if intent is Intent.PROCESSING:
        return store_for_processing(signal, detector)
    processing = spec.find_vendor(target.exam).processing
    pixels = render_for_presentation(signal, processing, detector.pitch_mm)
    if spec.labelled:
        text = target.breast.laterality.letter + target.view.name
        side = find_chest_wall_side(target.breast.laterality)
        letters = draw_label_mask(pixels.shape, text, detector.pitch_mm, side, spec.text)
        inverted = processing.photometric == "MONOCHROME1"
        pixels[letters] = 0 if inverted else 2**processing.bits - 1
    return pixels


def _parse_label(label: str) -> tuple[Laterality, View]:
    laterality = Laterality.from_letter(label[:1])
    if laterality is None or label[1:] not in {"CC", "MLO"}:
        raise ValueError(f"{label!r} is no view: RCC, LCC, RMLO and LMLO are simulated")
    return laterality, View[label[1:]]


def _draw_breast(spec: ExamSpec, laterality: Laterality) -> SimulatedBreast:
    return draw_breast(spec.seeds.anatomy, laterality, density=spec.density, size=spec.size)


def _arrange_scene(
    spec: ExamSpec, target: _Target, tissue: Tissue, detector: XRayDetector
) -> Scene:
    breast = target.breast
    frame = Frame(
        detector.rows, detector.columns, detector.spacing, find_chest_wall_side(breast.laterality)
    )
    # The prior is another acquisition: another lie, from a seed of its own.
    seed = int(seed_stream(spec.seeds.acquisition, target.exam).integers(2**32))
    layout = ViewLayout(frame, draw_positioning(breast, target.view, frame, seed))
    added = None
    treatment = spec.treatment
    day = spec.find_date(target.years_before)
    if treatment is not None and treatment.is_operated(breast.laterality, day):
        added = draw_aftermath(
            breast, target.view, treatment, day, tissue.canvas, spec.seeds.history
        )
    paddle = None
    if spec.paddle_edge:
        rng = seed_stream(spec.seeds.acquisition, "paddle", target.exam, *_stream_names(target))
        paddle = float(rng.uniform(1.5, 7.0))
    return Scene(breast, target.view, tissue, layout, detector, added, paddle)


def _list_solids(spec: ExamSpec, target: _Target) -> tuple[AnnotatedSolid, ...]:
    breast = target.breast
    lesions = [
        draw_lesion(lesion, breast, spec.seeds.history, spec.prior_years or 1.0)
        for lesion in spec.lesions
        if lesion.laterality is breast.laterality
    ]
    prior = spec.prior_years if target.exam == "current" else None
    day = spec.find_date(target.years_before)
    in_tissue = list_solids(
        lesions, breast, spec.treatment, day, (target.years_before, prior), spec.seeds.history
    )
    return (*in_tissue, *_list_markers(spec, breast, day), *_list_metal(spec, breast))


def _list_markers(spec: ExamSpec, breast: SimulatedBreast, day: date) -> Iterator[AnnotatedSolid]:
    if "nipple" in spec.markers:
        yield AnnotatedSolid(make_nipple_ball(breast), MarkClass.METAL, 1, "marker-nipple")
    treatment = spec.treatment
    if (
        "scar" in spec.markers
        and treatment is not None
        and treatment.is_operated(breast.laterality, day)
    ):
        solid = draw_scar_wire(breast, treatment, spec.seeds.history)
        yield AnnotatedSolid(solid, MarkClass.METAL, 1, "marker-scar")


def _list_metal(spec: ExamSpec, breast: SimulatedBreast) -> Iterator[AnnotatedSolid]:
    so_far: Counter[str] = Counter()
    for piece in spec.metal:
        if piece.laterality is breast.laterality:
            for solid in draw_metal(piece, breast, spec.seeds.history):
                so_far[piece.kind] += 1
                number = so_far[piece.kind]
                yield AnnotatedSolid(solid, MarkClass.METAL, number, f"{piece.kind}-{number}")


def _identify_study(spec: ExamSpec, target: _Target) -> StudyIdentity:
    day = spec.find_date(target.years_before)
    return StudyIdentity(
        key=spec.key,
        patient_id=_make_patient_id(spec),
        taken_at=datetime.combine(day, TAKEN_AT, tzinfo=UTC),
    )


def _make_patient_id(spec: ExamSpec) -> str:
    return f"SIM-{spec.seeds.anatomy:06d}-{spec.seeds.history:03d}"


def _make_treatment_rows(spec: ExamSpec) -> list[tuple[str, ...]]:
    treatments = () if spec.treatment is None else (spec.treatment,)
    return make_treatment_rows(_make_patient_id(spec), ISSUER, treatments)


def _stream_names(target: _Target) -> tuple[str, str]:
    return target.breast.laterality.letter, target.view.name


def _write_mask(path: Path, mask: npt.NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".png", mask)
    if not ok:
        raise OSError(f"{path}: the mask could not be encoded")
    path.write_bytes(data.tobytes())
    return path
