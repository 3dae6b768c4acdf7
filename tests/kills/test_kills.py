"""A short campaign against a whole node; ``make soak`` runs long ones."""

from pathlib import Path

import pytest

from secondread_lab.simulate.exam import ExamFiles
from tests.kills.campaign import Campaign, Place
from tests.kills.world import World, cut_images

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("Orthanc", "storescu", "echoscu")]


def test_a_node_keeps_its_promises_when_it_is_killed_at_the_worst_moments(
    tmp_path: Path, pair_exam: ExamFiles
) -> None:
    world = World(tmp_path, cut_images(pair_exam.current, tmp_path / "images"))
    campaign = Campaign(world, seed=1)
    try:
        world.start()
        # In the archive and not in SQL; recorded and not remembered by the engine; sent and not
        # recorded: each has to be found out and gone on with.
        campaign.kill_at(Place("receive", "record-instance>commit", "before"), nth=1)
        campaign.kill_at(Place("child", "answer", "after"), nth=1)
        campaign.kill_at(Place("work", "run-step record>record-reading", "after"), nth=1)
        campaign.kill_at(Place("work", "send-object>send-message", "after"), "pacs", nth=1)
        campaign.finish_studies()
        campaign.sweep(restarts=0)
    finally:
        world.close()

    assert campaign.tally.faults == []
    assert campaign.tally.total == 4
