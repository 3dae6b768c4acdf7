"""Tables of groups: what a manifest's `[groups]` holds.

    python -m models.calcification.training groups --model DIR --work DIR --shards DIR
        --out groups.toml [--only "004-*"] [--regions 1536] [--validation VIEWS.JSONL]

Fits the type and the distribution of a group to its members. For types the detector's own marks in
training regions are grouped and compared with the solids there, preferably in regions that no graph
was trained on, since a graph is surer of those. Each type counts as often as it is drawn for exams;
groups of validation exams can be added. For distributions regions are too small: lesions of whole
exams are laid out without pixels (`layouts`), thinned, and mixed with false marks as the detector
does it in regions. Marks are stored in the work folder by shard and model, so that a run continues
where it was cut off. Append the written file to the manifest of the model. Beside it, as OUT with
the suffix ``.benign.json``, stand the shares of typically benign types of all groups, each by a
table that did not see its shard, and whether it is benign: `certainty --benign` fits to them.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from models.calcification.training.annotated_regions import AnnotatedRegion, annotate_regions
from models.calcification.training.console import report_progress
from models.calcification.training.layouts import LesionLayout, lay_out_exams
from models.calcification.training.placed_solids import DISTRIBUTIONS, MORPHOLOGIES
from models.calcification.training.scattered import Thinning, find_lesion, scatter_groups
from models.calcification.training.softmax import LIMIT, Answers, Values, assign_folds, fit_table
from models.calcification.training.store import SHARD, list_shards
from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.detector import Detector
from secondread.detect.groups import LAYOUT_FEATURES, MEMBER_FEATURES, WIDE_FEATURES
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Mark
from secondread.findings.clusters import MINIMUM_MEMBERS, group_marks, join_pieces
from secondread.findings.group_features import Surroundings, measure_group
from secondread.findings.suspicion import TYPICALLY_BENIGN
from secondread_lab.judge import rules
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import read_records

SHARES = ("share", "mixed")
TYPE_FEATURES = (
    *(f"{measure}_{kind.name.lower()}" for measure in SHARES for kind in MORPHOLOGIES),
    *MEMBER_FEATURES,
)
"""Features of types. The layout of members is not among them, since regions cut it."""
DISTRIBUTION_FEATURES = (*LAYOUT_FEATURES, *WIDE_FEATURES)
TYPE_DECAY = 10.0
"""The best of 3, 10 and 30 by the likelihood of regions that were left out."""
DISTRIBUTION_DECAY = 3.0
VALIDATION_COUNTS = 2.0
"""Weight of a group of a validation exam, which regions only resemble."""
AT_MOST = 5.0
"""Greatest weight of an example, however few there are of its type."""
_FOLDS = 5
_LAYOUT_SEED = 5


@dataclass(frozen=True, slots=True)
class Examples:
    """Groups with their right labels."""

    features: list[Mapping[str, float]]
    answers: list[int]
    """Indices in the words of the table."""
    counted: list[float]
    """How often each counts."""
    of: list[str]
    """Source of each; examples of one source are left out together."""

    @classmethod
    def empty(cls) -> Self:
        """Return no examples."""
        return cls([], [], [], [])

    def add(self, features: Mapping[str, float], answer: int, of: str, counts: float = 1) -> None:
        """Add one."""
        self.features.append(features)
        self.answers.append(answer)
        self.counted.append(counts)
        self.of.append(of)

    def counted_as(self, shares: Values) -> Self:
        """Return the examples with weights that give each label its share, 1 on average."""
        counts = np.bincount(self.answers, minlength=len(shares))
        present = counts > 0
        each = len(self.answers) * shares / max(float(shares[present].sum()), 1e-9)
        each = np.minimum(each / np.maximum(counts, 1), AT_MOST)
        return replace(self, counted=[float(each[answer]) for answer in self.answers])


def _measure_shares(laid: Iterable[Sequence[LesionLayout]]) -> Values:
    """Return the shares of types in exams, which differ from those in regions."""
    words = [kind.name.lower() for kind in MORPHOLOGIES]
    counts = np.zeros(len(words))
    for lesion in (lesion for lesions in laid for lesion in lesions):
        if len(lesion.at_mm) >= MINIMUM_MEMBERS:
            counts[words.index(rules.name_morphology(lesion.morphology))] += 1
    return np.asarray(counts / counts.sum(), np.float64)


def main(arguments: Sequence[str]) -> None:
    """Fit both tables, and write them."""
    options = _parse_arguments(arguments)
    detector = Detector(load_manifest(options.model / "manifest.toml"))
    folders = _choose_shards(
        [p for p in list_shards(options.shards) if p.match(options.only)], options.regions
    )
    if not folders:
        raise SystemExit(f"{options.shards}: no shard is named {options.only}")
    regions = list(_annotate_shards(folders, detector, options.work))
    types = Examples.empty()
    for region in regions:
        _add_types(types, region)
    laid = list(lay_out_exams(options.layouts))
    types = types.counted_as(_measure_shares(laid))
    report_progress(f"{len(regions)} regions, {len(types.answers)} groups on clusters")
    if options.validation:
        _add_validation(types, options.validation)
        report_progress(f"{len(types.answers)} groups with those of {options.validation}")
    spread = Examples.empty()
    rng = np.random.default_rng(_LAYOUT_SEED)
    for scattered in scatter_groups(laid, Thinning.from_regions(regions), rng):
        if scattered.distribution in DISTRIBUTIONS:
            spread.add(
                scattered.features, DISTRIBUTIONS.index(scattered.distribution), str(len(spread.of))
            )
    report_progress(f"{len(spread.answers)} groups laid out")
    on = f"{len(regions)} simulated regions, {len(types.answers)} groups"
    pairs = judge_benign(types, leave_out(types, TYPE_FEATURES, MORPHOLOGIES, TYPE_DECAY))
    options.out.with_suffix(".benign.json").write_text(json.dumps(pairs), "utf-8")
    lines = [
        *_format_table("types", MORPHOLOGIES, TYPE_FEATURES, types, TYPE_DECAY, on),
        *_format_table(
            "distributions",
            DISTRIBUTIONS,
            DISTRIBUTION_FEATURES,
            spread,
            DISTRIBUTION_DECAY,
            f"{options.layouts} exams laid out, {len(spread.answers)} groups",
        ),
    ]
    options.out.write_text("\n".join(lines) + "\n", "utf-8")
    report_progress(f"{options.out} written: append it to the manifest")


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training groups")
    parser.add_argument("--model", type=Path, required=True, help="folder of manifest and graphs")
    parser.add_argument("--work", type=Path, required=True, help="folder of what is kept")
    parser.add_argument("--shards", type=Path, required=True, help="folder of shards of regions")
    parser.add_argument("--out", type=Path, required=True, help="file of the tables")
    parser.add_argument("--only", default="*", help="pattern of the shards' names")
    parser.add_argument("--regions", type=int, default=1536, help="at most; spread over the shards")
    parser.add_argument("--layouts", type=int, default=1700, help="exams without pixels")
    parser.add_argument("--validation", type=Path, help="views.jsonl of validation exams")
    return parser.parse_args(arguments)


def _choose_shards(folders: Sequence[Path], regions: int) -> list[Path]:
    """Return evenly spaced shards with about this many regions."""
    count = min(max(regions // SHARD, 1), len(folders))
    return [folders[number * len(folders) // count] for number in range(count)]


def _annotate_shards(
    folders: Sequence[Path], detector: Detector, work: Path
) -> Iterator[AnnotatedRegion]:
    started = time.monotonic()
    for done, folder in enumerate(folders, start=1):
        yield from annotate_regions(folder, detector, work)
        left = (time.monotonic() - started) / done * (len(folders) - done) / 60
        report_progress(f"{done}/{len(folders)} shards, {left:.0f} min left")


def _add_types(examples: Examples, region: AnnotatedRegion) -> None:
    """Add the groups of a region that are on clusters."""
    if not len(region.marks):
        return
    surroundings = Surroundings.from_marks(region.marks, region.spacing)
    touches = region.touches()
    owner = np.full(len(region.marks), -1)
    clusters = list(region.clusters())
    for number, cluster in enumerate(clusters):
        owner[touches[:, cluster].any(axis=1)] = number
    index = {mark: number for number, mark in enumerate(region.marks)}
    for members in group_marks(region.marks, region.spacing):
        lesion = find_lesion(owner[[index[mark] for mark in members]])
        if lesion is not None:
            answer = int(region.objects["morphology"][clusters[lesion][0]])
            features = measure_group(members, region.spacing, surroundings)
            examples.add(features, answer, region.shard)


def _add_validation(examples: Examples, path: Path) -> None:
    """Add the groups that found the clusters of the exams in the judge's records."""
    words = [kind.name.lower() for kind in MORPHOLOGIES]
    for view in (score_image(record) for record in read_records(path)):
        record = view.record
        spacing = record.image.spacing_mm
        pieces = [m for m in record.detection.marks if m.mark_class is MarkClass.CALCIFICATION]
        marks = join_pieces(pieces, spacing)
        groups = {_make_key(members): members for members in group_marks(marks, spacing)}
        for outcome in view.clusters:
            morphology = rules.find_morphology(outcome.truth.row.morphology)
            word = "" if morphology is None else rules.name_morphology(morphology)
            if outcome.best is None or word not in words:
                continue
            members = groups[frozenset(record.clusters[outcome.best].members)]
            features = measure_group(members, spacing, Surroundings.from_marks(marks, spacing))
            examples.add(features, words.index(word), record.image.patient, VALIDATION_COUNTS)


