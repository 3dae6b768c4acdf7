"""The truth table comes back as it was written, and says what is wrong with a bad one."""

from pathlib import Path

import pytest

from secondread.errors import InputError
from secondread_lab.simulate.truth import TRUTH_COLUMNS, TruthRow, read_truth, write_truth

ROWS = (
    TruthRow("1.2.3", "cluster", 1.0, 2.0, 30.25, 40.5, id="a", lesion_id="a", cnr=7.5),
    TruthRow("1.2.3", "calcification", 1.0, 2.0, 3.0, 4.0, id="a.1", parent_id="a", size_mm=0.3),
    TruthRow("1.2.4", "none", density="b", vendor_family="alpha"),
)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.csv", ROWS)
    assert read_truth(tmp_path / "truth.csv") == ROWS


def test_the_header_is_the_contract(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.csv", [])
    assert (tmp_path / "truth.csv").read_text() == (
        "sop_instance_uid,kind,x0,y0,x1,y1,id,parent_id,lesion_id,morphology,distribution,"
        "cnr,size_mm,density,vendor_family,change,zone\n"
    )
    assert len(TRUTH_COLUMNS) == 17


def test_the_required_columns_alone_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("kind,sop_instance_uid,x0,y0,x1,y1,reader\nmetal,1.2,0,0,5,6,me\n")
    assert read_truth(path) == (TruthRow("1.2", "metal", 0.0, 0.0, 5.0, 6.0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sop_instance_uid,kind,x0,y0,x1\n", "columns missing: y1"),
        ("sop_instance_uid,kind,x0,y0,x1,y1\n1.2,metal,0,0,five,6\n", r":2: x1 is 'five'"),
        ("sop_instance_uid,kind,x0,y0,x1,y1\n1.2,metal,0,0,5,\n", r":2: a row of kind 'metal'"),
    ],
)
def test_a_bad_table_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_truth(path)
