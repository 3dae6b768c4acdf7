import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.findings.clusters import group_marks
from secondread.findings.describe import FINDINGS_PER_CLASS, describe_findings
from secondread.findings.finding import Finding
from secondread.findings.operating_point import OperatingPoint
from secondread.geometry import SpacingMm
from tests.worlds.builders import mark

SPACING = SpacingMm(0.1, 0.1)
POINT = OperatingPoint(1, "test", minimum_certainty=50.0)


def describe(marks: Sequence[Mark]) -> tuple[Finding, ...]:
    return describe_findings(
        "LCC", marks, SPACING, (1000, 800), lambda _, score: 100 * score, POINT
    )


def test_a_chain_of_close_marks_is_one_group_and_a_far_one_is_not_in_it() -> None:
    chain = [mark(100 + 40 * i, 100) for i in range(5)]  # 4 mm apart
    far = mark(100 + 40 * 4 + 60, 100)  # 6 mm from the last

    assert [len(members) for members in group_marks([*chain, far], SPACING)] == [5, 1]


def test_spacing_counts_in_each_direction_apart() -> None:
    wide = SpacingMm(between_rows=0.1, between_columns=0.2)

    assert len(group_marks([mark(100, 100), mark(130, 100)], wide)) == 2  # 6 mm along the row
    assert len(group_marks([mark(100, 100), mark(100, 130)], wide)) == 1  # 3 mm along the column


def test_three_close_marks_are_a_shown_cluster_with_count_and_extent() -> None:
    (cluster,) = describe([mark(100, 100), mark(130, 100), mark(100, 140)])

    assert cluster.mark_class is MarkClass.CLUSTER
    assert cluster.shown
    assert len(cluster.members) == 3
    assert cluster.long_axis_mm == pytest.approx(5.0 + 0.3)
    assert cluster.id == "LCC-1"
    assert cluster.suspicion is None


def test_the_outline_is_closed_and_covers_no_calcification() -> None:
    marks = [mark(100, 100), mark(130, 100), mark(100, 140)]
    outline = describe(marks)[0].outline

    assert outline[0] == outline[-1]
    gaps = [SPACING.distance_mm(vertex, m.center) for vertex in outline for m in marks]
    assert min(gaps) >= 1.5


def test_an_outline_at_the_border_stays_inside_the_image() -> None:
    outline = describe([mark(2, 2), mark(5, 2), mark(2, 5)])[0].outline

    assert all(0 <= p.col <= 800 and 0 <= p.row <= 1000 for p in outline)


def test_two_marks_stay_single_and_unshown() -> None:
    findings = describe([mark(100, 100), mark(120, 100)])

    assert {f.mark_class for f in findings} == {MarkClass.CALCIFICATION}
    assert not any(f.shown for f in findings)


def test_a_cluster_is_as_certain_as_its_surest_three_marks_together() -> None:
    strong = [mark(100, 100, 0.9), mark(110, 100, 0.8), mark(120, 100, 0.5)]
    faint = [mark(100 + 10 * n, 120, 0.5) for n in range(12)]

    (three,) = describe(strong)

    assert three.certainty == pytest.approx(100 * (0.9 * 0.8 * 0.5) ** (1 / 3), abs=0.05)
    # Texture makes many faint marks: they add nothing.
    assert describe([*strong, *faint])[0].certainty == three.certainty


def test_marks_that_lie_beyond_1_cm_do_not_make_a_cluster_together() -> None:
    chain = [mark(100 + 45 * n, 100, 0.9) for n in range(5)]  # one link of 4.5 mm after another
    sure = [replace(chain[0], score=0.99), replace(chain[-1], score=0.99), *chain[1:-1]]

    (spread,) = describe(sure)

    assert len(spread.members) == 5
    # Only one of the two sure ones, which are 18 mm apart, is among any three that lie close.
    assert spread.certainty == pytest.approx(100 * (0.99 * 0.9 * 0.9) ** (1 / 3), abs=0.05)


def test_a_word_that_raises_an_alarm_needs_its_evidence() -> None:
    casting = ((Morphology.FINE_LINEAR, 0.9), (Morphology.ROUND, 0.1))
    places = [(100, 100), (120, 100), (100, 120)]

    (sure,) = describe([replace(mark(*at, 0.9), morphology=casting) for at in places])
    (doubtful,) = describe([replace(mark(*at, 0.4), morphology=casting) for at in places])

    assert sure.morphology[0][0] is Morphology.FINE_LINEAR
    assert doubtful.morphology == ((Morphology.PUNCTATE, 0.1),)
    assert doubtful.suspicion == pytest.approx(1.9, abs=0.05)
    assert sure.suspicion is not None
    assert sure.suspicion > 70


def test_long_marks_in_a_row_are_one_line_and_no_cluster() -> None:
    row = [replace(mark(100 + 5 * n, 100 + 5 * n), elongation=4.0) for n in range(4)]
    bent = [*row[:3], replace(mark(115, 106), elongation=4.0)]
    dots = [replace(piece, elongation=1.2) for piece in row]

    assert [len(finding.members) for finding in describe(row)] == [0]
    assert [len(finding.members) for finding in describe(bent)] == [4]
    assert [len(finding.members) for finding in describe(dots)] == [4]


def test_one_sure_mark_does_not_make_a_cluster_of_two_doubtful_ones() -> None:
    findings = describe([mark(100, 100, 1.0), mark(110, 100, 0.01), mark(120, 100, 0.01)])

    assert not findings[0].shown


