"""Days and instants, and what de-identification, databases and old units leave in their place."""

from datetime import UTC, date, datetime

import pytest

from secondread.assemble.header_dates import parse_day, parse_time
from tests.worlds.builders import mammogram


@pytest.mark.parametrize("text", ["20260105", "2026.01.05", "2026-01-05", "20260105101500"])
def test_a_day_may_have_separators_and_a_time_behind_it(text: str) -> None:
    assert parse_day(text) == date(2026, 1, 5)


@pytest.mark.parametrize(
    "text",
    [
        "00000000", "00/00/0000", "0001-01-01", "00010101", "REMOVED", "", "2026", "202601",
        "20261301", "20260230", "99991231", "22000101", "18500101", "05/01/2026", "٢٠٢٦٠١٠٥",
    ],
)  # fmt: skip
def test_what_is_no_day_of_an_exam_is_unknown(text: str) -> None:
    assert parse_day(text) is None


@pytest.mark.parametrize("text", ["REMOVED", "", "250000", "106000", "1", "10:17 am", "--"])
def test_what_is_no_time_is_unknown(text: str) -> None:
    assert parse_time(text) is None


def test_the_next_attribute_counts_where_a_date_is_none() -> None:
    acquired = mammogram(AcquisitionDate="00000000", ContentDate="20260107", ContentTime="0930")

    assert acquired.acquired_at == datetime(2026, 1, 7, 9, 30, tzinfo=UTC)


def test_without_any_date_the_day_is_unknown() -> None:
    m = mammogram(StudyDate="00010101", AcquisitionDate="REMOVED", TimezoneOffsetFromUTC="+0100")

    assert (m.study_date, m.study_at, m.acquired_at) == (None, None, None)


@pytest.mark.parametrize("time", ["", "000000", "REMOVED"])
def test_an_unknown_time_makes_no_instant_of_acquisition(time: str) -> None:
    m = mammogram(AcquisitionTime=time, StudyTime=time)

    assert m.acquired_at is None


def test_acquisition_date_time_has_a_zone_of_its_own() -> None:
    m = mammogram(AcquisitionDateTime="20260105101730.5-0500", TimezoneOffsetFromUTC="+0100")

    assert m.acquired_at == datetime(2026, 1, 5, 15, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["+9900", "0100", "UTC", "+1", ""])
def test_a_zone_that_is_none_is_utc(zone: str) -> None:
    m = mammogram(TimezoneOffsetFromUTC=zone)

    assert m.acquired_at == datetime(2026, 1, 5, 10, 17, 30, tzinfo=UTC)
