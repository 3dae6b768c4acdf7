"""Records of images as lines of a file, and truth tables that contradict themselves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from secondread.errors import InputError
from secondread_lab.judge.annotations import arrange_truth, check_truth
from secondread_lab.judge.crops import CropAlbum
from secondread_lab.judge.records import Crop, ViewRecord, read_records
from secondread_lab.simulate.truth import TruthRow
from tests.unit.lab.judge.view_records import (
    UID,
    calcification,
    cluster,
    found,
    mark,
    record,
    thing,
)

FIVE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]
CROP = Crop("hit-1.png", "hit", "90 %", 0.5, (3, 4), (1.0, 2.0, 3.0, 4.0), None)
WHOLE = replace(
    record(
        [*cluster(FIVE), thing("metal", (1, 1, 2, 2))],
        [found(FIVE, morphology=(("round", 0.7),))],
        [mark(50, 50)],
    ),
    crops=(CROP,),
)


def test_a_record_survives_the_way_through_json() -> None:
    assert ViewRecord.from_json(json.loads(json.dumps(WHOLE.as_json()))) == WHOLE


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "views.jsonl"
    line = json.dumps(WHOLE.as_json())
    path.write_text(f"{line}\n{line[:50]}")
    assert list(read_records(path)) == [WHOLE]


def test_a_broken_line_before_the_last_is_named(tmp_path: Path) -> None:
    path = tmp_path / "views.jsonl"
    path.write_text(f"{{}}\n{json.dumps(WHOLE.as_json())}\n")
    with pytest.raises(InputError, match=r"views\.jsonl:1: not a record"):
        list(read_records(path))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (replace(calcification(1, 1), sop_instance_uid=""), "row 3: sop_instance_uid is empty"),
        (replace(calcification(1, 1), kind=""), "row 3: kind is empty"),
        (replace(calcification(1, 1), x0=99.0), "row 3: the box ends before it begins"),
        (replace(calcification(1, 1), morphology="fuzzy"), "row 3: morphology 'fuzzy'"),
        (calcification(1, 1, parent="c9"), "row 3: parent_id 'c9' names no row"),
    ],
)
def test_a_contradiction_in_a_truth_table_is_named_with_file_and_row(
    row: TruthRow, words: str
) -> None:
    with pytest.raises(InputError, match=f"truth.csv: {words}"):
        check_truth(Path("truth.csv"), [thing("metal", (1, 1, 2, 2)), row])


def test_a_truth_table_as_the_simulator_writes_it_is_sound() -> None:
    check_truth(Path("truth.csv"), [*cluster(FIVE), thing("metal", (1, 1, 2, 2))])
    check_truth(Path("truth.csv"), [TruthRow(UID, "none")])


def test_a_group_of_vessel_calcifications_is_known_by_its_members() -> None:
    group = replace(thing("vascular", (10, 10, 60, 20)), id="v")
    member = replace(thing("vascular", (11, 11, 12, 12)), id="v.1", parent_id="v")
    boxes = arrange_truth([group, member], record().image.spacing_mm).objects
    assert [boxes[kind].tolist() for kind in boxes if len(boxes[kind])] == [
        [pytest.approx([11, 11, 12, 12])]
    ]


def test_an_album_keeps_the_highest_ranks_and_deletes_the_other_files(tmp_path: Path) -> None:
    album = CropAlbum(tmp_path, limit=2)
    for number, rank in enumerate((0.3, 0.9, 0.1, 0.5)):
        (tmp_path / f"{number}.png").touch()
        album.add_crops([replace(CROP, file=f"{number}.png", rank=rank)])

    assert {path.name for path in tmp_path.iterdir()} == {"1.png", "3.png"}
