"""A cluster within a region in both structured reports: siblings that name each other."""

from pydicom.dataset import Dataset

from secondread.findings.finding import StudyReading
from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.impression_words import list_impression_lines
from secondread.report.sr.own_codes import REGION
from secondread.report.sr.tid1500 import build_measurement_report
from secondread.settings import ProfileSettings
from tests.unit.followup.test_new_parts import DENSE, HOLED
from tests.unit.report.followed import make_parted_study
from tests.unit.report.readings import make_authorship
from tests.unit.report.sr.test_tid1500 import groups, read_group

PROFILE = ProfileSettings()


def make_study() -> tuple[StudyReading, dict[str, Dataset]]:
    return make_parted_study(HOLED + DENSE, HOLED)


def test_region_and_cluster_are_impressions_of_their_own_related_in_words() -> None:
    reading, headers = make_study()

    built = build_cad_sr(reading, headers, make_authorship(PROFILE)).dataset

    assert check_cad_sr(built) == []
    assert check_against_reading(built, reading, headers, PROFILE) == []
    by_number = sorted(list_impression_lines(reading))
    whole = len(HOLED) + len(DENSE)
    assert len(by_number) == 2
    assert f"within region 2 of {whole} calcifications, " in by_number[0]
    assert "NEW since 2025-01-05" in by_number[0]
    assert f"region of {whole} calcifications with 1 inside, " in by_number[1]
    assert "unchanged since 2025-01-05" in by_number[1]


def test_the_group_of_a_cluster_refers_to_that_of_its_region() -> None:
    reading, headers = make_study()

    made = build_measurement_report(reading, headers, make_authorship(PROFILE))

    assert made is not None
    values = [read_group(group) for group in groups(made.dataset)]
    of = {group["Tracking Identifier"]: group for group in values if "Finding" in group}
    assert of["LCC-1"][REGION.meaning] == of["LCC-2"]["Tracking Unique Identifier"]
    assert REGION.meaning not in of["LCC-2"]
