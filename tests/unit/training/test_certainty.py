"""Tables and points fitted to exams small enough to check by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.calcification.training.certainty import fit_benign, set_points
from models.calcification.training.isotonic import (
    KNOT_SPACING,
    TAIL_FROM,
    FittedTable,
    JudgedMarks,
    fit_certainties,
    fit_with_tail,
)
from models.calcification.training.operating_points import (
    STANDARD,
    WantedPoint,
    find_minimum,
    replace_points,
)
from secondread.codes import MarkClass
from secondread.detect.manifest import load_manifest, locate_default_manifest
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import FoundCluster, ViewRecord
from secondread_lab.judge.scored_items import ScoredSet
from tests.unit.lab.judge.view_records import cluster, found, record

HERE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]


def _draw_marks(slope: float) -> JudgedMarks:
    rng = np.random.default_rng(1)
    odds = rng.uniform(-4, 6, 4000)
    right = rng.random(4000) < 1 / (1 + np.exp(-slope * odds))
    return JudgedMarks(1 / (1 + np.exp(-odds)), right)


@pytest.mark.parametrize("slope", [0.7, 1.0, 1.6])
def test_the_tail_goes_on_as_wrong_marks_become_rare(slope: float) -> None:
    table = fit_with_tail(_draw_marks(slope))

    assert table.points[-1][1] == TAIL_FROM
    assert table.slope == pytest.approx(slope, abs=0.12)
    # The chance that is true at log odds of 5, far above the table's end.
    there = 1 / (1 + np.exp(-5.0))
    odds = np.log(table.calibrate(there) / (100 - table.calibrate(there)))
    assert odds == pytest.approx(5 * slope, abs=0.8)


def test_a_table_that_is_never_sure_has_no_tail() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    assert fit_with_tail(JudgedMarks(scores, np.arange(200) % 2 == 0)).tail is None


def test_a_table_is_as_fine_where_it_decides_however_far_up_scores_reach() -> None:
    # Wrong below a score of 0.45, right above: a coarse table would call 0.35 doubtful.
    low = np.linspace(0.02, 0.98, 300)
    reaching = np.concatenate([low, np.linspace(0.981, 0.9999, 60)])

    near, far = (fit_certainties(JudgedMarks(scores, scores > 0.45)) for scores in (low, reaching))

    for table in (near, far):
        odds = [np.log(s / (1 - s)) for s, _ in table[1:-1]]
        assert np.diff(odds).max() <= KNOT_SPACING + 0.01
        below, above = (FittedTable(table, None).calibrate(score) for score in (0.28, 0.63))
        assert below < 10
        assert above > 90


def test_the_standard_point_leaves_four_exams_of_five_unmarked() -> None:
    # Forty exams whose surest marks are 51, 52, ... 90; two views each hold surer ones.
    free = [[51.0 + n, 10.0] for n in range(40)] + [[99.0]] * 5
    four_views = [True] * 40 + [False] * 5

    least = find_minimum(STANDARD, free, four_views)

    marked = sum(max(exam) >= least for exam in free[:40])
    assert 3 <= marked <= 8  # at most a fifth, with room for what forty exams do not tell
    assert find_minimum(STANDARD, [[10.0]] * 40, [True] * 40) == STANDARD.floor


def test_marks_an_exam_are_counted_over_all_exams() -> None:
    point = WantedPoint(2, "sensitive", 0.0, marks=0.75)
    free = [[60.0, 40.0], [50.0, 30.0], [], [20.0]]

    assert find_minimum(point, free, [True] * 4) == 30.1  # three of four exams' marks stay above


def test_points_above_99_are_told_apart() -> None:
    point = WantedPoint(3, "specific", 50.0, marks=0.0)
    assert find_minimum(point, [[99.87]], [True]) == 99.88


def _exam(number: int, marks: list[FoundCluster], *, holds: bool = False) -> list[ViewRecord]:
    return [
        record(
            cluster(HERE) if holds else [],
            marks if view == "LCC" else [],
            key=f"{number}/{view}",
            study=f"s{number}",
            patient=f"p{number}",
        )
        for view in ("LCC", "LMLO", "RCC", "RMLO")
    ]


def test_points_state_what_they_cost_by_exam() -> None:
    views = [view for n in range(20) for view in _exam(n, [found(HERE, 40.0 + n, ())])]
    views += _exam(99, [found(HERE, 97.0, ())], holds=True)
    part = ScoredSet.from_views(map(score_image, views), frozenset())

    standard, sensitive, _ = set_points(part, load_manifest().operating_points)

    (row,) = [row for row in standard.costs if row.exams == "four views"]
    assert (row.clusters, row.free_exams) == (4, 20)
    assert row.found == 0.25  # one view of four holds the mark
    assert row.unmarked is not None
    assert row.unmarked >= 0.8
    least = sensitive.minimum_certainty[MarkClass.CLUSTER]
    assert sum(40.0 + n >= least for n in range(20)) == 15


def test_what_is_set_aside_is_no_mark() -> None:
    aside = replace(found(HERE, 97.0, ()), is_set_aside=True)
    part = ScoredSet.from_views(map(score_image, _exam(1, [aside])), frozenset())

    (standard, *_) = set_points(part, load_manifest().operating_points)

    assert standard.costs[0].false_marks == 0.0


def test_a_few_benign_clusters_are_not_near_certainty() -> None:
    def view(morphology: str, share: float) -> ViewRecord:
        mark = replace(found(HERE, 90.0, ()), benign_share=share)
        return record(cluster(HERE, morphology=morphology), [mark])

    few = [view("suture", 0.99)] * 5 + [view("amorphous", 0.1)] * 5
    many = [view("suture", 0.99)] * 60 + [view("amorphous", 0.1)] * 60

    tables = [fit_benign([score_image(one) for one in views]) for views in (few, many)]

    assert tables[0] is not None
    assert tables[1] is not None
    assert tables[0].calibrate(0.99) < 95 <= tables[1].calibrate(0.99)
    assert fit_benign([score_image(view("amorphous", 0.1))]) is None


def test_groups_of_regions_add_to_what_is_known_of_benign_ones() -> None:
    mark = replace(found(HERE, 90.0, ()), benign_share=0.99)
    views = [score_image(record(cluster(HERE, morphology="suture"), [mark]))]
    pairs = [(0.99, True)] * 60 + [(0.2, False)] * 60

    alone, together = fit_benign(views), fit_benign(views, pairs)

    assert alone is None
    assert together is not None
    assert together.calibrate(0.99) >= 95


def test_points_are_written_into_a_manifest_that_loads_again(tmp_path: Path) -> None:
    source = locate_default_manifest()
    text = source.read_text("utf-8")
    part = ScoredSet.from_views(map(score_image, _exam(1, [found(HERE, 60.0, ())])), frozenset())
    points = set_points(part, load_manifest().operating_points)
    copy = tmp_path / "manifest.toml"
    for graph in source.parent.glob("*.onnx"):
        (tmp_path / graph.name).symlink_to(graph)

    copy.write_text(replace_points(text, points), "utf-8")

    assert list(load_manifest(copy).operating_points) == points