def test_metal_is_reported_and_never_joins_a_cluster() -> None:
    marks = [mark(100, 100), mark(110, 100), mark(120, 100, mark_class=MarkClass.METAL)]

    assert sorted(f.mark_class for f in describe(marks)) == [
        "calcification",
        "calcification",
        "metal",
    ]


def test_the_walls_of_one_vessel_are_one_landmark_that_is_never_shown() -> None:
    marks = [mark(100 + 60 * n, 100, mark_class=MarkClass.VASCULAR) for n in range(6)]

    (finding,) = describe(marks)

    assert finding.mark_class is MarkClass.VASCULAR
    assert not finding.shown
    assert finding.long_axis_mm > 5 * 60 * 0.07


def test_two_clips_are_two_landmarks_however_near() -> None:
    marks = [mark(100 + 20 * n, 100, mark_class=MarkClass.METAL) for n in range(2)]

    assert len(describe(marks)) == 2


def test_a_cluster_whose_members_are_typed_has_a_type_and_a_suspicion() -> None:
    typed = ((Morphology.FINE_LINEAR, 0.9), (Morphology.ROUND, 0.1))
    marks = [replace(mark(100 + 20 * n, 100), morphology=typed) for n in range(4)]

    (finding,) = describe(marks)

    assert finding.morphology[0] == (Morphology.FINE_LINEAR, 0.9)
    assert finding.suspicion is not None
    assert finding.suspicion > 60


def test_findings_do_not_depend_on_the_order_of_marks() -> None:
    marks = [mark(100 + 13 * (i % 7), 100 + 17 * (i % 5), 0.5 + 0.01 * i) for i in range(20)]

    assert describe(marks) == describe(marks[::-1])


def test_shown_findings_come_first_and_the_list_is_capped() -> None:
    single = [mark(20 + 55 * (i % 14), 20 + 55 * (i // 14), 0.99) for i in range(150)]
    cluster = [mark(600 + i, 990, 0.6) for i in (0, 10, 20)]
    findings = describe([*single, *cluster])

    assert findings[0].mark_class is MarkClass.CLUSTER
    assert sum(f.mark_class is MarkClass.CALCIFICATION for f in findings) == FINDINGS_PER_CLASS


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([mark(100 + 12 * i, 100 + (i % 2)) for i in range(10)], Distribution.LINEAR),
        ([mark(100 + 15 * (i % 3), 100 + 15 * (i // 3)) for i in range(9)], Distribution.GROUPED),
        ([mark(100 + 40 * (i % 8), 100 + 40 * (i // 8)) for i in range(64)], Distribution.REGIONAL),
        ([mark(10 + 45 * (i % 16), 10 + 45 * (i // 16)) for i in range(256)], Distribution.DIFFUSE),
    ],
)
def test_distribution_follows_extent_and_shape(marks: list[Mark], expected: Distribution) -> None:
    cluster = describe(marks)[0]

    assert cluster.distribution[0][0] is expected
    assert sum(confidence for _, confidence in cluster.distribution) == pytest.approx(1.0)


def test_the_pieces_of_a_rim_are_one_calcification_and_no_cluster() -> None:
    rim = _mark_all([(100 + 20 * math.cos(a / 3), 100 + 20 * math.sin(a / 3)) for a in range(19)])

    (finding,) = describe([replace(m, morphology=_MOSTLY_EGGSHELL) for m in rim])

    assert finding.mark_class is MarkClass.CALCIFICATION
    assert finding.long_axis_mm == pytest.approx(4 * math.sqrt(2), abs=0.5)
    assert finding.center.col == pytest.approx(100, abs=1)


def test_fine_calcifications_as_near_as_that_stay_apart() -> None:
    close = _mark_all([(100 + 7 * i, 100) for i in range(5)])

    (finding,) = describe([replace(m, morphology=_MOSTLY_FINE) for m in close])

    assert finding.mark_class is MarkClass.CLUSTER
    assert len(finding.members) == 5


@pytest.mark.parametrize(
    ("diameter_mm", "apart_px", "expected"),
    [
        pytest.param(1.0, 2, MarkClass.CALCIFICATION, id="a ball of 1 mm with marks all over it"),
        pytest.param(0.3, 2, MarkClass.CLUSTER, id="fine ones as close together"),
        pytest.param(1.0, 6, MarkClass.CLUSTER, id="ones of 1 mm that touch"),
    ],
)
def test_marks_that_lie_in_one_another_are_one_calcification(
    diameter_mm: float, apart_px: int, expected: MarkClass
) -> None:
    places = _mark_all(
        [(100 + apart_px * a, 100 + apart_px * b) for a in range(4) for b in range(3)]
    )

    (finding,) = describe(
        [replace(m, diameter_mm=diameter_mm, morphology=_MOSTLY_FINE) for m in places]
    )

    assert finding.mark_class is expected
    if expected is MarkClass.CALCIFICATION:
        assert finding.long_axis_mm == pytest.approx(1.0)
        assert (finding.center.col, finding.center.row) == (103, 102)


def test_large_calcifications_beside_each_other_stay_apart() -> None:
    apart = _mark_all([(100 + 15 * i, 100) for i in range(4)])

    (finding,) = describe([replace(m, morphology=_MOSTLY_EGGSHELL) for m in apart])

    assert len(finding.members) == 4


_MOSTLY_EGGSHELL = ((Morphology.EGGSHELL, 0.7), (Morphology.ROUND, 0.3))
_MOSTLY_FINE = ((Morphology.EGGSHELL, 0.2), (Morphology.FINE_LINEAR, 0.8))


def _mark_all(places: Sequence[tuple[float, float]]) -> list[Mark]:
    return [mark(col, row) for col, row in places]
