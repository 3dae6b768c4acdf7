"""CAD SRs read back: ours whole, those of other makers as far as they go."""

import contextlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from secondread.codes import (
    Change,
    Code,
    Distribution,
    FindingType,
    Laterality,
    MarkClass,
    Morphology,
    ProcessingSummary,
    RenderingIntent,
    ResultStatus,
    View,
)
from secondread.errors import InputError
from secondread.findings.cad_report import CadFinding, CadReport, ReportOrigin
from secondread.findings.finding import Calcification, Finding, StudyReading
from secondread.geometry import PointPx, SpacingMm, padded_hull
from secondread.reasons import Outcome
from secondread.report.encoding import encode_file
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.content import ContentError
from secondread.report.readback.reported_reading import rebuild_reading
from secondread.report.result import Authorship
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.settings import ProfileSettings
from tests.unit.report.readings import (
    FIRST_OCCASION,
    MODEL,
    NODE,
    STUDY,
    UIDS,
    index_by_uid,
    make_authorship,
    make_cluster,
    make_header,
    make_image_reading,
    make_situations,
    make_study_reading,
)
from tests.worlds.foreign_cad import CENTER, MASS, ODD, OUTLINE, code, foreign, item, mark, shape

SPACING = SpacingMm(0.07, 0.07)
ALL = ProfileSettings(findings="all")


def build_document(
    reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings = ALL
) -> Dataset:
    """Return the CAD SR of a reading as another program gets it: from its bytes."""
    done = build_cad_sr(reading, sources, make_authorship(profile))
    return pydicom.dcmread(io.BytesIO(encode_file(done.dataset)))


def build_one_view(*findings: Finding, profile: ProfileSettings = ALL) -> Dataset:
    ds = make_header("LCC")
    outcome = Outcome.FINDINGS if findings else Outcome.NO_FINDINGS
    return build_document(
        make_study_reading(outcome, make_image_reading(ds, *findings)), index_by_uid(ds), profile
    )


def draw_quarters(low: int, high: int) -> st.SearchStrategy[float]:
    """Numbers that survive 32 bits: coordinates in quarters of a pixel."""
    return st.integers(4 * low, 4 * high).map(lambda number: number / 4)


@st.composite
def draw_finding(draw: st.DrawFn, number: int) -> Finding:
    points = st.builds(PointPx, draw_quarters(60, 700), draw_quarters(60, 900))
    mark_class = draw(st.sampled_from([MarkClass.CLUSTER, MarkClass.CALCIFICATION]))
    is_cluster = mark_class is MarkClass.CLUSTER
    tenths = st.integers(0, 1000).map(lambda value: value / 10)
    centers = draw(st.lists(points, min_size=2, max_size=8)) if is_cluster else [draw(points)]
    outline = tuple(
        PointPx(round(4 * p.col) / 4, round(4 * p.row) / 4)
        for p in padded_hull(centers, SPACING, 0.7)
    )
    diameters = st.integers(0, 1200).map(lambda value: value / 1000)
    members = tuple(Calcification(c, draw(diameters), draw(tenths)) for c in centers)
    types = st.lists(st.sampled_from(Morphology), max_size=1)
    distributions = st.lists(st.sampled_from(Distribution), max_size=1)
    return Finding(
        id=f"LCC-{number}",
        mark_class=mark_class,
        certainty=draw(tenths),
        suspicion=None,
        center=centers[0],
        outline=outline,
        members=members if is_cluster else (),
        long_axis_mm=draw(st.integers(1, 90_000)) / 1000,
        morphology=tuple((label, 1.0) for label in draw(types)),
        distribution=tuple((label, 1.0) for label in draw(distributions)) if is_cluster else (),
        shown=draw(st.booleans()),
        lesion_uid=draw(st.sampled_from([None, "2.25.4711"])),
    )


@st.composite
def draw_findings(draw: st.DrawFn) -> list[Finding]:
    return [draw(draw_finding(number)) for number in range(1, draw(st.integers(0, 4)) + 1)]


@given(draw_findings())
@settings(max_examples=12, deadline=None)
def test_what_is_written_is_read_back_equal(given_findings: list[Finding]) -> None:
    report = read_cad_report(build_one_view(*given_findings), NODE.device_uid)

    reading = rebuild_reading(report)

    by_id = {finding.id: finding for finding in given_findings}
    assert len(reading.images[0].findings) == len(given_findings)
    for finding in reading.images[0].findings:
        given = by_id[finding.id]
        lesion_uid = given.lesion_uid or UIDS.derive_tracking_uid(given.id)
        assert finding == replace(given, lesion_uid=lesion_uid)
    assert report.remarks == ()


