"""What the page of a study tells of its lesions' histories in words."""

from dataclasses import replace
from datetime import date

from secondread.followup.timeline import build_histories
from secondread.watch.lesion_histories import list_assessments
from tests.unit.followup.test_timeline import FIRST


def test_a_breast_has_one_category_an_exam_however_many_lesions_it_has() -> None:
    sightings = [
        replace(
            FIRST,
            lesion=lesion,
            label=label,
            study_uid=study,
            study_date=day,
            sop_instance_uid=f"{lesion}.{study}",
        )
        for lesion, label in (("2.25.1", "LCC"), ("2.25.2", "LCC"), ("2.25.3", "RCC"))
        for study, day in (("1.1", date(2024, 1, 5)), ("1.2", date(2026, 1, 5)))
    ]
    categories = {("1.1", "L"): "2", ("1.2", "L"): "4B", ("1.2", "R"): "1"}
    histories = build_histories(sightings, [], categories)
    assert list_assessments(histories) == ["2024-01-05 L 2", "2026-01-05 L 4B", "2026-01-05 R 1"]
