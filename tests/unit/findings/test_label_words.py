"""What is said of type and distribution, and what is not."""

from dataclasses import replace

import pytest

from secondread.codes import Distribution, Morphology
from secondread.findings.finding import Finding
from secondread.findings.label_words import (
    describe_distribution,
    describe_type,
    find_alternative,
    is_certain,
)
from tests.unit.followup.breasts import Lie, group, reading

PUNCTATE, PLEOMORPHIC = Morphology.PUNCTATE, Morphology.FINE_PLEOMORPHIC


@pytest.fixture(scope="module")
def finding() -> Finding:
    return reading((Lie(), group(45.0, 20.0, 8))).images[0].findings[0]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((), ""),
        (((PUNCTATE, 0.9), (PLEOMORPHIC, 0.1)), "punctate"),
        (((PUNCTATE, 0.44), (PLEOMORPHIC, 0.43)), "punctate 44 %, fine pleomorphic 43 %"),
        (((PUNCTATE, 0.29), (PLEOMORPHIC, 0.28)), "type uncertain"),
        (((PUNCTATE, 0.4),), "punctate"),
    ],
)
def test_a_type_is_named_with_its_rival_or_called_uncertain(
    finding: Finding, labels: tuple[tuple[Morphology, float], ...], words: str
) -> None:
    assert describe_type(replace(finding, morphology=labels)) == words


def test_a_distribution_needs_more_for_a_model_is_seldom_right_of_a_doubtful_one(
    finding: Finding,
) -> None:
    doubtful = ((Distribution.SEGMENTAL, 0.55), (Distribution.LINEAR, 0.45))
    sure = ((Distribution.SEGMENTAL, 0.65), (Distribution.LINEAR, 0.2))

    assert describe_distribution(replace(finding, distribution=doubtful)) == (
        "distribution uncertain"
    )
    assert describe_distribution(replace(finding, distribution=sure)) == "segmental"
    assert not is_certain(doubtful)


def test_what_is_uncertain_has_no_alternative() -> None:
    assert find_alternative(((PUNCTATE, 0.2), (PLEOMORPHIC, 0.2))) is None
    assert find_alternative(((PUNCTATE, 0.5), (PLEOMORPHIC, 0.4))) == (PLEOMORPHIC, 0.4)
