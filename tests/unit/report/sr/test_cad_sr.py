"""The CAD SR: its tree in each situation, its header, and what it refuses to be built from."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.codes import Distribution, MarkClass, Morphology, View
from secondread.errors import ReportError
from secondread.findings.finding import Finding, LeftOutInstance, StudyReading
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.encoding import encode_file
from secondread.report.result import Authorship, Occasion, ResultObject
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.header import RESULT_SERIES, build_header
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    FIRST_OCCASION,
    FOUR_VIEWS,
    MODEL,
    NODE,
    STUDY,
    UIDS,
    index_by_uid,
    make_authorship,
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_situations,
    make_study_reading,
)
from tests.worlds.builders import view_sequence

SHOWN = ProfileSettings()
ALL = ProfileSettings(findings="all")


def built(
    reading: StudyReading, sources: dict[str, Dataset], profile: ProfileSettings = SHOWN
) -> Dataset:
    return build_cad_sr(reading, sources, make_authorship(profile)).dataset


def of_one_view(*findings: Finding, **attributes: object) -> Dataset:
    ds = make_header("LCC", **attributes)
    image = make_image_reading(ds, *findings)
    return built(make_study_reading(Outcome.FINDINGS, image), index_by_uid(ds))


def items(ds: Dataset, name: str) -> Iterator[Dataset]:
    """Every content item with this concept name, depth first."""
    for item in ds.get("ContentSequence", []):
        codes = item.get("ConceptNameCodeSequence", [])
        if codes and codes[0].CodeMeaning == name:
            yield item
        yield from items(item, name)


def values(ds: Dataset, name: str) -> list[str]:
    return [item.ConceptCodeSequence[0].CodeMeaning for item in items(ds, name)]


def texts(ds: Dataset, name: str) -> list[str]:
    return [str(item.TextValue) for item in items(ds, name)]


def numbers(ds: Dataset, name: str) -> list[float]:
    return [float(i.MeasuredValueSequence[0].NumericValue) for i in items(ds, name)]


@pytest.mark.parametrize(
    ("situation", "summary", "detection", "containers", "analysis"),
    [
        ("no findings", "111241", "111222", ["111063"], "111225"),
        ("findings", "111242", "111222", ["111063"], "111225"),
        ("every image failed", "111245", "111224", ["111025"], "111225"),
        ("partial without marks", "111243", "111223", ["111063", "111025"], "111225"),
        ("partial with marks", "111244", "111223", ["111063", "111025"], "111225"),
        # That all algorithms succeeded cannot be said of an image that was read with doubts.
        ("no findings with doubts", "111243", "111222", ["111063"], "111224"),
        ("unilateral", "111242", "111222", ["111063"], "111225"),
    ],
)
def test_summaries_follow_from_what_was_read_and_found(
    situation: str, summary: str, detection: str, containers: list[str], analysis: str
) -> None:
    _, _, processing, detections, analyses = built(*make_situations()[situation]).ContentSequence
    assert processing.ConceptCodeSequence[0].CodeValue == summary
    assert detections.ConceptCodeSequence[0].CodeValue == detection
    assert [
        child.ConceptNameCodeSequence[0].CodeValue for child in detections.ContentSequence
    ] == containers
    assert analyses.ConceptCodeSequence[0].CodeValue == analysis
    assert ("ContentSequence" in analyses) is (analysis != "111225")


def test_the_library_holds_every_image_and_so_does_the_evidence() -> None:
    reading, sources = make_situations()["partial with marks"]
    ds = built(reading, sources)
    library = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in ds.ContentSequence[1].ContentSequence
    ]
    evidence = [
        reference.ReferencedSOPInstanceUID
        for series in ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    ]
    assert library == [image.mammogram.sop_instance_uid for image in reading.images]
    assert sorted(evidence) == sorted(library)


def test_a_library_entry_states_how_the_image_is_to_be_understood() -> None:
    ds = of_one_view(
        ImagerPixelSpacing=[0.1, 0.07],
        ViewCodeSequence=view_sequence(View.CC, ("399197002", "SCT")),
    )
    entry = ds.ContentSequence[1].ContentSequence[0]
    assert [item.ConceptNameCodeSequence[0].CodeMeaning for item in entry.ContentSequence] == [
        "Image Laterality",
        "Image View",
        "Patient Orientation Row",
        "Patient Orientation Column",
        "Study Date",
        "Study Time",
        "Content Date",
        "Content Time",
        "Horizontal Pixel Spacing",
        "Vertical Pixel Spacing",
        "Pixel Data Rows",
        "Pixel Data Columns",
    ]
    assert values(entry, "Image View Modifier") == ["Rolled Lateral"]
    # Between columns is the horizontal distance, and second in Imager Pixel Spacing.
    assert numbers(entry, "Horizontal Pixel Spacing") == [70.0]
    assert numbers(entry, "Vertical Pixel Spacing") == [100.0]
    assert numbers(entry, "Pixel Data Rows") == [1000]
    assert numbers(entry, "Pixel Data Columns") == [800]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        ("2026.01.05", "10:15:30", ["20260105", "101530"]),
        ("20260105", "101530.25", ["20260105", "101530.25"]),
        ("someday", "late", []),
    ],
)
def test_dates_and_times_of_an_image_are_written_in_the_form_of_today_or_not_at_all(
    day: str, time: str, expected: list[str]
) -> None:
    ds = make_header("LCC", ContentDate=day, ContentTime=time)
    reading, sources = (
        make_study_reading(Outcome.NO_FINDINGS, make_image_reading(ds)),
        index_by_uid(ds),
    )
    sr = built(reading, sources)
    written = [
        str(item.get("Date", None) or item.get("Time", None))
        for name in ("Content Date", "Content Time")
        for item in items(sr, name)
    ]
    assert written == expected
    assert [*check_cad_sr(sr), *check_against_reading(sr, reading, sources, SHOWN)] == []


def test_points_are_written_as_column_and_row_with_their_half_pixel() -> None:
    ds = of_one_view(make_cluster(at=(300.5, 420.5)))
    (center, *_) = items(ds, "Center")
    assert center.GraphicType == "POINT"
    assert list(center.GraphicData) == [300.5, 420.5]
    (outline,) = items(ds, "Outline")
    assert outline.GraphicType == "POLYLINE"
    assert list(outline.GraphicData[:2]) == list(outline.GraphicData[-2:])


def test_coordinates_refer_to_the_image_that_they_are_in() -> None:
    reading, sources = make_situations()["findings"]
    ds = built(reading, sources)
    for name in ("Center", "Outline"):
        for item in items(ds, name):
            (reference,) = item.ContentSequence
            assert reference.RelationshipType == "SELECTED FROM"
            assert list(reference.ReferencedContentItemIdentifier) == [1, 2, 2]
    entry = ds.ContentSequence[1].ContentSequence[1]
    assert values(entry, "Image Laterality") == ["Left breast"]


def test_a_cluster_has_its_calcifications_below_it() -> None:
    ds = of_one_view(make_cluster())
    finding, *members = items(ds, "Single Image Finding")
    assert finding.ConceptCodeSequence[0].CodeValue == "129769006"
    assert [m.ConceptCodeSequence[0].CodeValue for m in members] == ["129770007"] * 3
    assert {m.RelationshipType for m in members} == {"INFERRED FROM"}
    assert numbers(finding, "Number of calcifications") == [3]
    assert numbers(finding, "Certainty of Finding") == [82.2, 75.0, 75.0, 75.0]
    assert numbers(finding, "Diameter") == [0.31] * 3


def test_type_and_distribution_are_written_only_when_they_were_predicted() -> None:
    plain = of_one_view(make_cluster())
    assert not values(plain, "Calcification Type")
    assert not values(plain, "Calcification Distribution")
    described = of_one_view(
        make_cluster(
            morphology=((Morphology.AMORPHOUS, 0.6), (Morphology.ROUND, 0.3)),
            distribution=((Distribution.SEGMENTAL, 0.8),),
        )
    )
    assert values(described, "Calcification Type") == ["Amorphous calcification"]
    assert values(described, "Calcification Distribution") == [
        "Segmental calcification distribution"
    ]


def test_a_finding_names_the_algorithm_that_found_it_and_how() -> None:
    ds = of_one_view(make_cluster())
    finding = next(items(ds, "Single Image Finding"))
    own = [c for c in finding.ContentSequence if c.get("ValueType") == "TEXT"]
    names = {item.ConceptNameCodeSequence[0].CodeMeaning for item in own}
    parameters = [str(item.TextValue) for item in own if "=" in item.TextValue]
    assert names == {
        "Tracking Identifier",
        "Algorithm Name",
        "Algorithm Version",
        "Algorithm Parameters",
    }
    assert parameters == [
        f"manifest_sha256={MODEL.digest}",
        "operating_point=2",
    ]


def test_a_model_without_calibration_states_so_with_every_finding() -> None:
    ds = make_header("LCC")
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, make_cluster()))
    reading = replace(reading, model=replace(MODEL, calibrated=False))
    sr = built(reading, index_by_uid(ds))
    (finding, *_) = items(sr, "Single Image Finding")
    assert "certainty not calibrated" in texts(finding, "Algorithm Parameters")
    assert "Certainty is not calibrated" in texts(sr, "Impression Description")[0]


def test_a_finding_is_tracked_by_its_name_and_a_uid() -> None:
    ds = of_one_view(make_cluster(number=4))
    assert texts(ds, "Tracking Identifier") == ["LCC-4"]
    assert [item.UID for item in items(ds, "Tracking Unique Identifier")] == [
        UIDS.derive_tracking_uid("LCC-4")
    ]


def test_findings_that_are_not_shown_stay_out_unless_the_profile_wants_them() -> None:
    reading, sources = make_situations()["findings"]
    required = "Presentation Required: Rendering device is expected to present"
    hidden = "Not for Presentation: Rendering device expected not to present"
    assert texts(built(reading, sources), "Tracking Identifier") == ["LCC-1", "LCC-2"]
    everything = built(reading, sources, ALL)
    assert texts(everything, "Tracking Identifier") == ["LCC-1", "LCC-2", "LCC-3"]
    intents = [
        set(values(impression, "Rendering Intent"))
        for impression in items(everything, "Individual Impression/Recommendation")
    ]
    assert intents == [{required}, {required}, {hidden}]


@pytest.mark.parametrize(
    "mark_class", [MarkClass.METAL, MarkClass.VASCULAR, MarkClass.SKIN, MarkClass.BENIGN]
)
def test_what_the_second_read_sets_aside_is_no_calcification_finding(
    mark_class: MarkClass,
) -> None:
    ds = of_one_view(make_cluster(mark_class=mark_class, members=()))
    assert not list(items(ds, "Single Image Finding"))
    assert values(ds, "CAD Processing and Findings Summary") == [
        "All algorithms succeeded; without findings"
    ]


def test_a_single_calcification_is_an_individual_calcification() -> None:
    ds = of_one_view(make_cluster(mark_class=MarkClass.CALCIFICATION, members=()))
    assert values(ds, "Single Image Finding") == ["Individual Calcification"]
    assert not numbers(ds, "Number of calcifications")


def test_findings_of_an_image_that_failed_do_not_count() -> None:
    ds = make_header("LCC")
    image = make_image_reading(
        ds, make_cluster(), status=ImageStatus.FAILED, reasons=(Reason.TIME_LIMIT,)
    )
    sr = built(make_study_reading(Outcome.FAILED, image), index_by_uid(ds))
    assert not list(items(sr, "Single Image Finding"))


def test_a_refused_image_is_listed_as_failed_with_its_reason() -> None:
    reading, sources = make_situations()["partial with marks"]
    ds = built(reading, sources)
    (failed,) = items(ds, "Failed Detections")
    for performed in items(failed, "Detection Performed"):
        references = [
            list(item.ReferencedContentItemIdentifier)
            for item in performed.ContentSequence
            if "ReferencedContentItemIdentifier" in item
        ]
        assert references == [[1, 2, 3]]
        assert any(
            "R MLO" in text and "lossy compressed" in text
            for text in texts(performed, "Algorithm Parameters")
        )
    assert "R MLO not read: lossy compressed" in texts(ds, "Impression Description")[0]


@pytest.mark.parametrize("situation", ["no findings", "findings", "partial with marks"])
def test_the_gate_values_of_every_image_are_algorithm_parameters(situation: str) -> None:
    reading, sources = make_situations()[situation]
    ds = built(reading, sources)
    for detected in ("Individual Calcification", "Calcification Cluster"):
        performed = [
            item
            for item in items(ds, "Detection Performed")
            if item.ConceptCodeSequence[0].CodeMeaning == detected
        ]
        parameters = [text for item in performed for text in texts(item, "Algorithm Parameters")]
        for image in reading.images:
            of_image = [text for text in parameters if image.mammogram.sop_instance_uid in text]
            assert len(of_image) == 1
            assert of_image[0].endswith("gates: breast_area_cm2=121.5; polarity=ok")


def test_an_image_read_with_doubts_without_findings_is_told_apart_from_a_negative_one() -> None:
    reading, sources = make_situations()["no findings with doubts"]
    ds = built(reading, sources)
    (impression,) = texts(ds, "Impression Description")
    assert "R MLO read, no findings shown; with doubts: unlike the images" in impression
    assert "Some images were read with doubts" in impression
    parameters = texts(ds, "Algorithm Parameters")
    assert any("R MLO" in p and "with doubts: unlike the images" in p for p in parameters)
    assert not any("L CC" in p and "doubts" in p for p in parameters)


def test_a_point_calibrated_by_the_site_is_named_as_such() -> None:
    reading, sources = make_situations()["findings"]
    ds = built(replace(reading, model=replace(MODEL, site_exams=12)), sources)
    words = " point 2, site-calibrated on 12 exams"
    assert any(words in text for text in texts(ds, "Algorithm Parameters"))
    assert words in texts(ds, "Impression Description")[0]
    assert not any(
        "site-calibrated" in text for text in texts(built(reading, sources), "Algorithm Parameters")
    )


def test_what_was_left_out_is_named_in_words_and_is_no_evidence() -> None:
    ds = make_header("LCC")
    tomosynthesis = make_header("LMLO")
    left_out = LeftOutInstance(str(tomosynthesis.SOPInstanceUID), "LMLO", Reason.TOMOSYNTHESIS)
    reading = replace(
        make_study_reading(Outcome.NO_FINDINGS, make_image_reading(ds)), left_out=(left_out,)
    )
    sr = built(reading, index_by_uid(ds, tomosynthesis))
    assert "L MLO left out: tomosynthesis" in texts(sr, "Impression Description")[0]
    assert left_out.sop_instance_uid not in str(sr)


def test_the_header_is_that_of_an_unverified_complete_document_in_its_own_series() -> None:
    reading, sources = make_situations()["findings"]
    ds = built(reading, sources)
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.50"
    assert ds.Modality == "SR"
    assert (ds.CompletionFlag, ds.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert ds.SeriesInstanceUID == UIDS.derive_series_uid("cad-sr")
    assert ds.SeriesInstanceUID not in {s.SeriesInstanceUID for s in sources.values()}
    assert (ds.ContentDate, ds.ContentTime) == ("20261122", "100102")
    assert (ds.StudyDate, ds.AccessionNumber, ds.PatientID) == ("20260105", "A1", "P1")
    assert ds.StudyInstanceUID == STUDY
    (author,) = ds.AuthorObserverSequence
    assert (author.ObserverType, author.DeviceUID) == ("DEV", NODE.device_uid)
    assert ds.SeriesNumber >= 9000
    assert "PredecessorDocumentsSequence" not in ds


def test_a_later_revision_names_what_it_replaces_and_sorts_behind_it() -> None:
    reading, sources = make_situations()["findings"]
    second = replace(UIDS, revision=2)
    occasion = Occasion(FIRST_OCCASION.written_at, (STUDY, "1.2.3.5", "1.2.3.6"))
    first = built(reading, sources)
    ds = build_cad_sr(reading, sources, Authorship(NODE, second, occasion, SHOWN)).dataset
    (item,) = ds.PredecessorDocumentsSequence
    (series,) = item.ReferencedSeriesSequence
    (document,) = series.ReferencedSOPSequence
    assert (item.StudyInstanceUID, series.SeriesInstanceUID) == (STUDY, "1.2.3.5")
    assert document.ReferencedSOPInstanceUID == "1.2.3.6"
    assert document.PurposeOfReferenceCodeSequence[0].CodeValue == "121360"
    assert ds.SOPInstanceUID != first.SOPInstanceUID
    assert ds.SeriesNumber > first.SeriesNumber
    assert ds.SeriesDescription == "Second read: calcification CAD (research use), rev 2"


@pytest.mark.parametrize("kind", RESULT_SERIES)
def test_the_longest_description_of_a_series_fits_its_attribute(kind: ObjectKind) -> None:
    by = Authorship(
        NODE,
        replace(UIDS, revision=999),
        FIRST_OCCASION,
        ProfileSettings(series_description="S" * 21),
    )
    ds = build_header(next(iter(make_situations()["findings"][1].values())), by, kind, "study")
    assert len(ds.SeriesDescription) <= 64


def test_times_are_in_the_zone_that_the_images_state() -> None:
    ds = of_one_view(TimezoneOffsetFromUTC="-0430")
    assert (ds.ContentDate, ds.ContentTime) == ("20261122", "053102")
    assert ds.TimezoneOffsetFromUTC == "-0430"


def test_the_institution_is_the_nodes_or_else_that_of_the_images() -> None:
    ds = make_header("LCC", InstitutionName="Klinik", SpecificCharacterSet="ISO_IR 100")
    reading = make_study_reading(Outcome.NO_FINDINGS, make_image_reading(ds))
    assert built(reading, index_by_uid(ds)).InstitutionName == "Klinik"
    node = replace(NODE, institution="St\u00e4dtisches Klinikum")
    sr = build_cad_sr(
        reading, index_by_uid(ds), Authorship(node, UIDS, FIRST_OCCASION, SHOWN)
    ).dataset
    assert sr.InstitutionName == "Stadtisches Klinikum"


# The examples of PS3.5 Annex H.3.1 and others of the kind, as a scanner would send them.
NAMES = [
    ("ISO_IR 192", "Wang^XiaoDong=王^小东".encode()),
    ("ISO_IR 100", "Müller^Änne".encode("latin-1")),
    ("ISO_IR 126", "Διονυσιος".encode("iso8859-7")),
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
        b"\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    ),
]


@pytest.mark.parametrize(("character_set", "name"), NAMES, ids=[n for n, _ in NAMES])
def test_names_keep_their_bytes(character_set: str, name: bytes) -> None:
    ds = received(character_set, name)
    sr = built(
        make_study_reading(Outcome.FINDINGS, make_image_reading(ds, make_cluster())),
        index_by_uid(ds),
    )
    data = encode_file(sr)
    assert name in data
    written = pydicom.dcmread(BytesIO(data))
    assert written["SpecificCharacterSet"].value == ds["SpecificCharacterSet"].value
    assert written.PatientName == ds.PatientName
    assert written.get("StudyDescription") == ds.get("StudyDescription")


def received(character_set: str, name: bytes) -> Dataset:
    """A header as it is read from a file with this character set."""
    ds = make_header("LCC")
    ds.SpecificCharacterSet = character_set.split("\\")
    placeholder = b"N" * (len(name) + len(name) % 2)
    ds.PatientName = placeholder.decode()
    data = encode_file(ds)
    assert data.count(placeholder) == 1
    return pydicom.dcmread(BytesIO(data.replace(placeholder, name.ljust(len(placeholder)))))


def test_every_text_is_ascii_though_names_and_details_are_not() -> None:
    ds = make_header("LCC", SpecificCharacterSet="ISO_IR 192", PatientName="Größe^王")
    reasons = (Reason.PIXELS_UNREADABLE,)
    image = make_image_reading(
        ds, status=ImageStatus.FAILED, reasons=reasons, detail="Datei \u2018x\u2019"
    )
    node = replace(NODE, institution="São João", station_name="Røntgen")
    sr = build_cad_sr(
        make_study_reading(Outcome.FAILED, image),
        index_by_uid(ds),
        Authorship(node, UIDS, FIRST_OCCASION, SHOWN),
    ).dataset
    del sr.PatientName
    for element in sr.iterall():
        assert str(element.value).isascii(), element


def test_srt_reaches_every_snomed_code() -> None:
    reading, sources = make_situations()["findings"]
    ds = built(reading, sources, ProfileSettings(snomed_codes="SRT", findings="all"))
    schemes = {
        element.value for element in ds.iterall() if element.keyword == "CodingSchemeDesignator"
    }
    assert schemes == {"DCM", "SRT", "UCUM", "RFC5646"}


def test_the_same_reading_gives_the_same_bytes() -> None:
    first, second = (encode_file(built(*make_situations()["partial with marks"])) for _ in range(2))
    assert first == second


def test_headers_are_not_changed() -> None:
    reading, sources = make_situations()["findings"]
    before = {uid: ds.to_json() for uid, ds in sources.items()}
    built(reading, sources, ProfileSettings(snomed_codes="SRT"))
    assert {uid: ds.to_json() for uid, ds in sources.items()} == before


def test_a_for_processing_image_that_was_read_is_the_one_cited() -> None:
    processing = "1.2.840.10008.5.1.4.1.1.1.2.1"
    ds = of_one_view(
        make_cluster(), SOPClassUID=processing, PresentationIntentType="FOR PROCESSING"
    )
    (entry,) = ds.ContentSequence[1].ContentSequence
    assert entry.ReferencedSOPSequence[0].ReferencedSOPClassUID == processing


def test_an_image_without_spacing_has_no_millimeters() -> None:
    ds = of_one_view(make_cluster(), ImagerPixelSpacing=None)
    assert not numbers(ds, "Horizontal Pixel Spacing")
    assert not numbers(ds, "Diameter")
    assert numbers(ds, "Number of calcifications") == [3]


OUTSIDE = PointPx(800.5, 10.0)


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (make_cluster(center=OUTSIDE), "outside the image of 800 columns, 1000 rows"),
        (make_cluster(outline=(PointPx(1, 1), OUTSIDE, PointPx(2, 9), PointPx(1, 1))), "outside"),
        (make_cluster(outline=(PointPx(1, 1), PointPx(9, 1), PointPx(5, 9))), "not closed"),
        (
            make_cluster(outline=(PointPx(1, 1), PointPx(9, 1), PointPx(5, 9), PointPx(2, 2))),
            "closed",
        ),
        (make_cluster(certainty=100.5), "between 0 and 100"),
        (make_cluster(certainty=float("nan")), "between 0 and 100"),
    ],
)
def test_a_finding_that_cannot_be_right_is_refused(finding: Finding, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        of_one_view(finding)


def test_a_calcification_outside_its_image_is_refused() -> None:
    member = replace(make_cluster().members[0], center=PointPx(5, 1000.5))
    with pytest.raises(ReportError, match=r"LCC-1: .* is outside the image"):
        of_one_view(make_cluster(members=(member,)))


def test_points_on_the_border_are_inside() -> None:
    corners = [PointPx(0, 0), PointPx(800, 0), PointPx(800, 1000), PointPx(0, 0)]
    ds = of_one_view(make_cluster(outline=tuple(corners)))
    (outline,) = items(ds, "Outline")
    assert list(outline.GraphicData[2:6]) == [800, 0, 800, 1000]


def test_an_empty_library_is_refused() -> None:
    ds = make_header("LCC")
    with pytest.raises(ReportError, match="library"):
        built(make_study_reading(Outcome.FAILED), index_by_uid(ds))


def test_an_image_without_header_is_refused() -> None:
    with pytest.raises(ReportError, match="no header for image"):
        built(make_study_reading(Outcome.NO_FINDINGS, make_image_reading(make_header("LCC"))), {})


def test_the_result_is_about_the_study() -> None:
    reading, sources = make_situations()["findings"]
    result: ResultObject = build_cad_sr(reading, sources, make_authorship(SHOWN))
    assert (result.kind.value, result.index, result.source_uid) == ("cad-sr", 0, None)
    assert result.dataset.file_meta.MediaStorageSOPInstanceUID == result.sop_instance_uid


def test_every_view_of_a_study_may_be_refused() -> None:
    headers = [make_header(label) for label in FOUR_VIEWS]
    reading = make_study_reading(
        Outcome.FAILED, *(make_refused_image(ds, Reason.IMPLANT) for ds in headers)
    )
    impression = texts(built(reading, index_by_uid(*headers)), "Impression Description")[0]
    assert impression.count("an implant is present") == 4


def test_an_aware_instant_of_another_zone_is_written_as_it_is() -> None:
    at = datetime.fromisoformat("2026-11-22T23:30:00+09:00")
    reading, sources = make_situations()["findings"]
    ds = build_cad_sr(reading, sources, Authorship(NODE, UIDS, Occasion(at, None), SHOWN)).dataset
    assert (ds.ContentDate, ds.ContentTime) == ("20261122", "233000")


@pytest.mark.parametrize("size", [{"Rows": 0}, {"Columns": 0}, {"Rows": None, "Columns": None}])
def test_an_image_without_pixels_is_listed_without_its_size(size: dict[str, object]) -> None:
    ds = make_header("LCC", **size)
    reading = make_study_reading(
        Outcome.FAILED, make_refused_image(ds, Reason.PIXELS_UNREADABLE), reasons=()
    )
    report = built(reading, index_by_uid(ds))
    assert not list(items(report, "Pixel Data Rows"))
    assert not list(items(report, "Pixel Data Columns"))
    assert check_cad_sr(report) == []
    assert check_against_reading(report, reading, index_by_uid(ds), SHOWN) == []
