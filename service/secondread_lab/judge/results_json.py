"""`results.json`: the figures of an evaluation with their model and test set, as plain values."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from secondread import __version__
from secondread.findings.finding import ModelIdentity
from secondread_lab.judge import rules
from secondread_lab.judge.bootstrap import RESAMPLES, SEED
from secondread_lab.judge.figures import PartFigures
from secondread_lab.judge.image_sources import TestSet
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import ViewRecord
from secondread_lab.judge.score import score_part
from secondread_lab.judge.scored_items import ScoredSet
from secondread_lab.judge.scored_model import ScoredModel

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything in a report."""

    test_set: TestSet
    model: ModelIdentity
    parts: tuple[PartFigures, ...]
    resamples: int = RESAMPLES
    differing: tuple[str, ...] = ()
    """Simulated images that differ from the frozen record, with their differences."""


def evaluate_records(
    test_set: TestSet,
    records: Iterable[ViewRecord],
    identity: ModelIdentity,
    model: ScoredModel,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Score the records of a set, each of its subsets separately."""
    whole = ScoredSet.from_views((score_image(record) for record in records), test_set.held_out)
    subsets = sorted({view.record.image.subset for view in whole.views})
    parts: Sequence[PartFigures] = [
        score_part(
            ScoredSet.from_views(
                (v for v in whole.views if v.record.image.subset == subset), test_set.held_out
            ),
            subset or "all",
            model,
            resamples,
        )
        for subset in subsets
    ]
    differing = tuple(
        f"{view.record.key}: {'; '.join(view.record.differs)}"
        for view in whole.views
        if view.record.differs
    )
    return Evaluation(test_set, identity, tuple(parts), resamples, differing)


def encode_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of `results.json`; `service/docs/evaluation.md` describes it."""
    test_set = evaluation.test_set
    return {
        "schema_version": SCHEMA_VERSION,
        "scoring": rules.SCORING,
        "node_version": __version__,
        "model": asdict(evaluation.model),
        "set": {
            "name": test_set.name,
            "exams_digest": test_set.digest,
            "held_out": sorted(test_set.held_out),
            "unannotated": list(test_set.unannotated),
            "faults": list(test_set.faults),
            "differing": list(evaluation.differing),
        },
        "bootstrap": {"by": "patient", "resamples": evaluation.resamples, "seed": SEED},
        "rates": {"clusters": rules.CLUSTER_RATES, "singles": rules.SINGLE_RATES},
        "parts": [_simplify(asdict(part)) for part in evaluation.parts],
    }


def write_results(evaluation: Evaluation, path: Path) -> None:
    """Write `results.json`."""
    path.write_text(
        json.dumps(encode_evaluation(evaluation), indent=1, allow_nan=False) + "\n", "utf-8"
    )


def _simplify(value: Any) -> Any:  # noqa: ANN401 - JSON values, whatever they are
    """Return the value with floats of five digits, and None in place of NaN and infinity."""
    if isinstance(value, dict):
        return {name: _simplify(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_simplify(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
