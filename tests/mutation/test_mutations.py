"""A few hundred changed files, data sets, reports and sessions: every one is answered.

`make soak` tries 100,000; what it finds goes into `FOUND`, by the numbers that it prints.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from secondread.detect.child import DetectorChild
from secondread.settings import DetectSettings
from tests.mutation.cases import (
    draw_file,
    draw_image_of_report,
    draw_report,
    draw_request,
    make_report,
    make_request,
    write_good_file,
)
from tests.mutation.files import OfflineWorld
from tests.mutation.node import IntakeWorld
from tests.mutation.reports import FORMS, PagesWorld, check_explain, check_read_back
from tests.mutation.seeds import list_images, list_others, list_reports
from tests.mutation.sessions import check_node, draw_session, hold_session
from tests.unit.accept.fakes import Node, running_node

# pydicom and pynetdicom warn of what is wrong, which is the point here; a process of the node
# silences them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
RANDOMS = st.randoms(use_true_random=False)


def search(examples: int) -> settings:
    """The same examples each time, and no memory of earlier ones."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutation")


@pytest.fixture(scope="module")
def detector() -> Iterator[DetectorChild]:
    with DetectorChild(DetectSettings()) as child:
        yield child


@pytest.fixture(scope="module")
def pages(folder: Path) -> PagesWorld:
    return PagesWorld(folder)


@pytest.fixture(scope="module")
def image(folder: Path) -> Path:
    path = folder / "image.dcm"
    path.write_bytes(write_good_file(list_images()[0], 1))
    return path


@given(RANDOMS)
@search(80)
def test_a_changed_report_is_explained_or_refused(
    folder: Path, image: Path, pages: PagesWorld, random: Random
) -> None:
    report = folder / "changed.dcm"
    report.write_bytes(draw_report(random))
    match random.randint(0, 7):
        case 7:
            report.write_bytes(make_report())
            image = folder / "changed image.dcm"
            image.write_bytes(draw_image_of_report(random))
            check_explain(report, image, "png")
        case 5:
            check_read_back(report)
        case 6:
            pages.check(report)
        case number:
            check_explain(report, image, FORMS[number])


@given(st.lists(RANDOMS, min_size=8, max_size=8))
@search(5)
def test_changed_files_are_answered_and_a_good_one_beside_them_is_read(
    folder: Path, detector: DetectorChild, randoms: list[Random]
) -> None:
    world = OfflineWorld(folder, detector, write_good_file(list_images()[0], 99))
    world.check([draw_file(random, number) for number, random in enumerate(randoms)])


@pytest.fixture(scope="module")
def intake(folder: Path, detector: DetectorChild) -> IntakeWorld:
    (folder / "node").mkdir()
    return IntakeWorld(folder / "node", detector)


def test_what_was_not_changed_is_stored_and_read(intake: IntakeWorld) -> None:
    seeds = (*list_images()[:3], *list_reports(), *list_others())
    answers = intake.check([make_request(seed, 1000 + n) for n, seed in enumerate(seeds)])
    assert {answer.name for answer in answers} == {"SUCCESS"}


@given(st.lists(RANDOMS, min_size=8, max_size=8))
@search(5)
def test_a_changed_data_set_is_refused_or_its_study_ends_in_a_result(
    intake: IntakeWorld, randoms: list[Random]
) -> None:
    intake.check([draw_request(random, intake.next_number()) for random in randoms])


@pytest.fixture(scope="module")
def receiver(folder: Path) -> Iterator[Node]:
    (folder / "receiver").mkdir()
    with running_node(folder / "receiver", acse_seconds=0.3, network_seconds=0.5) as node:
        yield node


@given(RANDOMS)
@search(60)
def test_a_changed_session_costs_nobody_else_anything(receiver: Node, random: Random) -> None:
    hold_session(receiver.port, draw_session(random))
    if random.random() < 0.1:
        check_node(receiver, receiver.archive)
