"""A followed-up study as CAD SR: composite features, changes, analyses, operating points."""

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from secondread.codes import Change, Code
from secondread.findings.changes import ChangeKind, MeasuredDifference
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report import concepts
from secondread.report.readback.content import Content, ContentTree
from secondread.report.sr.algorithms import combine_successes
from secondread.report.sr.analyses import list_analyses
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.operating_points import choose_rendering, rank_points
from secondread.report.sr.report_contents import gather_contents
from secondread.settings import ProfileSettings
from tests.unit.report.followed import (
    POINTED,
    POINTS,
    make_described_study,
    make_followed_study,
    make_mixed_study,
)
from tests.unit.report.readings import (
    make_authorship,
    make_cluster,
    make_situations,
)

SHOWN = ProfileSettings()
ALL = ProfileSettings(findings="all")
C = concepts


def document(
    reading: StudyReading, sources: dict[str, Dataset], profile: ProfileSettings = SHOWN
) -> Content:
    return ContentTree(build_cad_sr(reading, sources, make_authorship(profile)).dataset).root


def below(content: Content, concept: Code) -> list[Content]:
    own = [child for child in content.children if child.is_named(concept)]
    return own + [item for child in content.children for item in below(child, concept)]


def values(content: Content, concept: Code) -> list[str]:
    return [item.code.meaning for item in below(content, concept) if item.code is not None]


def texts(content: Content, concept: Code) -> list[str]:
    return [item.text for item in below(content, concept)]


@pytest.fixture(scope="module")
def root() -> Content:
    return document(*make_followed_study())


def impression_of(root: Content, name: str) -> Content:
    return next(
        item
        for item in below(root, C.INDIVIDUAL_IMPRESSION)
        if name in texts(item, C.TRACKING_IDENTIFIER)
    )


def test_priors_stand_in_the_library_behind_the_images_and_in_other_evidence() -> None:
    reading, sources = make_followed_study()
    ds = build_cad_sr(reading, sources, make_authorship(SHOWN)).dataset
    evidence = {
        keyword: [
            reference.ReferencedSOPInstanceUID
            for study in ds[keyword].value
            for series in study.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        ]
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        )
    }
    current, prior = evidence.values()
    assert current == [image.mammogram.sop_instance_uid for image in reading.images]
    assert prior == [image.mammogram.sop_instance_uid for image in reading.prior_readings[0].images]
    (library,) = ContentTree(ds).root.find_children(C.IMAGE_LIBRARY)
    referenced = [entry.reference[1] for entry in library.children if entry.reference is not None]
    assert referenced == [*current, *prior]


def test_a_cluster_in_both_views_is_one_feature_of_what_it_was_in_each(root: Content) -> None:
    impression = impression_of(root, "LCC-2+LMLO-2")
    (over_views,) = impression.find_children(C.COMPOSITE_FEATURE)
    over_time = list(over_views.find_children(C.COMPOSITE_FEATURE))
    assert values(over_views, C.COMPOSITE_TYPE) == [
        "Target Content Items are related spatially",
        "Target Content Items are related temporally",
        "Target Content Items are related temporally",
    ]
    assert {item.relation for item in over_time} == {"INFERRED FROM"}
    names = [
        [
            finding.find_child(C.TRACKING_IDENTIFIER)
            for finding in item.find_children(C.SINGLE_IMAGE_FINDING)
        ]
        for item in over_time
    ]
    assert [[item.text for item in items if item is not None] for items in names] == [
        ["LCC-2", "20250105 LCC-1"],
        ["LMLO-2", "20250105 LMLO-3"],
    ]
    assert values(over_views, C.CLOCK_FACE) == ["2 o'clock position"]
    # What the prior showed is presented with it.
    required = "Presentation Required: Rendering device is expected to present"
    assert set(values(impression, C.RENDERING_INTENT)) == {required}


def test_a_lesion_has_one_tracking_uid_in_all_its_images(root: Content) -> None:
    impression = impression_of(root, "LCC-2+LMLO-2")
    assert len(set(texts(impression, C.TRACKING_UID))) == 1
    assert texts(impression, C.TRACKING_UID)[0] not in texts(
        impression_of(root, "LCC-1"), C.TRACKING_UID
    )


def test_the_lesion_that_the_node_knows_it_as_is_its_tracking_uid() -> None:
    reading, sources = make_followed_study()
    images = tuple(
        replace(image, findings=tuple(replace(f, lesion_uid="2.25.5") for f in image.findings))
        for image in reading.images
    )
    root = document(replace(reading, images=images), sources)
    assert set(texts(impression_of(root, "LCC-2+LMLO-2"), C.TRACKING_UID)) == {"2.25.5"}