@pytest.mark.parametrize("name", make_situations())
def test_every_situation_is_read_back_with_its_images_and_its_status(name: str) -> None:
    reading, sources = make_situations()[name]

    report = read_cad_report(build_document(reading, sources), NODE.device_uid)

    read_now = [image for image in reading.images if image.status.was_read]
    assert report.origin is ReportOrigin.OWN
    assert [image.label for image in report.images] == [
        image.mammogram.label for image in reading.images
    ]
    for entry, image in zip(report.images, reading.images, strict=True):
        header = image.mammogram
        assert (entry.sop_instance_uid, entry.sop_class_uid, entry.study_uid, entry.series_uid) == (
            header.sop_instance_uid,
            header.sop_class_uid,
            header.study_uid,
            header.series_uid,
        )
        assert (entry.rows, entry.columns, entry.study_date, entry.orientation) == (
            header.rows,
            header.columns,
            header.study_date,
            header.orientation,
        )
        assert entry.spacing is not None
        assert entry.spacing.between_rows == pytest.approx(0.07)
    assert report.detected_images == {image.mammogram.sop_instance_uid for image in read_now}
    assert sum(report.mark_counts.values()) == sum(len(image.shown_findings) for image in read_now)
    assert rebuild_reading(report).outcome is reading.outcome
    assert rebuild_reading(report).model == replace(MODEL, points=())
    assert report.impression.startswith("Second read for calcifications by calcification 2026.1")


def test_the_retired_codes_of_snomed_say_the_same() -> None:
    finding = make_cluster(
        morphology=((Morphology.AMORPHOUS, 0.8),), distribution=((Distribution.GROUPED, 0.7),)
    )
    plain = read_cad_report(build_one_view(finding), NODE.device_uid)

    srt = read_cad_report(
        build_one_view(finding, profile=ALL.model_copy(update={"snomed_codes": "SRT"}))
    )

    (cluster,) = srt.findings
    assert cluster.is_cluster
    codes = (cluster.kind, *cluster.morphology, *cluster.distribution)
    assert [code.scheme for code in codes] == ["SRT"] * 3
    assert rebuild_reading(srt).images[0].findings == rebuild_reading(plain).images[0].findings
    assert srt.images[0].view is View.CC
    assert srt.images[0].laterality is Laterality.LEFT


def test_a_correction_names_the_report_that_it_replaces() -> None:
    ds = make_header("LCC")
    occasion = replace(FIRST_OCCASION, predecessor=(STUDY, "1.2.9", "1.2.9.1"))
    done = build_cad_sr(
        make_study_reading(Outcome.NO_FINDINGS, make_image_reading(ds)),
        index_by_uid(ds),
        Authorship(NODE, UIDS, occasion, ALL),
    )

    assert read_cad_report(done.dataset).replaces == ("1.2.9.1",)


@pytest.mark.parametrize(
    ("device_uid", "changes", "origin", "title"),
    [
        (NODE.device_uid, {}, ReportOrigin.OWN, "this node's report"),
        # What a site may have set for its workstation says nothing of who wrote it.
        (NODE.device_uid, {"Manufacturer": "Acme"}, ReportOrigin.OWN, "this node's report"),
        (
            "2.25.1",
            {},
            ReportOrigin.SAME_SOFTWARE,
            "CAD of Secondread project (another node)",
        ),
        ("", {}, ReportOrigin.SAME_SOFTWARE, "CAD of Secondread project (another node)"),
        (
            NODE.device_uid,
            {"ManufacturerModelName": "CalcMaster", "Manufacturer": "Acme"},
            ReportOrigin.FOREIGN,
            "CAD of Acme",
        ),
    ],
)
def test_whose_report_it_is_follows_from_its_marks(
    device_uid: str, changes: dict[str, str], origin: ReportOrigin, title: str
) -> None:
    ds = build_one_view(make_cluster())
    for keyword, value in changes.items():
        setattr(ds, keyword, value)

    report = read_cad_report(ds, device_uid)

    assert report.origin is origin
    assert report.title == title
    assert bool(report.model_digest) is (origin is not ReportOrigin.FOREIGN)


def test_a_name_alone_makes_no_report_ours() -> None:
    ds = foreign()
    ds.ManufacturerModelName = "Secondread"
    observer = Dataset()
    observer.DeviceUID = NODE.device_uid
    ds.AuthorObserverSequence = [observer]

    assert read_cad_report(ds, NODE.device_uid).origin is ReportOrigin.FOREIGN


def test_another_makers_report_is_no_reading_of_ours() -> None:
    with pytest.raises(InputError, match="CAD of Acme is not a reading of this software"):
        rebuild_reading(read_cad_report(foreign()))


