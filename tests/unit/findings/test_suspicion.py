"""The suspicion index: what it must rank, and that it can be worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.codes import Distribution, Morphology
from secondread.findings.published_shares import DISTRIBUTIONS, TYPES
from secondread.findings.suspicion import MALIGNANT_SHARE, TYPICALLY_BENIGN, compute_suspicion
from secondread.findings.suspicion_document import build_document
from tests.conftest import ROOT

GROUPED = ((Distribution.GROUPED, 0.9), (Distribution.LINEAR, 0.1))


def test_a_single_label_in_a_group_has_the_published_share() -> None:
    only_grouped = ((Distribution.GROUPED, 1.0),)
    assert compute_suspicion(((Morphology.AMORPHOUS, 0.8),), only_grouped) == 7.8


def test_two_labels_are_weighed_by_their_confidence() -> None:
    morphology = ((Morphology.FINE_PLEOMORPHIC, 0.6), (Morphology.ROUND, 0.2))
    expected = round(100 * (0.6 * 0.6175 + 0.2 * 0.02) / 0.8, 1)
    assert compute_suspicion(morphology, ((Distribution.GROUPED, 1.0),)) == expected


def test_a_linear_distribution_multiplies_the_odds() -> None:
    linear = ((Distribution.LINEAR, 1.0),)
    odds = 2.5 * 0.0775 / 0.9225
    assert compute_suspicion(((Morphology.AMORPHOUS, 1.0),), linear) == round(
        100 * odds / (1 + odds), 1
    )


def test_without_a_type_there_is_no_index() -> None:
    assert compute_suspicion((), GROUPED) is None


@pytest.mark.parametrize("kind", sorted(TYPICALLY_BENIGN, key=str))
@pytest.mark.parametrize("spread", list(Distribution))
def test_a_typically_benign_type_stays_low_however_it_is_spread(
    kind: Morphology, spread: Distribution
) -> None:
    assert compute_suspicion(((kind, 1.0),), ((spread, 1.0),)) == 0.5


def test_every_type_has_a_share_and_every_distribution_a_factor() -> None:
    assert set(MALIGNANT_SHARE) == set(TYPES) == set(Morphology)
    assert set(DISTRIBUTIONS) == set(Distribution)


def test_the_document_prints_the_table_that_counts() -> None:
    printed = (ROOT / "service" / "docs" / "suspicion.md").read_text("utf-8")

    assert printed == build_document(), "make it anew: its module says how"


def test_the_worked_example_adds_up() -> None:
    (line,) = [line for line in build_document().splitlines() if line.startswith("Suspicion: ")]
    terms, total = line.removeprefix("Suspicion: ").rstrip("*.").split(" = **")

    assert sum(map(float, terms.split(" + "))) == pytest.approx(float(total), abs=0.06)


@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(list(Morphology)), st.floats(0.01, 1.0)), min_size=1, max_size=2
    ),
    spreads=st.lists(
        st.tuples(st.sampled_from(list(Distribution)), st.floats(0.01, 1.0)), max_size=2
    ),
)
def test_the_index_lies_between_0_and_100(
    kinds: list[tuple[Morphology, float]], spreads: list[tuple[Distribution, float]]
) -> None:
    index = compute_suspicion(kinds, spreads)
    assert index is not None
    assert 0.0 < index < 100.0