def _make_key(members: Sequence[Mark]) -> frozenset[tuple[float, float]]:
    return frozenset((round(m.center.col, 2), round(m.center.row, 2)) for m in members)


def leave_out(
    examples: Examples,
    features: Sequence[str],
    words: Sequence[Morphology | Distribution],
    decay: float,
) -> Values:
    """Return the shares of the labels of each example, by a table that did not see its source."""
    values, answers, counted = _as_arrays(examples, features)
    rule, fold = _make_rule(words, features), assign_folds(examples.of, _FOLDS)
    shares = np.zeros((len(values), len(words)))
    for left in sorted(set(fold.tolist())):
        out = fold == left
        part = fit_table(values[~out], answers[~out], counted[~out], rule, decay)
        shares[out] = part.shares(values[out])
    return shares


def judge_benign(examples: Examples, shares: Values) -> list[tuple[float, bool]]:
    """Return for each group the share of typically benign types, and whether it is of one."""
    is_benign = np.array([kind in TYPICALLY_BENIGN for kind in MORPHOLOGIES])
    summed = shares[:, is_benign].sum(axis=1).tolist()
    return [
        (round(share, 5), bool(is_benign[answer]))
        for share, answer in zip(summed, examples.answers, strict=True)
    ]


def _as_arrays(examples: Examples, features: Sequence[str]) -> tuple[Values, Answers, Values]:
    values = np.array([[example[feature] for feature in features] for example in examples.features])
    return values, np.array(examples.answers), np.array(examples.counted)


