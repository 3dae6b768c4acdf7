"""A follow-up exam and its prior, in memory (`simulate_exam`) or on disk (`write_exam`)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset

from secondread.assemble.intent import Intent
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
from secondread_lab.simulate.pictures import write_picture
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
    TreatmentSpec,
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
"""Called after each view with a line of text about it, for a person."""


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
    """What was in the beam, and how it was positioned."""


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
    """The files of an exam on disk."""

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
        masks.append(write_picture(folder / "masks" / f"{view.exam}-{label}.png", view.mask))
        rows.extend(view.rows)
    truth, treatments = folder / "truth.csv", folder / "treatments.csv"
    write_truth(truth, rows)
    write_treatments(treatments, _make_treatment_rows(spec))
    return ExamFiles(
        tuple(written["current"]), tuple(written["prior"]), tuple(masks), truth, treatments
    )


def simulate_views(spec: ExamSpec, progress: Progress | None = None) -> Iterator[SimulatedView]:
    """Simulate one view after another; the tissue of a view is drawn once for all exams."""
    for number, label in enumerate(spec.views, start=1):
        laterality, view = _parse_label(label)
        breast = draw_breast(spec.seeds.anatomy, laterality, density=spec.density, size=spec.size)
        tissue = draw_tissue(breast, view)
        for exam, years_before in spec.exams:
            simulated = _simulate_view(
                _Acquisition(spec, exam, years_before, breast, view, number), tissue
            )
            if progress is not None:
                progress(f"simulated {exam} {simulated.identity.label}")
            yield simulated


def _parse_label(label: str) -> tuple[Laterality, View]:
    laterality = Laterality.from_letter(label[:1])
    if laterality is None or label[1:] not in {"CC", "MLO"}:
        raise ValueError(f"{label!r} is not a view that is simulated: RCC, LCC, RMLO, LMLO")
    return laterality, View[label[1:]]


@dataclass(frozen=True, slots=True)
class _Acquisition:
    """One view of one exam."""

    spec: ExamSpec
    exam: ExamName
    years_before: float
    breast: SimulatedBreast
    view: View
    number: int

    @property
    def day(self) -> date:
        """Date of the exam."""
        return self.spec.find_date(self.years_before)

    @property
    def detector(self) -> XRayDetector:
        """Detector of the exam's unit."""
        return self.spec.find_detector(self.exam)

    @property
    def treatment(self) -> TreatmentSpec | None:
        """Treatment of the breast before the exam."""
        treatment = self.spec.treatment
        is_treated = treatment and treatment.is_operated(self.breast.laterality, self.day)
        return treatment if is_treated else None

    def seed_stream(self, name: str) -> np.random.Generator:
        """Return a random stream of this image."""
        names = (name, self.exam, self.breast.laterality.letter, self.view.name)
        return seed_stream(self.spec.seeds.acquisition, *names)


def _simulate_view(acquisition: _Acquisition, tissue: Tissue) -> SimulatedView:
    spec, detector = acquisition.spec, acquisition.detector
    vendor = spec.find_vendor(acquisition.exam)
    scene = _arrange_scene(acquisition, tissue)
    solids = _list_solids(acquisition)
    image = expose_view(
        scene,
        (annotated.solid for annotated in solids),
        Exposure(vendor.quanta_per_mm2, spec.noise),
        acquisition.seed_stream("noise"),
    )
    identity = ViewIdentity(
        _identify_study(acquisition),
        acquisition.breast.laterality,
        acquisition.view,
        acquisition.number,
        has_source=Intent.PROCESSING in spec.intents,
    )
    instances = []
    for intent in spec.intents:
        pixels = _make_pixels(image.signal, intent, acquisition)
        positioning = scene.layout.positioning
        ds = build_mammogram(identity, intent, pixels, vendor, detector, positioning)
        instances.append((intent, ds))
    shared = SharedColumns(vendor.name, acquisition.breast.density, detector.spacing)
    uids = [ds.SOPInstanceUID for _, ds in instances]
    mask, rows = annotate_view(solids, image, shared, uids)
    return SimulatedView(acquisition.exam, identity, tuple(instances), rows, mask, scene)