def test_the_difference_in_number_is_that_of_both_counts_the_current_first(root: Content) -> None:
    (difference, _) = below(root, Code("129810007", "SCT", ""))
    items = {item.position: item for item in _all(root)}
    counts = [items[item.target] for item in difference.children if item.target is not None]
    assert [item.number for item in counts] == [15, 8]
    assert difference.number == 7


def _all(content: Content) -> list[Content]:
    return [content, *(item for child in content.children for item in _all(child))]


def test_words_for_changes_are_in_the_impressions(root: Content) -> None:
    changes = {
        texts(item, C.TRACKING_IDENTIFIER)[0]: values(item, C.IMPRESSION)
        for item in below(root, C.INDIVIDUAL_IMPRESSION)
    }
    assert changes == {
        "LCC-1": ["New finding"],
        "LCC-2+LMLO-2": [
            "Increase in number of calcifications",
            "No significant changes in the finding",
        ],
        # CID 6003 has no code for it.
        "20250105 LCC-2": [],
    }


def test_a_new_finding_is_no_composite_feature(root: Content) -> None:
    impression = impression_of(root, "LCC-1")
    assert not list(impression.find_children(C.COMPOSITE_FEATURE))
    assert len(list(impression.find_children(C.SINGLE_IMAGE_FINDING))) == 1


def test_what_is_gone_is_reported_in_words_and_is_not_for_presentation(root: Content) -> None:
    impression = impression_of(root, "20250105 LCC-2")
    assert texts(impression, C.IMPRESSION_DESCRIPTION) == [
        "L CC of the prior of 2025-01-05, cluster 2 of 8 calcifications: gone (prior re-read)"
    ]
    assert set(values(impression, C.RENDERING_INTENT)) == {
        "Not for Presentation: Rendering device expected not to present"
    }
    assert "cluster 2 of 8 calcifications: gone" in texts(root, C.IMPRESSION_DESCRIPTION)[0]


@pytest.mark.parametrize(
    ("kind", "number", "why", "words"),
    [
        pytest.param(
            ChangeKind.NOT_COMPARABLE,
            None,
            "its place was lost",
            "of 8 calcifications: not comparable, its place was lost",
            id="why it is not known to be gone",
        ),
        pytest.param(
            ChangeKind.GONE,
            MeasuredDifference(0, 5, 3, 7),
            "",
            "of 5 calcifications: gone",
            id="as many as were counted for that",
        ),
    ],
)
def test_what_is_missing_is_described_as_it_was_compared(
    kind: ChangeKind, number: MeasuredDifference | None, why: str, words: str
) -> None:
    reading, headers = make_followed_study()
    (comparison,) = reading.comparisons
    changes = tuple(
        replace(change, kind=kind, number=number, why_not=why) if change.current is None else change
        for change in comparison.changes
    )
    changed = replace(reading, comparisons=(replace(comparison, changes=changes),))

    impression = impression_of(document(changed, headers), "20250105 LCC-2")

    assert texts(impression, C.IMPRESSION_DESCRIPTION) == [
        f"L CC of the prior of 2025-01-05, cluster 2 {words} (prior re-read)"
    ]


def test_an_impression_is_also_said_in_a_line_with_its_figures(root: Content) -> None:
    (line,) = texts(impression_of(root, "LCC-1"), C.IMPRESSION_DESCRIPTION)
    assert line.startswith("L CC 1: L")
    assert "NEW since 2025-01-05 (prior re-read)" in line
    assert "certainty" in line
    assert "suspicion" in line


def test_impressions_come_by_priority_over_both_breasts() -> None:
    root = document(*make_described_study())
    assert texts(root, C.TRACKING_IDENTIFIER) == ["LCC-1", "RCC-1"]


def test_one_type_has_a_code_and_what_is_uncertain_has_none() -> None:
    root = document(*make_described_study())
    unsure, uncertain = below(root, C.INDIVIDUAL_IMPRESSION)
    assert values(unsure, C.CALCIFICATION_TYPE) == ["Punctate calcification"]
    assert values(uncertain, C.CALCIFICATION_TYPE) == []
    (line,) = texts(unsure, C.IMPRESSION_DESCRIPTION)
    assert "punctate 44 %, fine pleomorphic 43 %" in line
    (line,) = texts(uncertain, C.IMPRESSION_DESCRIPTION)
    assert "type uncertain" in line