def test_another_makers_report_is_read_as_far_as_it_goes() -> None:
    ds = foreign(
        mark(MASS, shape(CENTER, "POINT", 10, 20), shape(OUTLINE, "CIRCLE", 10, 20, 14, 20)),
        mark(ODD, shape(CENTER, "POINT", 30, 40), shape(OUTLINE, "POLYLINE", 0, 0, 8, 0, 8, 8)),
        mark(
            ("129769006", "SCT", "Calcification Cluster"),
            shape(CENTER, "POINT", 50, 60),
            shape(OUTLINE, "ELLIPSE", 40, 60, 60, 60, 50, 55, 50, 65),
        ),
    )

    report = read_cad_report(ds)

    assert report.title == "CAD of Acme"
    assert report.mark_counts == {"LCC": 3}
    assert report.written_on == date(2024, 6, 5)
    assert report.summary is ProcessingSummary.ALL_WITH_FINDINGS
    assert (report.detection, report.analysis, report.study_date) == (None, None, None)
    mass, odd, group = report.findings
    assert odd.kind == Code("X1", "99ACME", "Spiculated blob")
    assert group.is_cluster
    assert not mass.is_cluster
    assert [finding.intent for finding in report.findings] == [None] * 3
    assert odd.outline == (PointPx(0, 0), PointPx(8, 0), PointPx(8, 8), PointPx(0, 0))
    assert measure_size(mass) == pytest.approx((8, 8), abs=0.1)
    assert measure_size(group) == pytest.approx((20, 10), abs=0.2)


def measure_size(finding: CadFinding) -> tuple[float, float]:
    columns, rows = zip(*((p.col, p.row) for p in finding.outline), strict=True)
    return max(columns) - min(columns), max(rows) - min(rows)


def test_a_mark_that_cannot_be_read_is_left_out_with_a_remark() -> None:
    whole = mark(MASS, shape(CENTER, "POINT", 10, 20))
    odd_count = mark(MASS, shape(CENTER, "POINT", 10, 20, 30))
    lost = shape(CENTER, "POINT", 1, 2)
    del lost.ContentSequence

    report = read_cad_report(foreign(mark(MASS), odd_count, whole, mark(MASS, lost)))

    assert len(report.findings) == 1
    assert [str(remark) for remark in report.remarks] == [
        "1.2.1.1: no center",
        "1.2.1.2.1: 3 coordinates that make no points",
        "1.2.1.4.1: names no image",
    ]


def _break_reference(ds: Dataset) -> None:
    center = _single(ds).ContentSequence[-1]
    center.ContentSequence[0].ReferencedContentItemIdentifier = [1, 9, 9]


def _break_certainty(ds: Dataset) -> None:
    for child in _single(ds).ContentSequence:
        if child.ConceptNameCodeSequence[0].CodeValue == "111012":
            child.MeasuredValueSequence[0].NumericValue = "150"


def _drop_center(ds: Dataset) -> None:
    single = _single(ds)
    single.ContentSequence = [
        child
        for child in single.ContentSequence
        if child.ConceptNameCodeSequence[0].CodeValue != "111010"
    ]


def _single(ds: Dataset) -> Dataset:
    """Return the Single Image Finding, its shapes last."""
    (impression,) = (
        child
        for child in ds.ContentSequence[2].ContentSequence
        if child.ConceptNameCodeSequence[0].CodeValue == "111034"
    )
    single: Dataset
    (single,) = (
        child
        for child in impression.ContentSequence
        if child.ConceptNameCodeSequence[0].CodeValue == "111059"
    )
    single.ContentSequence = sorted(
        single.ContentSequence, key=lambda child: str(child.ValueType) == "SCOORD"
    )
    return single


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (_break_reference, r"^1\.3\.\d+\.\d+\.\d+\.1: 1\.9\.9 is not in the tree"),
        (_break_certainty, r"^1\.3\.\d+\.\d+: Certainty of Finding of 150 is not a percentage"),
        (_drop_center, r"^1\.3\.\d+\.\d+: no center"),
    ],
)
def test_a_damaged_report_of_our_own_is_an_error_with_its_position(
    harm: Callable[[Dataset], None], fault: str
) -> None:
    ds = build_one_view(replace(make_cluster(), members=()))
    harm(ds)

    with pytest.raises(ContentError, match=fault):
        read_cad_report(ds, NODE.device_uid)


def test_other_documents_are_refused_with_the_reason() -> None:
    chest = foreign()
    chest.ConceptNameCodeSequence = [code("112000", "DCM", "Chest CAD Report")]
    image = make_header("LCC")

    with pytest.raises(ContentError, match=r"another template than TID 4000: \(112000, DCM\)"):
        read_cad_report(chest)
    with pytest.raises(ContentError, match="header: not a Mammography CAD SR"):
        read_cad_report(image)


