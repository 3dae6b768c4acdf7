from dataclasses import replace
from datetime import date
from typing import Any

from secondread.codes import Distribution, Laterality, Morphology
from secondread.findings.changes import (
    PRIOR_REREAD,
    ChangeKind,
    FindingChange,
    FindingRef,
    Recheck,
    StudyComparison,
)
from secondread.findings.finding import Finding, StudyReading
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.findings.treatment import (
    Procedure,
    Treatment,
    TreatmentSource,
    Zone,
    ZoneBasis,
    ZonePlacement,
)
from secondread.geometry import PointPx
from secondread.reasons import Outcome
from secondread.report.sr.impression_words import (
    describe_finding,
    describe_in_legend,
    describe_reading,
    describe_with_figures,
    explain_change,
    list_impression_lines,
    list_treatment_lines,
)
from tests.unit.report.followed import make_described_study, make_followed_study
from tests.unit.report.readings import (
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
)

L = Laterality.LEFT
UPPER_OUTER = Position(12.0, 41.0, 2.5, 38.0, None, BreastHalf.OUTER, Quadrant.UPPER_OUTER, 2)
ELSEWHERE = ZonePlacement(Zone.ELSEWHERE, ZoneBasis.SIDE)
# The study is of 5 January 2026.
RADIOTHERAPY = Treatment(Procedure.RADIOTHERAPY, L, date(2022, 3, 1), date(2022, 4, 20))
SURGERY = Treatment(Procedure.LUMPECTOMY, L, date(2022, 1, 10))


def reading(
    finding: Finding,
    *treatments: Treatment,
    verdict: ChangeKind | None = None,
) -> StudyReading:
    done = make_study_reading(Outcome.FINDINGS, make_image_reading(make_header("LCC"), finding))
    uid = done.images[0].mammogram.sop_instance_uid
    changes = (
        ()
        if verdict is None
        else (FindingChange(verdict, FindingRef(done.study_uid, uid, finding.id), ()),)
    )
    compared = StudyComparison("1.9", date(2023, 2, 10), PRIOR_REREAD, (), changes)
    return replace(done, treatments=treatments, comparisons=() if verdict is None else (compared,))


def line(done: StudyReading) -> str:
    return describe_finding(done, done.images[0], done.images[0].findings[0])