def test_priors_are_among_what_was_detected_on_and_compared(root: Content) -> None:
    for concept in (C.DETECTION_PERFORMED, C.ANALYSIS_PERFORMED):
        performed = below(root, concept)[0]
        targets = {item.target for item in performed.children if item.target is not None}
        assert targets == {(1, 2, number) for number in (1, 2, 3, 4)}
    assert values(root, C.ANALYSIS_SUMMARY) == ["Succeeded"]
    assert values(root, C.ANALYSIS_PERFORMED) == [
        "Temporal correlation",
        "Spatial collocation analysis",
    ]


def test_calcifications_are_left_out_where_the_profile_wants_none() -> None:
    profile = ProfileSettings(individual_calcifications=False)
    root = document(*make_followed_study(), profile)
    assert "Individual Calcification" not in values(root, C.SINGLE_IMAGE_FINDING)
    assert below(root, C.NUMBER_OF_CALCIFICATIONS)[0].number == 6


def not_compared(why: str) -> StudyReading:
    """The same study where no image could be laid on the prior's."""
    reading = make_followed_study()[0]
    (comparison,) = reading.comparisons
    views = tuple(replace(view, why_not=why, error_mm=None) for view in comparison.views)
    changes = tuple(
        replace(change, kind=ChangeKind.NOT_COMPARABLE, prior=())
        for change in comparison.changes
        if change.current is not None
    )
    images = tuple(
        replace(image, findings=tuple(replace(f, change=None) for f in image.findings))
        for image in reading.images
    )
    failed = replace(comparison, views=views, changes=changes)
    return replace(reading, images=images, comparisons=(failed,))


def test_a_comparison_that_failed_is_a_failed_analysis_with_its_reason() -> None:
    root = document(
        not_compared("the images could not be laid on each other"), make_followed_study()[1]
    )
    assert values(root, C.ANALYSIS_SUMMARY) == ["Partially Succeeded"]
    (failed,) = below(root, C.FAILED_ANALYSES)
    assert values(failed, C.ANALYSIS_PERFORMED) == ["Temporal correlation"]
    assert any("could not be laid" in item for item in texts(failed, C.ALGORITHM_PARAMETERS))
    assert values(root, C.PROCESSING_SUMMARY) == ["Not all algorithms succeeded; with findings"]


def status(reading: StudyReading) -> str:
    uids = [image.mammogram.sop_instance_uid for image in reading.images]
    analyses = list_analyses(gather_contents(reading, SHOWN), uids)
    return combine_successes(analysis.succeeded for analysis in analyses).name


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.PRIOR_TIMED_OUT, "FAILED"),
        (Reason.PRIOR_QUERY_FAILED, "FAILED"),
        (Reason.PRIOR_NOT_COMPARABLE, "FAILED"),
        (Reason.PRIOR_NOT_FOUND, "NOT_ATTEMPTED"),
        (Reason.PRIORS_OFF, "NOT_ATTEMPTED"),
        (Reason.PRIOR_OUT_OF_SCOPE, "NOT_ATTEMPTED"),
    ],
)
def test_a_prior_that_was_wanted_and_not_had_is_a_failed_analysis(
    reason: Reason, expected: str
) -> None:
    reading = replace(make_situations()["no findings"][0], reasons=(Reason.NO_COMPARISON, reason))
    assert status(reading) == expected


def test_a_prior_without_the_view_is_no_failure() -> None:
    reading = make_followed_study()[0]
    (comparison,) = reading.comparisons
    views = tuple(
        replace(view, prior_sop_instance_uid=None, why_not="the prior has no image of this view")
        for view in comparison.views
    )
    bare = replace(reading, comparisons=(replace(comparison, views=views, changes=()),))
    analyses = list_analyses(gather_contents(bare, SHOWN), ())
    assert not any("TEMPORAL" in analysis.analysis.name for analysis in analyses)


def test_a_prior_that_is_known_and_lost_is_reported_with_its_day() -> None:
    reading = make_situations()["no findings"][0]
    day = reading.images[0].mammogram.study_date
    prior = PriorStudy("1.2.9", day, compared=False, reason=Reason.PRIOR_FILES_LOST)
    contents = gather_contents(replace(reading, priors=(prior,)), SHOWN)
    (analysis,) = list_analyses(contents, ())
    assert analysis.remarks == ("prior of 2026-01-05: the files of the prior cannot be read",)


def test_of_a_study_that_was_not_read_nothing_is_analyzed() -> None:
    reading = replace(make_situations()["every image failed"][0], reasons=(Reason.PRIOR_TIMED_OUT,))
    assert status(reading) == "NOT_ATTEMPTED"