def _make_pixels(
    signal: Signal, intent: Intent, acquisition: _Acquisition
) -> npt.NDArray[np.uint16]:
    spec, detector = acquisition.spec, acquisition.detector
    if intent is Intent.PROCESSING:
        return store_for_processing(signal, detector)
    processing = spec.find_vendor(acquisition.exam).processing
    pixels = render_for_presentation(signal, processing, detector.pitch_mm)
    if spec.labelled:
        laterality = acquisition.breast.laterality
        text, side = laterality.letter + acquisition.view.name, find_chest_wall_side(laterality)
        letters = draw_label_mask(pixels.shape, text, detector.pitch_mm, side, spec.text)
        inverted = processing.photometric == "MONOCHROME1"
        pixels[letters] = 0 if inverted else 2**processing.bits - 1
    return pixels


def _arrange_scene(acquisition: _Acquisition, tissue: Tissue) -> Scene:
    spec, breast, view = acquisition.spec, acquisition.breast, acquisition.view
    detector, treatment = acquisition.detector, acquisition.treatment
    side = find_chest_wall_side(breast.laterality)
    frame = Frame(detector.rows, detector.columns, detector.spacing, side)
    # The prior is another acquisition: it is positioned anew, from a seed of its own.
    seed = int(seed_stream(spec.seeds.acquisition, acquisition.exam).integers(2**32))
    layout = ViewLayout(frame, draw_positioning(breast, view, frame, seed))
    added = None
    if treatment is not None:
        history = spec.seeds.history
        added = draw_aftermath(breast, view, treatment, acquisition.day, tissue.canvas, history)
    paddle = None
    if spec.paddle_edge:
        paddle = float(acquisition.seed_stream("paddle").uniform(1.5, 7.0))
    return Scene(breast, view, tissue, layout, detector, added, paddle)


def _list_solids(acquisition: _Acquisition) -> tuple[AnnotatedSolid, ...]:
    spec, breast = acquisition.spec, acquisition.breast
    lesions = [
        draw_lesion(lesion, breast, spec.seeds.history, spec.prior_years or 1.0)
        for lesion in spec.lesions
        if lesion.laterality is breast.laterality
    ]
    prior = spec.prior_years if acquisition.exam == "current" else None
    years = (acquisition.years_before, prior)
    in_tissue = list_solids(
        lesions, breast, spec.treatment, acquisition.day, years, spec.seeds.history
    )
    return (*in_tissue, *_list_markers(acquisition), *_list_metal(acquisition))


def _list_markers(acquisition: _Acquisition) -> Iterator[AnnotatedSolid]:
    spec, breast, treatment = acquisition.spec, acquisition.breast, acquisition.treatment
    if "nipple" in spec.markers:
        yield AnnotatedSolid(make_nipple_ball(breast), MarkClass.METAL, 1, "marker-nipple")
    if "scar" in spec.markers and treatment is not None:
        solid = draw_scar_wire(breast, treatment, spec.seeds.history)
        yield AnnotatedSolid(solid, MarkClass.METAL, 1, "marker-scar")


def _list_metal(acquisition: _Acquisition) -> Iterator[AnnotatedSolid]:
    counts: Counter[str] = Counter()
    breast, seed = acquisition.breast, acquisition.spec.seeds.history
    for piece in acquisition.spec.metal:
        if piece.laterality is breast.laterality:
            for solid in draw_metal(piece, breast, seed):
                counts[piece.kind] += 1
                number = counts[piece.kind]
                yield AnnotatedSolid(solid, MarkClass.METAL, number, f"{piece.kind}-{number}")


def _identify_study(acquisition: _Acquisition) -> StudyIdentity:
    return StudyIdentity(
        key=acquisition.spec.key,
        patient_id=_make_patient_id(acquisition.spec),
        taken_at=datetime.combine(acquisition.day, TAKEN_AT, tzinfo=UTC),
    )


def _make_patient_id(spec: ExamSpec) -> str:
    return f"SIM-{spec.seeds.anatomy:06d}-{spec.seeds.history:03d}"


def _make_treatment_rows(spec: ExamSpec) -> list[tuple[str, ...]]:
    treatments = () if spec.treatment is None else (spec.treatment,)
    return make_treatment_rows(_make_patient_id(spec), ISSUER, treatments)
