"""Calibration and operating points, from validation exams that neither training nor tests use.

    python -m models.calcification.training fit --model FOLDER --work DIR [--processes 2]

FOLDER holds the graphs of a round. They read simulated validation exams (made once and stored in
DIR), with scores as certainties. The judge's outcome of each mark then gives the table of certainty
(isotonic regression), and the marks on views without a cluster give the operating points. The
manifest is written into FOLDER.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from models.calcification.training.isotonic import FittedTable, JudgedMarks, fit_certainties
from models.calcification.training.patches import DESCRIBE_PX, RESCORE_PX
from models.calcification.training.placed_solids import MORPHOLOGIES
from models.calcification.training.regions import HEADS, NORMALISER
from models.calcification.training.validation_exams import BLOCK, plan_validation_exams
from secondread.app.reader import open_reader
from secondread.detect.manifest import load_manifest
from secondread.detect.neighbours import FEATURES_VERSION
from secondread.settings import DetectSettings
from secondread_lab.judge.evaluation_run import EvaluationRun, read_images
from secondread_lab.judge.image_sources import read_folder_set
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.rules import MarkOutcome
from secondread_lab.judge.scored_items import ScoredSet
from secondread_lab.simulate.exam import simulate_views
from secondread_lab.simulate.truth import NOTHING, TruthRow, write_truth

POINTS = ((1, "standard", 0.2), (2, "sensitive", 0.5), (3, "specific", 0.05))
"""Number, name, and wanted false clusters per view without a cluster."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Validation:
    """Results of a model on the validation exams."""

    singles: JudgedMarks
    clusters: JudgedMarks
    false_clusters: Values
    """Scores on views without a cluster."""
    free_views: int
    exams: int
    views: int