def test_everything_that_is_known_is_one_line() -> None:
    members = make_cluster().members
    finding = make_cluster(
        members=(*members, *members, members[0]),
        morphology=((Morphology.FINE_PLEOMORPHIC, 0.5),),
        position=UPPER_OUTER,
        placement=ELSEWHERE,
    )
    assert line(reading(finding, SURGERY, RADIOTHERAPY, verdict=ChangeKind.NEW)) == (
        "1: L upper outer, 7 calcifications, fine pleomorphic, "
        "NEW since 2023-02-10 (prior re-read), elsewhere in the treated breast, "
        "44 months after radiotherapy"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert line(reading(make_cluster())) == "1: L, 3 calcifications"
    half = make_cluster(position=replace(UPPER_OUTER, quadrant=None, clock_hour=None))
    assert line(reading(half)) == "1: L outer half, 3 calcifications"


def test_without_a_date_of_treatment_that_is_reported() -> None:
    undated = replace(SURGERY, started_on=None)
    finding = make_cluster(placement=ELSEWHERE)
    assert line(reading(finding, undated)).endswith(
        "elsewhere in the treated breast, date of treatment unknown"
    )
    assert line(reading(finding, SURGERY)).endswith("47 months after surgery")


def test_in_the_other_breast_no_months_are_counted() -> None:
    finding = make_cluster(placement=ZonePlacement(Zone.OTHER_BREAST, ZoneBasis.SIDE))
    assert line(reading(finding, SURGERY)).endswith("in the other breast")


def test_changes_are_reported_with_their_prior_and_what_could_not_be_compared_too() -> None:
    assert "unchanged since 2023-02-10 (prior re-read)" in line(
        reading(make_cluster(), verdict=ChangeKind.UNCHANGED)
    )
    assert "not comparable (2023-02-10)" in line(
        reading(make_cluster(), verdict=ChangeKind.NOT_COMPARABLE)
    )


def change_first(done: StudyReading, **values: Any) -> StudyReading:
    (comparison,) = done.comparisons
    changes = (replace(comparison.changes[0], **values),)
    return replace(done, comparisons=(replace(comparison, changes=changes),))


PARTNER = FindingRef("1.9", "1.9.1", "LCC-1")


def test_what_is_counted_with_another_finding_and_what_is_new_in_it_is_named() -> None:
    done = change_first(
        reading(make_cluster(), verdict=ChangeKind.MORE),
        prior=(PARTNER,),
        counted_with=(FindingRef("1", "1.1", "LCC-3"),),
        unpaired=(PointPx(1.0, 1.0),) * 4,
        seen_again=1,
        recheck=Recheck(seen=False, other_places=40, as_similar=9),
    )
    assert (
        "increased in number since 2023-02-10 (prior re-read), 4 calcifications new, not in the "
        "prior's pixels either, counted with LCC-3, 1 seen then at a second look"
    ) in line(done)
    explained = explain_change(done.comparisons[0], done.comparisons[0].changes[0])
    assert "counted with LCC-3" in explained
    assert "the new ones not seen at a second look at the prior's pixels" in explained


def test_why_one_finding_cannot_be_compared_is_named_beside_it() -> None:
    done = change_first(
        reading(make_cluster(), verdict=ChangeKind.NOT_COMPARABLE),
        prior=(PARTNER,),
        why_not="a part of it is outside",
    )
    assert "not comparable (2023-02-10: a part of it is outside)" in line(done)


def test_a_distance_is_reported_with_its_error_and_what_it_is_inferred_from() -> None:
    placing = ZonePlacement(Zone.BED, ZoneBasis.CLIPS, 8.4, 3.2, views=2)
    assert "in the surgical bed, 8 +/- 3 mm (inferred from clips)" in line(
        reading(make_cluster(placement=placing), SURGERY)
    )


def test_what_one_view_alone_shows_over_the_bed_is_not_placed_in_it() -> None:
    placing = ZonePlacement(Zone.BED, ZoneBasis.CLIPS, 8.4, 3.2, views=1)
    assert "over the surgical bed in one view, 8 +/- 3 mm (inferred from clips)" in line(
        reading(make_cluster(placement=placing), SURGERY)
    )
    elsewhere = ZonePlacement(Zone.ELSEWHERE, ZoneBasis.CLIPS, 48.0, 3.2, views=1)
    assert "elsewhere in the treated breast, 48 +/- 3 mm" in line(
        reading(make_cluster(placement=elsewhere), SURGERY)
    )


def test_sources_that_differ_are_both_named_in_line_and_treatment() -> None:
    other = Treatment(
        Procedure.LUMPECTOMY,
        L,
        date(2024, 1, 5),
        source=TreatmentSource.HEADER,
        header_source="StudyDescription",
    )
    done = reading(make_cluster(placement=ELSEWHERE), SURGERY, other)
    assert line(done).endswith("24 or 47 months (sources differ) after surgery")
    assert list_treatment_lines(done) == (
        "R: untreated by the record",
        "L: lumpectomy 2022-01-10 (record), lumpectomy 2024-01-05 (header), "
        "24 or 47 months (sources differ) after surgery",
        "Conflict, L: lumpectomy 2022-01-10 (record) against lumpectomy 2024-01-05 (header)",
    )


def test_a_treatment_whose_side_nobody_knows_is_reported_and_decides_no_breast() -> None:
    vague = Treatment(Procedure.LUMPECTOMY, None, source=TreatmentSource.HEADER)
    assert list_treatment_lines(reading(make_cluster(), vague)) == (
        "R: treatment unknown",
        "L: treatment unknown",
        "Side not told: lumpectomy (header)",
    )
    assert list_treatment_lines(reading(make_cluster())) == ()


def test_the_legend_leaves_out_what_stands_beside_it() -> None:
    finding = make_cluster(position=UPPER_OUTER, distribution=((Distribution.GROUPED, 0.9),))
    done = reading(finding)
    assert describe_in_legend(done, done.images[0], finding) == "upper outer, grouped"


def test_the_impression_names_the_view_and_counts_what_it_does_not_list() -> None:
    findings = [make_cluster(number) for number in range(1, 15)]
    done = replace(
        make_study_reading(Outcome.FINDINGS, make_image_reading(make_header("LCC"), *findings)),
        treatments=(SURGERY,),
    )
    lines = list_impression_lines(done)
    assert lines[0] == "L CC 1: 3 calcifications"
    assert lines[12] == "2 more findings shown"
    assert lines[-1] == "L: lumpectomy 2022-01-10 (record), 47 months after surgery"
    assert all(text.isascii() for text in lines)


def test_a_lesion_is_one_line_of_all_its_views_the_one_to_look_at_first_before_the_others() -> None:
    done = make_followed_study()[0]
    lines = list_impression_lines(done)
    assert lines[0].startswith("L CC 1: ")
    assert lines[1].startswith("L CC 2, L MLO 2: ")
    # What is otherwise in the second view is not said of both.
    first, second = lines[1].split("; L MLO 2: ")
    assert "15 calcifications" in first
    assert "increased" in first
    assert "8 calcifications" in second
    assert "unchanged" in second

    described = make_described_study()[0]
    assert list_impression_lines(described) == (
        "L CC 1: 3 calcifications, punctate 44 %, fine pleomorphic 43 %, grouped",
        "R CC 1: 3 calcifications, type uncertain, grouped",
    )


def test_an_impression_has_certainty_suspicion_and_priority_with_their_names() -> None:
    described = make_described_study()[0]
    image = described.images[1]
    assert describe_with_figures(described, image, image.findings[0]) == (
        "L CC 1: L, 3 calcifications, punctate 44 %, fine pleomorphic 43 %, grouped; "
        "certainty 82, suspicion 38, priority 31"
    )
    unrated = reading(make_cluster())
    line = describe_with_figures(unrated, unrated.images[0], unrated.images[0].findings[0])
    assert line.endswith("; certainty 82, suspicion not rated")


def test_the_impression_counts_what_was_read_and_shown() -> None:
    images = (
        make_image_reading(make_header("LCC"), make_cluster(), make_cluster(2, shown=False)),
        make_refused_image(make_header("LMLO")),
    )
    reading = replace(make_study_reading(Outcome.PARTIAL, *images), missing_views=("RCC",))
    impression = describe_reading(reading)
    assert "1 image of 2 read, 1 finding shown" in impression
    assert "L MLO not read: lossy compressed, not analysed" in impression
    assert "Expected views missing: R CC" in impression
    assert "not a diagnosis" in impression
    assert impression.isascii()
