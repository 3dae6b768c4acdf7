"""The measurement report: what each group holds, and that it can be made of any reading."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from highdicom import sr
from pydicom.dataset import Dataset

from secondread.codes import Change, Distribution, Morphology
from secondread.findings.finding import LeftOutInstance, StudyReading
from secondread.findings.treatment import Zone, ZoneBasis, ZonePlacement
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.result import Authorship
from secondread.report.sr.own_codes import LESION, SCHEME, list_own_codes
from secondread.report.sr.tid1500 import build_measurement_report
from secondread.settings import ProfileSettings
from tests.unit.report.followed import make_described_study
from tests.unit.report.readings import (
    FIRST_OCCASION,
    NODE,
    STUDY,
    UIDS,
    index_by_uid,
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_situations,
    make_study_reading,
)

BY = Authorship(NODE, UIDS, FIRST_OCCASION, ProfileSettings())
DESCRIBED = make_cluster(
    suspicion=29.4,
    morphology=((Morphology.FINE_PLEOMORPHIC, 0.7), (Morphology.PUNCTATE, 0.2)),
    distribution=((Distribution.GROUPED, 0.9),),
    change=Change.MORE,
    placement=ZonePlacement(Zone.NEAR, ZoneBasis.CLIPS, 20.0, 3.0),
    lesion_uid="2.25.7",
)


def report(reading: StudyReading, sources: dict[str, Dataset], by: Authorship = BY) -> Dataset:
    result = build_measurement_report(reading, sources, by)
    assert result is not None
    return result.dataset


def groups(ds: Dataset) -> list[Dataset]:
    (container,) = [i for i in ds.ContentSequence if name_of(i) == "Imaging Measurements"]
    return list(container.ContentSequence)


def name_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def read_group(group: Dataset) -> dict[str, str]:
    """The values of a group by concept: codes by meaning, numbers and texts."""
    return dict(_read_items(group))


def _read_items(group: Dataset) -> Iterator[tuple[str, str]]:
    for item in group.ContentSequence:
        if item.ValueType == "CODE":
            yield name_of(item), str(item.ConceptCodeSequence[0].CodeMeaning)
        elif item.ValueType == "NUM":
            yield name_of(item), str(item.MeasuredValueSequence[0].NumericValue)
        elif item.ValueType in {"TEXT", "UIDREF"}:
            yield name_of(item), str(item.get("TextValue") or item.get("UID"))


def described() -> Dataset:
    ds = make_header("LCC")
    return report(
        make_study_reading(Outcome.FINDINGS, make_image_reading(ds, DESCRIBED)), index_by_uid(ds)
    )


def test_a_finding_is_reported_in_full() -> None:
    group, _ = groups(described())
    values = read_group(group)
    assert values.pop("Comment").startswith("1: L, 3 calcifications, fine pleomorphic")
    assert values.pop("Tracking Unique Identifier").startswith("2.25.")
    assert values == {
        "Tracking Identifier": "LCC-1",
        "Unique identifier of the lesion over all exams": "2.25.7",
        "Finding": "Calcification Cluster",
        "Finding Site": "Breast",
        "Algorithm Name": "calcification",
        "Algorithm Version": "2026.1",
        "Algorithm Parameters": "certainty calibrated",
        "Algorithm Family": "Artificial Intelligence",
        "Certainty of Finding": "82.2",
        "Suspicion index": "29.4",
        "Priority": "24.2",
        "Number of calcifications": "3.0",
        "Long Axis": "3.1",
        "Calcification Type": "Fine pleomorphic calcification",
        "Calcification Distribution": "Grouped calcification distribution",
        "Differential Diagnosis/Impression": "Increase in number of calcifications",
        "Place relative to the treated site": "near the surgical bed",
    }


def test_the_side_qualifies_the_finding_site() -> None:
    group, _ = groups(described())
    (site,) = [i for i in group.ContentSequence if name_of(i) == "Finding Site"]
    assert site.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Left"


def test_an_outline_cites_its_image_by_value() -> None:
    group, _ = groups(described())
    (region,) = [i for i in group.ContentSequence if i.ValueType == "SCOORD"]
    assert region.GraphicType == "POLYLINE"
    assert len(region.GraphicData) == 2 * len(DESCRIBED.outline)
    (image,) = region.ContentSequence
    assert image.RelationshipType == "SELECTED FROM"
    cited = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert cited == make_header("LCC").SOPInstanceUID


def test_a_lesion_of_two_views_has_one_identifier_and_two_tracking_uids() -> None:
    views = [make_header("LCC"), make_header("LMLO")]
    reading = make_study_reading(
        Outcome.FINDINGS,
        *(
            make_image_reading(ds, replace(DESCRIBED, id=f"{view}-1"))
            for view, ds in zip(("LCC", "LMLO"), views, strict=True)
        ),
    )
    values = [read_group(group) for group in groups(report(reading, index_by_uid(*views)))]
    of_findings = [group for group in values if "Finding" in group]
    assert [group["Tracking Identifier"] for group in of_findings] == ["LCC-1", "LMLO-1"]
    assert {group[LESION.meaning] for group in of_findings} == {"2.25.7"}
    assert len({group["Tracking Unique Identifier"] for group in values}) == len(values) == 4


def test_an_unrated_finding_has_no_suspicion() -> None:
    ds = make_header("LCC")
    group, _ = groups(
        report(
            make_study_reading(Outcome.FINDINGS, make_image_reading(ds, make_cluster())),
            index_by_uid(ds),
        )
    )
    assert not {"Suspicion index", "Priority"} & read_group(group).keys()


def test_groups_come_by_priority_and_one_type_has_a_code_where_it_is_certain() -> None:
    first, second, *_ = map(read_group, groups(report(*make_described_study())))
    assert (first["Tracking Identifier"], second["Tracking Identifier"]) == ("LCC-1", "RCC-1")
    assert first["Calcification Type"] == "Punctate calcification"
    assert "punctate 44 %, fine pleomorphic 43 %" in first["Comment"]
    assert "Calcification Type" not in second
    assert "type uncertain" in second["Comment"]


def test_without_a_spacing_nothing_is_measured() -> None:
    ds = make_header("LCC", ImagerPixelSpacing=None)
    group, _ = groups(
        report(
            make_study_reading(Outcome.FINDINGS, make_image_reading(ds, make_cluster())),
            index_by_uid(ds),
        )
    )
    assert "Long Axis" not in read_group(group)


def test_what_is_not_shown_is_there_only_where_all_is_wanted_and_marked_so() -> None:
    ds = make_header("LCC")
    reading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(ds, make_cluster(), make_cluster(2, shown=False))
    )
    everything = replace(BY, profile=ProfileSettings(findings="all"))
    assert len(groups(report(reading, index_by_uid(ds)))) == 2
    shown, hidden, _ = groups(report(reading, index_by_uid(ds), everything))
    assert read_group(shown)["Rendering Intent"].startswith("Presentation Required")
    assert read_group(hidden)["Rendering Intent"].startswith("Not for Presentation")


def test_each_image_has_its_status_and_every_reason_as_a_code() -> None:
    images = [make_header("LCC"), make_header("LMLO")]
    reading = make_study_reading(
        Outcome.PARTIAL,
        make_image_reading(images[0], status=ImageStatus.FLAGGED, reasons=(Reason.EIGHT_BITS,)),
        make_refused_image(images[1]),
        reasons=(Reason.SOME_IMAGES_REFUSED,),
    )
    ds = report(reading, index_by_uid(*images))
    first, second = groups(ds)
    assert (read_group(first)["Status of the image"], read_group(first)["Reason"]) == (
        "read with doubts",
        "only 8 bits are stored",
    )
    assert (read_group(second)["Status of the image"], read_group(second)["Reason"]) == (
        "not read",
        "lossy compressed, not analysed",
    )
    (whole,) = [i for i in ds.ContentSequence if name_of(i) == "Qualitative Evaluations"]
    assert read_group(whole)["Outcome of the reading"] == "partly read"
    assert read_group(whole)["Reason"] == "some images of the study could not be read"


def test_the_disclaimer_is_in_the_report() -> None:
    (whole,) = [i for i in described().ContentSequence if name_of(i) == "Qualitative Evaluations"]
    texts = [item.TextValue for item in whole.ContentSequence if item.ValueType == "TEXT"]
    assert texts[0].startswith("NOT FOR DIAGNOSIS")


def test_what_was_left_out_is_named_with_its_reason() -> None:
    ds = make_header("LCC", SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3", NumberOfFrames=40)
    reading = replace(
        make_study_reading(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,)),
        left_out=(LeftOutInstance(str(ds.SOPInstanceUID), "LCC", Reason.TOMOSYNTHESIS),),
    )
    (group,) = groups(report(reading, index_by_uid(ds)))
    assert read_group(group)["Reason"] == "tomosynthesis is outside the detector's scope"


def test_without_an_instance_there_is_no_report() -> None:
    reading = make_study_reading(Outcome.FAILED, reasons=(Reason.READING_FAILED,))
    sources = index_by_uid(make_header("LCC"))
    assert build_measurement_report(reading, sources, BY) is None


def test_the_private_scheme_is_identified_and_its_codes_are_distinct_and_short_enough() -> None:
    (scheme,) = described().CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == SCHEME
    for codes in list_own_codes().values():
        assert len({code.value for code in codes}) == len(codes)
        assert all(len(code.meaning) <= 64 and code.meaning.isascii() for code in codes)


def test_a_revision_names_the_report_that_it_replaces() -> None:
    by = replace(
        BY, occasion=replace(FIRST_OCCASION, predecessor_measurements=(STUDY, "1.2.3", "1.2.4"))
    )
    ds = report(*make_situations()["findings"], by)
    (before,) = ds.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert before.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.4"
    assert "PredecessorDocumentsSequence" not in described()


@pytest.mark.parametrize("name", make_situations())
def test_every_situation_has_a_report_that_highdicom_reads(name: str) -> None:
    ds = report(*make_situations()[name])
    evidence = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert sum(len(series.ReferencedSOPSequence) for series in evidence) >= 1
    content = sr.ComprehensiveSR.from_dataset(ds).content
    assert isinstance(content, sr.MeasurementReport)
    measured = content.get_planar_roi_measurement_groups()
    shown = [f for image in make_situations()[name][0].images for f in image.shown_findings]
    assert len(measured) == len(shown)
