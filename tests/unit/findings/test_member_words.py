"""How many calcifications a cluster has, and that faint ones are named."""

from dataclasses import replace

from secondread.findings.finding import Calcification, Finding
from secondread.findings.findings_json import encode_finding
from secondread.findings.member_words import count_faint, describe_number
from secondread.geometry import PointPx
from secondread.reasons import Outcome
from secondread.report.sr import wording
from secondread.report.sr.impression_words import list_impression_lines
from tests.unit.report.readings import (
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)


def make_cluster_of(*certainties: float) -> Finding:
    members = tuple(Calcification(PointPx(300.5, 420.5), 0.3, value) for value in certainties)
    return replace(make_cluster(), members=members)


def test_members_less_likely_than_not_are_faint() -> None:
    assert count_faint(make_cluster_of(99.0, 50.0, 49.9, 3.0)) == 2


def test_a_number_names_its_faint_part() -> None:
    assert describe_number(make_cluster_of(99.0, 98.0, 97.0)) == "3 calcifications"
    assert describe_number(make_cluster_of(99.0)) == "1 calcification"
    assert describe_number(make_cluster_of(99.0, 98.0, 20.0)) == "3 calcifications (1 faint)"
    assert describe_number(replace(make_cluster(), members=())) == ""


def test_the_words_are_the_same_wherever_a_number_is_given() -> None:
    finding = make_cluster_of(99.0, 98.0, 20.0)
    image = make_image_reading(make_header("LCC"), finding)
    words = "3 calcifications (1 faint)"
    (line,) = list_impression_lines(make_study_reading(Outcome.FINDINGS, image))
    assert words in line
    assert words in wording.describe_facts(finding, measured=True)
    document = encode_finding(finding)
    assert (document["calcifications"], document["faint"]) == (3, 1)
