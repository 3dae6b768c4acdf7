"""What a person finds studies by."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from secondread.errors import InputError
from secondread.findings.changes import ChangeKind
from secondread.reasons import Outcome
from secondread.track.study_search import MOST_DAYS, StudySearch, choose_days
from tests.worlds.track_world import STUDY, World, finding, mammogram, reading

TODAY = date(2026, 11, 22)
OLD, NEW = f"{STUDY}.1", f"{STUDY}.2"


@pytest.fixture
def world(world: World) -> World:
    """An old exam that was not read, and a new one with a finding that is new and one hidden."""
    for study, day, number, station in (
        (OLD, "20250301", "", "ROOM_1"),
        (NEW, "20261120", "Ab-12", "100%_Room"),
    ):
        header = mammogram("RCC", study, date=day, patient="Pat-7")
        header.IssuerOfPatientID = "Hospital"
        header.Manufacturer, header.ManufacturerModelName = "LORAD", "Selenia"
        header.StationName, header.AccessionNumber = station, number
        world.arrive(header)
    world.hang_up()
    world.later(150)
    shown, hidden = finding(1), finding(2, shown=False)
    document = {"change": "new", "morphology": [["amorphous", 0.6], ["round", 0.3]]}
    other = {"change": "unchanged", "morphology": [["round", 0.9]]}
    found = [replace(shown, document=document), replace(hidden, document=other)]
    world.record(reading(world.claimed(NEW), findings=found, outcome=Outcome.FINDINGS))
    return world


def find(world: World, **values: object) -> list[str]:
    search = StudySearch(**values)  # type: ignore[arg-type]
    return [study.study_uid for study in world.tracker.searches.find(search, TODAY)]


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("ab-12", [NEW]),
        (NEW, [NEW]),
        ("PAT-7", [NEW, OLD]),
        ("pat-7^^^hospital", [NEW, OLD]),
        ("Pat-7^^^elsewhere", []),
        ("Pat", []),
        ("%", []),
    ],
)
def test_a_number_finds_its_study_and_an_id_a_patient_s_in_any_case(
    world: World, number: str, found: list[str]
) -> None:
    assert find(world, number=number) == found


def test_days_device_outcome_and_findings_narrow_it_down(world: World) -> None:
    first = date(2026, 11, 1)
    assert find(world, number="Pat-7", last_day=first) == [OLD]
    assert find(world, device="lorad sel") == [NEW]
    assert find(world, device="modality", first_day=date(2025, 3, 1)) == [OLD]
    assert find(world, device="100%_r") == [NEW]
    assert find(world, device="%") == [NEW]
    assert find(world, device="SIEMENS") == []
    assert find(world, outcome=Outcome.FINDINGS) == [NEW]
    assert find(world, outcome=Outcome.FAILED) == []
    assert find(world, change=ChangeKind.NEW, morphology="amorphous") == [NEW]
    # A finding that is not shown, and a type that is not the likeliest.
    assert find(world, change=ChangeKind.UNCHANGED) == []
    assert find(world, morphology="round") == []


def test_no_search_goes_through_years() -> None:
    first = date(2025, 1, 1)
    window = timedelta(days=MOST_DAYS - 1)
    assert choose_days(StudySearch(device="x"), TODAY) == (TODAY - window, TODAY)
    assert choose_days(StudySearch(first_day=first), TODAY) == (first, first + window)
    for search in (
        StudySearch(),
        StudySearch(first_day=first, last_day=TODAY),
        StudySearch(first_day=TODAY, last_day=first),
    ):
        with pytest.raises(InputError):
            choose_days(search, TODAY)
