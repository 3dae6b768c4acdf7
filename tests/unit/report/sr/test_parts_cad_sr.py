"""The CAD SR of a cluster that is in parts in the study or in its prior."""

import pytest

from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.impression_words import list_impression_lines
from secondread.settings import ProfileSettings
from tests.unit.followup.test_parts import NINE, NINE_APART, SIX
from tests.unit.report.followed import make_parted_study
from tests.unit.report.readings import make_authorship

WHOLE, PARTS = SIX + NINE, SIX + NINE_APART


@pytest.mark.parametrize(("now", "then"), [(PARTS, WHOLE), (WHOLE, PARTS), (PARTS, PARTS)])
def test_a_report_of_parts_has_no_fault(
    now: list[tuple[float, float]], then: list[tuple[float, float]]
) -> None:
    reading, headers = make_parted_study(now, then)
    profile = ProfileSettings()

    built = build_cad_sr(reading, headers, make_authorship(profile)).dataset

    assert check_cad_sr(built) == []
    assert check_against_reading(built, reading, headers, profile) == []


def test_each_part_says_what_it_is_counted_with() -> None:
    (line,) = list_impression_lines(make_parted_study(PARTS, WHOLE)[0])

    assert "unchanged since 2025-01-05 (prior re-read), counted with LCC-2" in line
    assert "counted with LCC-1" in line
