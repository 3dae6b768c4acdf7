"""Features of groups, and the labels that a model's tables give them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.groups import GROUP_FEATURES, DistributionTable, GroupTables, TypeTable
from secondread.detect.marks import Mark
from secondread.findings.clusters import positions_mm
from secondread.findings.describe import describe_findings
from secondread.findings.descriptors import classify_distribution, classify_type
from secondread.findings.group_features import Surroundings, measure_group
from secondread.findings.operating_point import OperatingPoint
from secondread.geometry import SpacingMm
from tests.worlds.builders import mark

SPACING = SpacingMm(0.1, 0.1)
LINEAR, BRANCHING = Morphology.FINE_LINEAR, Morphology.FINE_LINEAR_BRANCHING
TYPES = ["fine_linear", "fine_linear_branching"]


def features(members: Sequence[Mark], others: Sequence[Mark] = ()) -> dict[str, float]:
    return measure_group(members, SPACING, Surroundings.from_marks([*members, *others], SPACING))


def row(count: int, apart_mm: float = 2.0) -> list[Mark]:
    return [mark(100 + 10 * apart_mm * number, 100) for number in range(count)]


def set_type(member: Mark, linear: float, **changed: Any) -> Mark:
    shares = ((LINEAR, linear), (BRANCHING, 1.0 - linear))
    return replace(member, morphology=shares, **changed)


def table(**changed: Any) -> dict[str, Any]:
    """Return a table by which what is long is branching."""
    values: dict[str, Any] = {
        "types": TYPES,
        "features": ["diameter_largest"],
        "means": [0.0],
        "scales": [1.0],
        "weights": [[-2.0], [2.0]],
        "constants": [0.0, 0.0],
        "fitted_on": "nothing",
    }
    return {**values, **changed}


def test_a_row_is_as_long_as_it_is_and_has_no_width() -> None:
    values = features(row(5))

    assert values["count"] == pytest.approx(math.log(5))
    assert values["extent"] == pytest.approx(math.log(8.0))
    assert values["spacing"] == values["gap"] == pytest.approx(math.log(2.0))
    assert values["major"] == pytest.approx(math.log(np.std([0, 2, 4, 6, 8], ddof=1)))
    assert values["minor"] == pytest.approx(math.log(0.1))
    assert values["spacing_spread"] == pytest.approx(0.0)
    assert values["hull"] == pytest.approx(math.log(8.1 * 0.1))


def test_every_feature_that_a_manifest_may_name_is_measured() -> None:
    shares = tuple((kind, 1.0 / len(Morphology)) for kind in Morphology)

    assert (
        set(features([replace(member, morphology=shares) for member in row(3)])) == GROUP_FEATURES
    )


def test_pieces_of_what_is_spread_out_are_seen_together_and_far_ones_are_not() -> None:
    near = [mark(160 + 100, 100), mark(160 + 200, 100)]  # 10 mm from link to link
    far = [mark(160 + 200, 100 + 130)]

    alone, together = features(row(4)), features(row(4), [*near, *far])

    assert alone["wide_count"] == alone["count"] == together["count"] == pytest.approx(math.log(4))
    assert together["wide_count"] == pytest.approx(math.log(6))
    assert together["wide_extent"] == pytest.approx(math.log(26.0))
    assert alone["around"] == 0.0
    assert together["around"] == pytest.approx(math.log(2))  # the first of the near ones


def test_members_are_described_by_medians_spreads_and_largest() -> None:
    sizes = (0.2, 0.4, 0.8)
    members = [
        replace(member, diameter_mm=size) for member, size in zip(row(3), sizes, strict=True)
    ]
    values = features(members)

    assert values["diameter"] == pytest.approx(math.log(0.4))
    assert values["diameter_largest"] == pytest.approx(math.log(0.8))
    assert values["diameter_spread"] == pytest.approx(np.std(np.log(sizes)))


def test_a_table_of_groups_overrules_the_members() -> None:
    knows = TypeTable.model_validate(table())
    members = [set_type(member, 0.9, diameter_mm=math.e) for member in row(3)]

    by_rule = classify_type(members)
    by_table = classify_type(members, features(members), knows)

    assert by_rule[0][0] is LINEAR
    assert by_rule[0][1] == pytest.approx(0.9, abs=0.01)
    assert by_table[0][0] is BRANCHING
    assert by_table[0][1] == pytest.approx(1 / (1 + math.exp(-4)), abs=0.01)


def test_a_feature_further_out_than_anything_seen_counts_no_more() -> None:
    knows = TypeTable.model_validate(table(limit=1.0))

    assert knows.predict({"diameter_largest": 50.0}) == pytest.approx(
        knows.predict({"diameter_largest": 1.0})
    )


def test_round_ones_stay_punctate_by_size() -> None:
    knows = TypeTable.model_validate(table(types=["fine_linear", "round"]))
    members = [set_type(member, 0.9, diameter_mm=0.3) for member in row(2)]
    members.append(set_type(mark(100, 130), 0.9, diameter_mm=3.0))

    assert classify_type(members, features(members), knows)[0][0] is Morphology.PUNCTATE


def test_a_distribution_is_by_the_table_and_beyond_a_quadrant_by_the_rule() -> None:
    knows = DistributionTable.model_validate(
        {
            **{key: value for key, value in table().items() if key != "types"},
            "distributions": ["grouped", "segmental"],
            "features": ["wide_count"],
        }
    )
    few, long = row(3), row(20, 4.0)

    def classify(members: Sequence[Mark]) -> Distribution:
        at = positions_mm(members, SPACING)
        return classify_distribution(at, features(members), knows)[0][0]

    assert classify_distribution(positions_mm(few, SPACING))[0][0] is Distribution.GROUPED
    assert classify(few) is Distribution.SEGMENTAL
    assert classify(long) is Distribution.DIFFUSE


def test_findings_of_a_model_with_tables_have_the_labels_of_the_tables() -> None:
    groups = GroupTables(types=TypeTable.model_validate(table()))
    members = [set_type(member, 0.9, diameter_mm=math.e) for member in row(3)]
    point = OperatingPoint(1, "test", minimum_certainty=50.0)

    (finding,) = describe_findings(
        "LCC", members, SPACING, (900, 900), lambda _, s: 100 * s, point, groups
    )

    assert finding.mark_class is MarkClass.CLUSTER
    assert finding.morphology[0][0] is BRANCHING


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"features": ["girth"]}, "'girth' is not a feature of groups"),
        ({"types": ["fine_linear", "stellate"]}, "'stellate' is not a type of calcification"),
        ({"types": ["fine_linear", "fine_linear"]}, "once each"),
        ({"means": [0.0, 1.0]}, "a mean and a scale"),
        ({"scales": [0.0]}, "greater than 0"),
        ({"weights": [[1.0]]}, "row of weights and a constant for each label"),
        ({"weights": [[1.0], [1.0, 2.0]]}, "a number for each feature"),
        ({"constants": [0.0, math.nan]}, "finite number"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_table_of_another_version_or_shape_is_refused(
    changed: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValidationError, match=fault):
        TypeTable.model_validate(table(**changed))
