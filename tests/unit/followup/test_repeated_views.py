"""What two images of one view both show is one lesion; what one of them shows stays."""

import pytest
from pydicom.dataset import Dataset
from structlog.testing import capture_logs

from secondread.codes import View
from secondread.findings.changes import FindingRef
from secondread.findings.finding import StudyReading
from secondread.followup import repeated_views
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_identity import add_lesions, assign_lesions
from secondread.report.check.cad_sr_check import check_cad_sr
from secondread.report.sr.impression_words import describe_reading
from secondread.report.sr.report_contents import count_shown, group_lesions
from secondread.settings import ObjectKind
from tests.unit.followup.breasts import Lie, group, reading
from tests.worlds.builders import header
from tests.worlds.golden_set import Exam, objects

FIRST = Lie()
AGAIN = Lie(nipple_mm=(83.0, 114.0), turn_deg=2.0)
TILE = Lie(nipple_mm=(85.0, 150.0))
"""The lower part of a large breast: 40 mm farther down the detector."""
HERE, THERE = group(45.0, 20.0), group(45.0, -30.0, number=12, seed=1)
BESIDE = group(45.0, 28.0, seed=2)


def numbers(done: StudyReading) -> list[list[str]]:
    """The numbers of each image's findings, in the order of the images' names."""
    images = sorted(done.images, key=lambda image: image.label)
    return [sorted(finding.number for finding in image.findings) for image in images]


@pytest.mark.parametrize("second", [AGAIN, TILE], ids=["retake", "tile"])
def test_what_both_images_show_has_one_number(second: Lie) -> None:
    done = reading((FIRST, [*HERE, *THERE]), (second, [*HERE, *THERE]))

    assert numbers(done) == [["1", "2"], ["1", "2"]]
    assert len(done.repeat_pairs) == 2
    assert all(pair.error_mm <= 3.0 for pair in done.repeat_pairs)
    assert {(p.first.finding_id[-1], p.second.finding_id[-1]) for p in done.repeat_pairs} == {
        ("1", "1"),
        ("2", "2"),
    }
    for number in "12":
        twins = [f for image in done.images for f in image.findings if f.number == number]
        assert len({len(f.members) for f in twins}) == 1
        assert len({f.priority for f in twins}) == 1


def test_what_breaks_over_two_images_costs_their_matching_and_not_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(*_: object) -> None:
        raise ValueError("no such tissue")

    monkeypatch.setattr(repeated_views, "register", break_down)
    with capture_logs() as events:
        done = reading((FIRST, HERE), (AGAIN, HERE))

    assert done.repeat_pairs == ()
    assert numbers(done) == [["1"], ["2"]]
    assert [event["event"] for event in events] == ["repeated_view_broke"]
    assert str(events[0]["error"]).startswith("ValueError at ")


def test_what_one_image_shows_keeps_a_number_of_its_own() -> None:
    done = reading((FIRST, HERE), (AGAIN, [*HERE, *THERE]))

    both = {finding.number for image in done.images for finding in image.findings}
    assert both == {"1", "2"}
    assert sorted(map(len, numbers(done))) == [1, 2]
    assert count_shown(done) == 2


def test_neighbours_are_not_taken_for_each_other() -> None:
    done = reading((FIRST, HERE), (AGAIN, BESIDE))

    assert done.repeat_pairs == ()
    assert count_shown(done) == 2


def test_images_of_two_breasts_under_one_view_are_not_laid_on_each_other() -> None:
    done = reading((FIRST, HERE), (Lie(woman=7), HERE))

    assert done.repeat_pairs == ()
    assert count_shown(done) == 2


def test_both_images_of_a_view_are_the_pair_of_the_other_view() -> None:
    oblique = Lie(view=View.MLO)
    done = reading((FIRST, HERE), (AGAIN, HERE), (oblique, HERE))

    assert numbers(done) == [["1"], ["1"], ["1"]]
    assert len(done.view_pairs) == 2
    assert count_shown(done) == 1
    (lesion,) = group_lesions(done, lambda image: image.shown_findings)
    assert len(lesion.current) == 3


def test_a_lesion_in_two_images_of_a_view_has_one_identifier() -> None:
    done = reading((FIRST, HERE), (AGAIN, HERE))

    def mint(ref: FindingRef) -> str:
        return f"2.25.{len(ref.finding_id)}"

    lesions = assign_lesions(done, {}, mint)

    assert len(lesions) == 2
    assert len(set(lesions.values())) == 1


def sources_of(done: StudyReading) -> dict[str, Dataset]:
    return {
        image.sop_instance_uid: header(
            SOPInstanceUID=image.sop_instance_uid,
            Rows=550,
            Columns=425,
            ImagerPixelSpacing=[0.4] * 2,
        )
        for image in done.images
    }


def test_the_report_counts_it_once_and_joins_both_images() -> None:
    done = follow_up(reading((FIRST, HERE), (AGAIN, HERE)))
    done = add_lesions(done, assign_lesions(done, {}, lambda _: "2.25.7"))

    assert "1 finding shown" in describe_reading(done)
    made = objects(Exam(done, sources_of(done)))
    (report,) = [one.dataset for one in made if one.kind is ObjectKind.CAD_SR]
    assert check_cad_sr(report) == []
    assert "laid on each other" in report.to_json()