def main(arguments: Sequence[str]) -> None:
    """Fit, and write the manifest."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training fit")
    parser.add_argument("--model", type=Path, required=True, help="folder of the graphs")
    parser.add_argument("--work", type=Path, required=True, help="folder of validation exams")
    parser.add_argument("--exams", type=int, default=2 * BLOCK, help="numbers to draw exams from")
    parser.add_argument("--name", default="secondread-calcification")
    parser.add_argument("--version", required=True, help="of the model")
    parser.add_argument("--commit", required=True, help="of the code that trained it")
    parser.add_argument("--minimum-score", type=float, default=0.5, help="lowest that is a mark")
    parser.add_argument("--minimum-seen", type=float, default=0.2, help="of the dense graph alone")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    graphs = options.model / "manifest.toml"
    stated = (options.name, options.version, options.commit)
    limits = (options.minimum_seen, options.minimum_score)
    write = partial(_format_manifest, options.model, stated, limits)
    graphs.write_text(write(None), "utf-8")
    exams = list(_make_exams(options.work, options.exams))
    found = _validate(graphs, exams, options.work, options.processes)
    graphs.write_text(write(found), "utf-8")
    print(graphs.read_text("utf-8"))


def _make_exams(folder: Path, count: int) -> Iterator[Path]:
    """Yield the folders of validation exams of families that are not held out, making new ones."""
    for exam in plan_validation_exams(count):
        target = folder / f"{exam.number:04d}"
        if not (target / "truth.csv").exists():
            target.mkdir(parents=True, exist_ok=True)
            rows = []
            for view in simulate_views(exam.spec):
                (_, ds), *_ = view.instances
                ds.save_as(target / f"{view.identity.label}.dcm", enforce_file_format=True)
                uid = str(ds.SOPInstanceUID)
                # An empty view counts as well: most are empty, and have false marks too.
                own = [row for row in view.rows if row.sop_instance_uid == uid]
                rows += own or [TruthRow(uid, NOTHING, vendor_family=exam.spec.vendor)]
            write_truth(target / "truth.csv", rows)
        yield target


def _validate(manifest: Path, exams: Sequence[Path], work: Path, processes: int) -> Validation:
    test_set = read_folder_set(exams, [exam / "truth.csv" for exam in exams], frozenset())
    opener = partial(open_reader, DetectSettings(manifest=manifest))
    model = load_manifest(manifest)
    out = work / f"read-{model.digest[:12]}"
    bench = EvaluationRun(model, manifest, opener, out, processes)
    records = read_images(test_set, bench, lambda key, done: print(done, key, flush=True))
    part = ScoredSet.from_views([score_image(record) for record in records], frozenset())
    free = [view for view in part.views if view.cluster_free]
    return Validation(
        singles=_judge_singles(part),
        clusters=_judge_clusters(part),
        false_clusters=np.array([c.certainty / 100 for v in free for c in v.record.clusters]),
        free_views=len(free),
        exams=len(exams),
        views=len(part.views),
    )


def _judge_singles(part: ScoredSet) -> JudgedMarks:
    true = np.concatenate([view.singles.true for view in part.views])
    false = np.concatenate([view.singles.false for view in part.views])
    right = np.concatenate([np.ones(len(true), np.bool_), np.zeros(len(false), np.bool_)])
    return JudgedMarks(np.concatenate([true, false]), right)


def _judge_clusters(part: ScoredSet) -> JudgedMarks:
    pairs = [
        (cluster.certainty / 100, mark in {MarkOutcome.HIT, MarkOutcome.BENIGN})
        for view in part.views
        for cluster, mark in zip(view.record.clusters, view.marks, strict=True)
        if mark in {MarkOutcome.HIT, MarkOutcome.BENIGN} or mark.is_false
    ]
    score, right = zip(*pairs, strict=True)
    return JudgedMarks(np.array(score), np.array(right, np.bool_))


def find_threshold(false: Values, views: int, rate: float) -> float:
    """Return the lowest score that gives no more false clusters a view than a rate."""
    allowed = int(rate * views)
    ordered = np.sort(false)[::-1]
    return float(ordered[allowed]) + 1e-3 if allowed < len(ordered) else 0.0


def _format_manifest(
    folder: Path,
    stated: tuple[str, str, str],
    limits: tuple[float, float],
    found: Validation | None,
) -> str:
    name, version, commit = stated
    parts = [
        "# What the node knows about its detector. Schema: secondread/detect/manifest.py.",
        "schema_version = 1",
        f'name = "{name}"',
        f'version = "{version}"',
        'licence = "Apache-2.0"',
        f'training_commit = "{commit}"',
        "",
        "[input]",
        *(f"{name} = {json.dumps(value)}" for name, value in NORMALISER.model_dump().items()),
        *_format_graphs(folder),
        *_format_judgement(found),
        "",
        "[limits]",
        "maximum_candidates = 1000",
        f"minimum_seen = {limits[0]}",
        f"minimum_score = {limits[1]}",
        "maximum_marks_per_cm2 = 10.0",
        "",
    ]
    return "\n".join(parts)


def _format_graphs(folder: Path) -> Iterator[str]:
    types = [kind.name.lower() for kind in MORPHOLOGIES]
    heads = [head.value for head in HEADS]
    dense_heads = heads[: _count_channels(folder / "dense.onnx")]
    of_pixels = ['input = "image"', 'axes = "NCHW"']
    of_spots = ['input = "features"', 'axes = "NF"', f'features = "{FEATURES_VERSION}"']
    head_line, type_line = f"heads = {json.dumps(heads)}", f"types = {json.dumps(types)}"
    dense = [f"heads = {json.dumps(dense_heads)}", "multiple_of = 16", "halo_px = 128"]
    for role, lines in (
        ("dense", [*of_pixels, *dense]),
        ("rescore", [*of_pixels, head_line, f"patch_px = {RESCORE_PX}"]),
        ("neighbours", [*of_spots, head_line]),
        ("describe", [*of_pixels, type_line, f"patch_px = {DESCRIBE_PX}"]),
    ):
        path = folder / f"{role}.onnx"
        if not path.exists():
            continue
        yield from ("", "[[graphs]]", f'role = "{role}"', f'file = "{path.name}"')
        yield f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"'
        yield from ('scores = "scores"', *lines)


def _count_channels(path: Path) -> int:
    """Return the number of score maps of a dense graph: that of `benchmark` has one."""
    (scores,) = onnx.load(path).graph.output
    return int(scores.type.tensor_type.shape.dim[1].dim_value)


def _format_judgement(validation: Validation | None) -> Iterator[str]:
    """Yield calibration and operating points, or placeholders before the fit."""
    if validation is None:
        yield from ("", "[calibration]", "calibrated = false", 'on = "nothing yet"')
        yield "points = [[0.0, 0.0], [1.0, 100.0]]"
        yield from _format_point(
            1, "standard", {"cluster": 0.0, "calcification": 0.0}, 0.0, "nothing"
        )
        return
    exams, views = validation.exams, validation.views
    on = f"{exams} simulated validation exams, {views} views, in-domain vendors"
    singles, clusters = fit_certainties(validation.singles), fit_certainties(validation.clusters)
    yield from ("", "[calibration]", "calibrated = true", f'on = "{on}"', f"points = {singles}")
    yield from ("", "[calibration.by_class]", f"cluster = {clusters}")
    for number, name, rate in POINTS:
        limit = find_threshold(validation.false_clusters, validation.free_views, rate)
        least = {
            "cluster": round(FittedTable(clusters, None).calibrate(limit), 1),
            "calcification": round(FittedTable(singles, None).calibrate(limit), 1),
        }
        yield from _format_point(
            number,
            name,
            least,
            rate,
            f"{validation.free_views} views without a cluster of the same",
        )


def _format_point(
    number: int, name: str, least: dict[str, float], rate: float, stated_on: str
) -> Iterator[str]:
    inside = ", ".join(f"{key} = {value}" for key, value in {**least, "metal": 50.0}.items())
    yield from ("", "[[operating_points]]", f"number = {number}", f'name = "{name}"')
    if number == 1:
        yield "default = true"
    yield f"minimum_certainty = {{ {inside} }}"
    yield from (f"false_marks_per_image = {rate}", f'stated_on = "{stated_on}"')
