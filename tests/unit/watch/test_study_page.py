"""A study's values arranged for its page."""

from dataclasses import replace
from pathlib import Path

import pytest

from secondread.settings import ObjectKind
from secondread.track.states import DeliveryState, StudyState
from secondread.watch.study_page import arrange_study, compute_seconds_to_result
from tests.worlds.watch_world import ago, delivery, finding, outbox, read_study, study


def test_the_seconds_count_from_the_last_image_to_the_result() -> None:
    assert compute_seconds_to_result(study(last_arrived_at=ago(300), reported_at=ago(258))) == 42
    assert compute_seconds_to_result(study(reported_at=None)) is None


def test_an_image_that_came_after_the_result_makes_no_negative_time() -> None:
    assert compute_seconds_to_result(study(last_arrived_at=ago(10), reported_at=ago(258))) is None


def test_shown_findings_stand_apart_from_candidates(tmp_path: Path) -> None:
    view = arrange_study(read_study(tmp_path))
    assert [line.id for line in view.shown] == ["LCC-1", "LMLO-1"]
    assert [line.id for line in view.below] == ["RCC-1"]
    first = view.shown[0]
    assert (first.label, first.morphology, first.distribution) == (
        "LCC",
        "fine pleomorphic 71 %, amorphous 20 %",
        "grouped 83 %",
    )


def test_a_finding_that_nothing_describes_is_still_listed(tmp_path: Path) -> None:
    bare = replace(finding("LCC-1", 2), document={}, suspicion=None)
    (row,) = arrange_study(replace(read_study(tmp_path), findings=(bare,))).shown
    assert (row.morphology, row.number, row.change) == ("", "", "")


def test_findings_stay_in_their_order_with_their_faint_calcifications_named(
    tmp_path: Path,
) -> None:
    first = finding("LCC-2", 2, calcifications=14, faint=3)
    second = replace(finding("LCC-1", 2, calcifications=5), priority=8.0)
    rows = arrange_study(replace(read_study(tmp_path), findings=(first, second))).shown
    assert [(row.id, row.number, row.priority) for row in rows] == [
        ("LCC-2", "14 (3 faint)", 31.0),
        ("LCC-1", "5", 8.0),
    ]


def test_what_a_finding_may_be_has_shares_and_says_where_it_is_uncertain(tmp_path: Path) -> None:
    vague = finding(
        "LCC-1",
        2,
        morphology=[["amorphous", 0.3], ["punctate", 0.29]],
        type_words="type uncertain",
    )
    (row,) = arrange_study(replace(read_study(tmp_path), findings=(vague,))).shown
    assert row.morphology == "type uncertain: amorphous 30 %, punctate 29 %"


def test_objects_of_the_latest_revision_stand_apart_from_earlier_ones(tmp_path: Path) -> None:
    detail = replace(
        read_study(tmp_path),
        outbox_objects=(
            outbox(3, ObjectKind.CAD_SR, "report.dcm", revision=2),
            outbox(1, ObjectKind.CAD_SR, "report.dcm"),
            outbox(2, ObjectKind.CAPTURE, "capture.dcm"),
        ),
    )
    view = arrange_study(detail)
    assert [row.item.id for row in view.current] == [3]
    assert [row.name for row in view.earlier] == ["CAD SR", "capture 1"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ObjectKind.CAD_SR, "CAD SR"),
        (ObjectKind.TID1500, "TID 1500"),
        (ObjectKind.CAPTURE, "capture 1"),
        (ObjectKind.PRESENTATION, "presentation state 1"),
    ],
)
def test_each_kind_of_object_has_a_name(tmp_path: Path, kind: ObjectKind, name: str) -> None:
    item = replace(outbox(1, kind, "object.dcm"), index=0)
    (row,) = arrange_study(replace(read_study(tmp_path), outbox_objects=(item,))).current
    assert row.name == name


@pytest.mark.parametrize("kind", ObjectKind)
def test_no_kind_of_object_is_without_a_name(tmp_path: Path, kind: ObjectKind) -> None:
    item = outbox(1, kind, "object.dcm")
    (row,) = arrange_study(replace(read_study(tmp_path), outbox_objects=(item,))).current
    assert row.name


def test_deliveries_are_grouped_by_destination(tmp_path: Path) -> None:
    view = arrange_study(read_study(tmp_path, None, delivery("viewer"), delivery("pacs")))
    assert [(lines.name, len(lines.rows)) for lines in view.destinations] == [
        ("pacs", 2),
        ("viewer", 2),
    ]


def test_a_page_changes_while_something_is_under_way_and_no_longer_after(tmp_path: Path) -> None:
    assert not arrange_study(read_study(tmp_path)).changes
    assert arrange_study(read_study(tmp_path, study(state=StudyState.READING))).changes
    waiting = delivery(state=DeliveryState.PENDING)
    assert arrange_study(read_study(tmp_path, None, waiting)).changes
    assert not arrange_study(
        read_study(tmp_path, None, delivery(state=DeliveryState.SHADOW))
    ).changes