def test_a_tree_without_end_is_refused() -> None:
    ds = foreign()
    deepest = ds
    for _ in range(40):
        deepest.ContentSequence = [item("CONTAINS", "CONTAINER", ("1", "99X", "deeper"))]
        deepest = deepest.ContentSequence[0]

    with pytest.raises(ContentError, match="nested too deeply"):
        read_cad_report(ds)


def list_elements(ds: Dataset) -> list[tuple[Dataset, BaseTag]]:
    """Return every element of a data set, those of sequence items included."""
    pairs = []
    for element in ds:
        pairs.append((ds, element.tag))
        if element.VR == "SQ":
            pairs += [pair for item in element.value for pair in list_elements(item)]
    return pairs


JUNK: dict[str, object] = {"SQ": [Dataset()], "DS": "1e999", "FL": [1.0, math.nan], "UL": [9, 9]}
"""What stands in for a value in turn; for all other VRs, a word."""


@pytest.mark.parametrize("how", ["absent", "empty", "senseless"])
def test_whatever_is_wrong_in_it_the_answer_is_a_report_or_an_input_error(how: str) -> None:
    def make() -> Dataset:
        return foreign(
            mark(MASS, shape(CENTER, "POINT", 10, 20), shape(OUTLINE, "CIRCLE", 1, 2, 3, 2))
        )

    for number in range(len(list_elements(make()))):
        ds = make()
        holder, tag = list_elements(ds)[number]
        if how == "absent":
            del holder[tag]
        else:
            vr = holder[tag].VR
            junk = JUNK.get(vr, "JUNK") if how == "senseless" else ([] if vr == "SQ" else None)
            holder[tag] = DataElement(tag, vr, junk, validation_mode=IGNORE)
        with contextlib.suppress(InputError):
            assert isinstance(read_cad_report(ds), CadReport)


def find_expected(name: str) -> tuple[ProcessingSummary, ResultStatus, int]:
    """What the reference documents were written with: summary, detection, marks shown."""
    return {
        "cad_failed_SCT": (ProcessingSummary.NONE, ResultStatus.FAILED, 0),
        "cad_minimal_SCT": (ProcessingSummary.ALL_WITH_FINDINGS, ResultStatus.SUCCEEDED, 1),
        "cad_nofind_SCT": (ProcessingSummary.ALL_WITHOUT_FINDINGS, ResultStatus.SUCCEEDED, 0),
        "cad_oppoint_SCT": (ProcessingSummary.ALL_WITH_FINDINGS, ResultStatus.SUCCEEDED, 2),
        "cad_partial_SCT": (
            ProcessingSummary.SOME_WITH_FINDINGS,
            ResultStatus.PARTIALLY_SUCCEEDED,
            1,
        ),
        "cad_rich_SCT": (ProcessingSummary.ALL_WITH_FINDINGS, ResultStatus.SUCCEEDED, 2),
        "cad_temporal_SCT": (ProcessingSummary.ALL_WITH_FINDINGS, ResultStatus.SUCCEEDED, 2),
        "cad_temporal_fromprior_SCT": (
            ProcessingSummary.ALL_WITH_FINDINGS,
            ResultStatus.SUCCEEDED,
            2,
        ),
        "cad_tomo_SCT": (ProcessingSummary.ALL_WITH_FINDINGS, ResultStatus.SUCCEEDED, 1),
    }[name]


REFERENCE = Path(__file__).parents[5] / "shared" / "sr"


@pytest.mark.parametrize(
    "path", sorted(REFERENCE.glob("cad_*.dcm")) or [None], ids=lambda p: p.stem if p else "absent"
)
def test_reference_documents_of_another_program_are_read(path: Path | None) -> None:
    if path is None:
        pytest.skip("the reference documents are not beside the repository")
    summary, detection, marks = find_expected(path.stem)

    report = read_cad_report(pydicom.dcmread(path))

    assert report.title == "CAD of ExampleVendor"
    assert report.origin is ReportOrigin.FOREIGN
    assert (report.summary, report.detection) == (summary, detection)
    assert sum(report.mark_counts.values()) == marks
    assert report.remarks == ()
    if "temporal" in path.stem:
        (feature,) = report.features
        assert feature.difference == 3
        changes = {f.change.value for f in report.findings if f.change}
        assert changes == {Change.MORE.code.value, Change.NEW.code.value}
        copied = {f.copied for f in report.findings}
        assert copied == ({False, True} if "fromprior" in path.stem else {False})
    assert all(
        FindingType.from_code(f.kind.value, f.kind.scheme) is FindingType.CLUSTER
        for f in report.findings
    )
    if "oppoint" in path.stem:
        assert [f.operating_point for f in report.findings] == [None, 2]
        assert report.findings[1].intent is RenderingIntent.OPTIONAL