def test_of_two_priors_what_a_cluster_was_in_each_is_part_of_its_feature() -> None:
    reading = make_followed_study()[0]
    (earlier,) = reading.prior_readings
    (comparison,) = reading.comparisons
    images = tuple(
        replace(
            image,
            mammogram=replace(
                image.mammogram,
                study_uid="1.2.8",
                sop_instance_uid=f"1.2.8.{number}",
            ),
        )
        for number, image in enumerate(earlier.images)
    )
    older = replace(earlier, study_uid="1.2.8", images=images)
    uids = {
        image.mammogram.sop_instance_uid: f"1.2.8.{number}"
        for number, image in enumerate(earlier.images)
    }
    changes = tuple(
        replace(
            change,
            prior=tuple(
                replace(ref, study_uid="1.2.8", sop_instance_uid=uids[ref.sop_instance_uid])
                for ref in change.prior
            ),
        )
        for change in comparison.changes
    )
    second = replace(comparison, prior_study_uid="1.2.8", changes=changes)
    both = replace(reading, prior_readings=(earlier, older), comparisons=(comparison, second))

    contents = gather_contents(both, SHOWN)

    grown = next(lesion for lesion in contents.lesions if lesion.pair is not None)
    assert [len(view.prior) for view in grown.views] == [2, 2]
    assert grown.changes == (Change.MORE, Change.UNCHANGED)
    # What the older prior showed and the nearer item did not was missed then already.
    (missing,) = contents.missing
    assert missing.comparison.prior_study_uid == comparison.prior_study_uid


def test_marks_that_a_more_sensitive_point_shows_are_optional_with_its_rank() -> None:
    points = rank_points(POINTED, include_all=True)
    assert [point.name for point in points] == ["standard", "sensitive"]
    intents = [
        (how.intent.name, how.rank)
        for how in (
            choose_rendering(make_cluster(), points),
            choose_rendering(make_cluster(shown=False, certainty=35.0), points),
            choose_rendering(make_cluster(shown=False, certainty=5.0), points),
        )
    ]
    assert intents == [("REQUIRED", 0), ("OPTIONAL", 1), ("NOT", 0)]


def test_the_table_of_operating_points_states_their_false_marks() -> None:
    root = document(*make_mixed_study(), ALL)
    table = below(root, C.OPERATING_POINT_TABLE)[0]
    rows = list(table.find_children(C.CAD_OPERATING_POINT))
    assert [row.number for row in rows] == [0, 1]
    false_marks = Code("111086", "DCM", "")
    assert [below(row, false_marks)[0].number for row in rows] == [
        point.false_marks_per_image for point in POINTS
    ]
    assert values(table, C.X_CONCEPT) == ["False Markers per Image"]


def test_a_report_of_shown_marks_states_the_point_in_force_alone() -> None:
    root = document(*make_mixed_study())
    assert [item.number for item in below(root, C.MAXIMUM_OPERATING_POINT)] == [0, 0]
    assert not below(root, C.RENDERING_INTENT)[0].children


def test_a_doubt_that_the_standard_has_a_word_for_is_an_image_quality_finding() -> None:
    root = document(*make_mixed_study())
    assert values(root, C.QUALITY_FINDING) == ["Over exposed"]
    (item,) = (
        item
        for item in below(root, C.SINGLE_IMAGE_FINDING)
        if item.code is not None and item.code.value == "111101"
    )
    assert [item.target for item in item.children if item.target is not None] == [(1, 2, 3)]
    assert "Image Quality" in values(root, C.DETECTION_PERFORMED)


def test_a_quality_alone_is_reported_in_words_and_makes_no_finding() -> None:
    reading, sources = make_mixed_study()
    bare = tuple(replace(image, findings=()) for image in reading.images)
    root = document(replace(reading, images=bare), sources)
    assert not below(root, C.SINGLE_IMAGE_FINDING)
    assert values(root, C.PROCESSING_SUMMARY) == ["Not all algorithms succeeded; without findings"]
    assert "a saturated area" in texts(root, C.IMPRESSION_DESCRIPTION)[0]


def test_doubts_are_an_image_quality_analysis_that_failed() -> None:
    reading, sources = make_situations()["no findings with doubts"]
    root = document(reading, sources)
    (failed,) = below(root, C.FAILED_ANALYSES)
    assert values(failed, C.ANALYSIS_PERFORMED) == ["Image quality analysis"]
    assert [c.target for c in below(failed, C.ANALYSIS_PERFORMED)[0].children if c.target] == [
        (1, 2, 3)
    ]


def test_outcomes_stay_what_they_were() -> None:
    reading, _ = make_followed_study()
    assert reading.outcome is Outcome.FINDINGS
    assert all(image.status is ImageStatus.READ for image in reading.images)
