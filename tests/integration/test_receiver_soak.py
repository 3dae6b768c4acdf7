"""A short siege; ``make soak`` runs a long one."""

import sys
from pathlib import Path

import pytest

from tests.soak.receiver_soak import besiege


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_siege_leaves_the_receiver_as_it_was(tmp_path: Path) -> None:
    outcome = besiege(tmp_path, connections=150, seed=4)
    assert outcome.list_faults() == []  # which include a polite peer that was not served
    assert outcome.events["association_refused"] > 10