def _make_rule(words: Sequence[Morphology | Distribution], features: Sequence[str]) -> Values:
    """Return the weights of a table without any data: each label follows its own share."""
    rule = np.zeros((len(words), len(features)))
    for number, word in enumerate(words):
        if f"share_{word.name.lower()}" in features:
            rule[number, features.index(f"share_{word.name.lower()}")] = 1.0
    return rule


def _format_table(
    name: str,
    words: Sequence[Morphology | Distribution],
    features: Sequence[str],
    examples: Examples,
    decay: float,
    on: str,
) -> Iterator[str]:
    shares = leave_out(examples, features, words, decay)
    report_progress(f"{name}: left out, {_summarise_fit(shares, np.array(examples.answers))}")
    whole_fit = fit_table(*_as_arrays(examples, features), _make_rule(words, features), decay)
    yield from ("", f"[groups.{name}]", f"{name} = {json.dumps([w.name.lower() for w in words])}")
    yield f"features = {json.dumps(list(features))}"
    yield f"means = {_format_numbers(whole_fit.means)}"
    yield f"scales = {_format_numbers(whole_fit.scales)}"
    yield f"limit = {LIMIT}"
    yield "weights = ["
    yield from (f"  {_format_numbers(row)}," for row in whole_fit.weights)
    yield "]"
    yield f"constants = {_format_numbers(whole_fit.constants)}"
    yield f'fitted_on = "{on}"'


def _format_numbers(row: Values) -> str:
    return json.dumps([round(value, 4) for value in row.tolist()])


def _summarise_fit(shares: Values, answers: Answers) -> str:
    order = np.argsort(-shares, axis=1)
    first = float((order[:, 0] == answers).mean())
    either = float((order[:, :2] == answers[:, None]).any(axis=1).mean())
    of_right = shares[np.arange(len(answers)), answers]
    return (
        f"{first:.2f} right at first, {either:.2f} among two, mean confidence "
        f"{shares.max(axis=1).mean():.2f}, mean log likelihood {np.log(of_right).mean():.3f}"
    )
