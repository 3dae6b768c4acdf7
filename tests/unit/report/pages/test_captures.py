"""Secondary captures: header, what is drawn where, and that nothing runs over."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from secondread.codes import Laterality, Morphology
from secondread.findings.finding import Finding, LeftOutInstance, PriorStudy, StudyReading
from secondread.findings.treatment import (
    Procedure,
    Treatment,
    Zone,
    ZoneBasis,
    ZonePlacement,
)
from secondread.geometry import clamp_to_image
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.pages import page_layout
from secondread.report.pages.captures import make_overview, make_view_captures
from secondread.report.pages.drawing import (
    BACKGROUND,
    MARK,
    WARNING,
    wrap_text,
)
from secondread.report.pages.notice import make_notice
from secondread.report.pages.page_texts import describe_day
from secondread.report.result import Authorship
from secondread.settings import ProfileSettings
from tests.unit.report.followed import make_followed_study
from tests.unit.report.readings import (
    FIRST_OCCASION,
    NODE,
    STUDY,
    UIDS,
    index_by_uid,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_refused_image,
    make_situations,
    make_study_reading,
)

BY = Authorship(NODE, UIDS, FIRST_OCCASION, ProfileSettings())
Picture = npt.NDArray[np.uint8]


def make_capture(*findings: Finding, by: Authorship = BY, **attributes: object) -> Dataset:
    ds = make_header("LCC", **attributes)
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, *findings))
    (result,) = make_view_captures(reading, index_by_uid(ds), make_grey_display, by)
    return result.dataset


def read_pixels(ds: Dataset) -> Picture:
    array: Picture = ds.pixel_array
    return array


def measure_share(color: tuple[int, int, int], array: Picture) -> float:
    return float((array == np.array(color, np.uint8)).all(axis=2).mean())


def test_a_capture_says_what_it_is_and_of_what() -> None:
    ds = make_capture(make_cluster())
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (ds.Modality, ds.ConversionType, list(ds.ImageType)) == (
        "OT",
        "WSD",
        ["DERIVED", "SECONDARY"],
    )
    assert (ds.ImageLaterality, list(ds.PatientOrientation)) == ("L", ["A", "R"])
    assert "Laterality" not in ds
    assert ds.ViewCodeSequence[0].CodeValue == "399162004"
    assert "ViewModifierCodeSequence" not in ds.ViewCodeSequence[0]
    assert ds.BurnedInAnnotation == "NO"
    assert ds.SeriesNumber >= 9000
    assert "not for diagnosis" in ds.SeriesDescription
    (origin,) = ds.SourceImageSequence
    assert origin.ReferencedSOPInstanceUID == make_header("LCC").SOPInstanceUID
    assert origin.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert origin.SpatialLocationsPreserved == "NO"


def test_pictures_of_several_scales_have_no_pixel_spacing() -> None:
    ds = make_capture(make_cluster())
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        assert keyword not in ds


def test_pixels_are_rgb_with_eight_bits() -> None:
    ds = make_capture(make_cluster())
    assert (ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.BitsStored) == ("RGB", 3, 8)
    assert len(ds.PixelData) == ds.Rows * ds.Columns * 3
    assert len(ds.PixelData) % 2 == 0


def test_the_modality_is_the_profiles() -> None:
    by = replace(BY, profile=ProfileSettings(capture_modality="MG"))
    assert make_capture(make_cluster(), by=by).Modality == "MG"


@pytest.mark.parametrize(("before", "after"), [(None, "00"), ("00", "00"), ("01", "01")])
def test_lossy_compression_of_the_image_is_told(before: str | None, after: str) -> None:
    ratio = "12.5" if before == "01" else ""
    ds = make_capture(
        make_cluster(), LossyImageCompression=before or "", LossyImageCompressionRatio=ratio
    )
    assert ds.LossyImageCompression == after
    assert ds.get("LossyImageCompressionRatio") == (12.5 if ratio else None)


def test_loss_that_only_the_pixel_data_told_is_told_of_an_image_read_all_the_same() -> None:
    ds = make_header("LCC", LossyImageCompression="00")
    image = make_image_reading(ds, make_cluster())
    overridden = replace(image, gates=image.gates | {"lossy": "yes"})
    reading = make_study_reading(Outcome.FINDINGS, overridden)

    (result,) = make_view_captures(reading, index_by_uid(ds), make_grey_display, BY)

    assert result.dataset.LossyImageCompression == "01"


def test_no_patient_identity_changes_the_pixels() -> None:
    someone = make_capture(
        make_cluster(), PatientName="One^Someone", PatientID="1", AccessionNumber="1"
    )
    other = make_capture(
        make_cluster(), PatientName="Else^Somebody", PatientID="2", AccessionNumber="2"
    )
    assert someone.PixelData == other.PixelData


def test_views_without_shown_findings_get_no_capture() -> None:
    ds = make_header("LCC")
    reading = make_study_reading(
        Outcome.NO_FINDINGS, make_image_reading(ds, make_cluster(shown=False))
    )
    assert make_view_captures(reading, index_by_uid(ds), make_grey_display, BY) == ()


def test_marks_are_drawn_and_tissue_inside_an_outline_is_left_alone() -> None:
    finding = make_cluster(at=(400.5, 500.5))
    ds = make_header("LCC")
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, finding))
    (result,) = make_view_captures(reading, index_by_uid(ds), make_speckled_display, BY)
    page = read_pixels(result.dataset)
    assert measure_share(MARK, page) > 0.0005
    # Every member is white in the display array, and nothing else on the page is; enlarged four
    # times in the inset, each is still white, untouched by outline, halo or number.
    white = (page == 255).all(axis=2)[:, 960:]
    assert white.sum() >= 9 * 16 * len(finding.members) * 0.4


def make_speckled_display(uid: str) -> Picture:
    """A grey image with nine white pixels at each member of a cluster at (400.5, 500.5)."""
    array = make_grey_display(uid).copy()
    for member in make_cluster(at=(400.5, 500.5)).members:
        row, col = int(member.center.row), int(member.center.col)
        array[row - 1 : row + 2, col - 1 : col + 2] = 255
    return array


def test_the_outline_stays_outside_of_what_it_encloses() -> None:
    finding = make_cluster(at=(400.5, 500.5))
    zoomed = cut_inset(finding)
    blue = (zoomed[..., 2].astype(int) - zoomed[..., 0]) > 40
    rows, columns = np.nonzero(blue)
    assert rows.size
    # The cluster lies in the middle of the inset; three members span 24 columns and 14 rows,
    # four times as many on the page, and no stroke comes within 0.7 mm (10 pixels) of them.
    middle = (zoomed.shape[0] / 2, zoomed.shape[1] / 2)
    inside = (abs(rows - middle[0]) < 28) & (abs(columns - middle[1]) < 48)
    assert not inside.any()


def cut_inset(finding: Finding) -> Picture:
    """The only inset of a page, cut out of it where its grey begins and ends."""
    page = read_pixels(make_capture(finding))
    column = page[:, 1400]
    tissue = (column.std(axis=1) < 8) & (column.mean(axis=1) > 35)
    rows = np.nonzero(tissue)[0]
    first = rows[rows > 130][0]
    last = first + np.argmin(tissue[first:])
    return page[first:last, 960:1760]


NEAR = ZonePlacement(Zone.NEAR, ZoneBasis.CLIPS, 24.6, 4.0)


@pytest.mark.parametrize("number", [1, 2, 3, 5, 25])
def test_however_many_findings_the_margins_stay_empty(number: int) -> None:
    findings = [
        make_cluster(i + 1, (80 + 150 * (i % 5), 100 + 160 * (i // 5)), placement=NEAR)
        for i in range(number)
    ]
    reading = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(
            make_header("LCC"), *findings, status=ImageStatus.FLAGGED, reasons=tuple(Reason)[:9]
        ),
        reasons=(Reason.TREATMENT_UNKNOWN, Reason.NO_COMPARISON),
    )
    reading = replace(
        reading, missing_views=("RMLO", "LMLO"), model=replace(reading.model, name="model " * 40)
    )
    sources = index_by_uid(make_header("LCC"))
    for result in make_view_captures(reading, sources, make_grey_display, BY):
        assert_margins_are_empty(read_pixels(result.dataset))


def test_findings_beyond_what_fits_continue_on_more_captures_of_the_image() -> None:
    findings = [make_cluster(n, (80 + 70 * n, 100 + 80 * n)) for n in range(1, 10)]
    ds = make_header("LCC")
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, *findings))
    results = make_view_captures(reading, index_by_uid(ds), make_grey_display, BY, first=2)
    assert len(results) > 1
    assert [result.index for result in results] == list(range(2, 2 + len(results)))
    assert {result.source_uid for result in results} == {str(ds.SOPInstanceUID)}
    assert len({result.sop_instance_uid for result in results}) == len(results)


def test_the_view_with_the_finding_to_look_at_first_comes_first() -> None:
    headers = [make_header(label) for label in ("RCC", "LCC")]
    reading = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(headers[0], make_cluster(label="RCC", suspicion=10.0)),
        make_image_reading(headers[1], make_cluster(suspicion=30.0)),
    )
    results = make_view_captures(reading, index_by_uid(*headers), make_grey_display, BY)
    assert [result.source_uid for result in results] == [
        str(h.SOPInstanceUID) for h in headers[::-1]
    ]


def assert_margins_are_empty(page: Picture) -> None:
    for margin in (page[:, :36], page[:, -36:], page[:20], page[-14:]):
        assert (margin == np.array(BACKGROUND, np.uint8)).all()


@pytest.mark.parametrize("at", [(20.5, 20.5), (779.5, 20.5), (20.5, 979.5), (779.5, 979.5)])
def test_findings_in_a_corner_are_drawn(at: tuple[float, float]) -> None:
    assert_margins_are_empty(read_pixels(make_capture(make_clamped_cluster(at))))


def make_clamped_cluster(at: tuple[float, float]) -> Finding:
    finding = make_cluster(at=at)
    return replace(finding, outline=tuple(clamp_to_image(p, 1000, 800) for p in finding.outline))


def test_a_finding_larger_than_its_inset_is_drawn_at_full_resolution() -> None:
    finding = make_cluster(at=(400.5, 500.5))
    wide = replace(
        finding,
        outline=tuple(
            replace(p, col=400 + (p.col - 400.5) * 12, row=500 + (p.row - 500.5) * 12)
            for p in finding.outline
        ),
    )
    assert_margins_are_empty(read_pixels(make_capture(wide, wide, wide)))


def test_a_small_image_has_black_around_it_in_insets() -> None:
    ds = make_header("LCC", Rows=60, Columns=50)
    finding = make_clamped_cluster((25.5, 30.5))
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, finding))
    (result,) = make_view_captures(
        reading, index_by_uid(ds), lambda _: np.full((60, 50), 90, dtype=np.uint8), BY
    )
    assert (read_pixels(result.dataset)[:, 1000:] == 0).all(axis=2).any()


def test_an_image_without_spacing_has_no_scale() -> None:
    with_scale = read_pixels(make_capture(make_cluster()))
    without = read_pixels(make_capture(make_cluster(), ImagerPixelSpacing=None))
    assert not np.array_equal(with_scale, without)


def test_the_page_says_which_revision_it_is() -> None:
    first = read_pixels(make_capture(make_cluster()))
    by = replace(BY, occasion=replace(FIRST_OCCASION, predecessor=(STUDY, "1.2", "1.3")))
    later = read_pixels(make_capture(make_cluster(), by=by))
    changed = np.nonzero((first != later).any(axis=(1, 2)))[0]
    assert changed.min() > first.shape[0] - 84


def test_comments_are_statements_with_one_full_stop_each() -> None:
    by = replace(BY, occasion=replace(FIRST_OCCASION, predecessor=(STUDY, "1.2", "1.3")))
    comments = make_capture(make_cluster(), by=by).ImageComments
    assert comments.endswith(
        "calcifications can still be present. This replaces an earlier report."
    )
    assert ".." not in comments


def test_nothing_that_carries_meaning_is_cut_off(cut_texts: list[str]) -> None:
    reading, sources = make_followed_study()
    reading = replace(
        reading,
        revision=12,
        missing_views=("RCC", "RMLO"),
        model=replace(reading.model, site_exams=120),
        reasons=(Reason.VIEWS_MISSING, Reason.SOME_IMAGES_DOUBTFUL),
        treatments=(
            Treatment(Procedure.LUMPECTOMY, Laterality.LEFT, date(2022, 12, 1)),
            Treatment(Procedure.RADIOTHERAPY, Laterality.LEFT, date(2023, 1, 12), date(2023, 2, 9)),
        ),
    )
    earlier = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    occasion = replace(FIRST_OCCASION, predecessor=(STUDY, "1.2", "1.3"), predecessor_at=earlier)
    by = replace(BY, occasion=occasion)
    make_overview(reading, sources, make_tall_display, by)
    make_view_captures(reading, sources, make_tall_display, by)
    make_notice(reading, sources, by)
    assert cut_texts == []


def make_tall_display(_uid: str) -> Picture:
    return np.full((2200, 1700), 90, np.uint8)


def test_what_is_not_marked_and_what_the_figures_are_stand_on_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = write_notes(monkeypatch, make_cluster(suspicion=40.0), make_cluster(2, shown=False))
    assert "Priority (the order) = certainty x suspicion / 100" in notes
    assert "1 fainter candidate not marked" in notes
    assert "shares" not in notes


def test_shares_are_explained_where_a_label_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    unsure = ((Morphology.PUNCTATE, 0.44), (Morphology.FINE_PLEOMORPHIC, 0.43))
    notes = write_notes(monkeypatch, make_cluster(suspicion=40.0, morphology=unsure))
    assert "Labels with shares (44 %) cannot be told apart" in notes


def write_notes(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> str:
    """Return what is written below the pictures of a capture."""
    written: list[str] = []

    def note_text(text: str, size: int, width: float, most: int | None = None) -> list[str]:
        written.append(text)
        return wrap_text(text, size, width, most)

    monkeypatch.setattr(page_layout, "wrap_text", note_text)
    make_capture(*findings)
    return written[0]


def test_a_notice_of_nothing_found_says_what_makes_it_doubtful() -> None:
    plain, doubtful = (
        make_notice(*make_situations()[name], BY).dataset
        for name in ("no findings", "no findings with doubts")
    )
    assert doubtful.ImageComments == (
        "NOT FOR DIAGNOSIS. SECOND READ: NO FINDINGS SHOWN, WITH DOUBTS: "
        "Some images were read with doubts."
    )
    assert "DOUBTS" not in plain.ImageComments
    # The first row is that of the doubtful image, written as bright as one that was not read.
    first_row = np.s_[200:262, 100:]
    assert read_pixels(doubtful)[first_row].max() > read_pixels(plain)[first_row].max()


@pytest.mark.parametrize("situation", ["every image failed", "partial with marks", "no findings"])
def test_a_notice_is_a_capture_about_the_study(situation: str) -> None:
    reading, sources = make_situations()[situation]
    result = make_notice(reading, sources, BY, index=3)
    ds = result.dataset
    assert (result.source_uid, result.index, ds.InstanceNumber) == (None, 3, 4)
    assert "SourceImageSequence" not in ds
    assert ds.ImageLaterality == "B"
    assert ds.ImageComments.startswith("NOT FOR DIAGNOSIS. SECOND READ")
    assert measure_share(WARNING, read_pixels(ds)) > 0.001
    assert_margins_are_empty(read_pixels(ds))


def make_notice_of_left_out(**attributes: object) -> Dataset:
    ds = make_header("LCC", **attributes)
    reading = replace(
        make_study_reading(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,)),
        left_out=(LeftOutInstance(str(ds.SOPInstanceUID), "LCC", Reason.TOMOSYNTHESIS),),
    )
    return make_notice(reading, index_by_uid(ds), BY).dataset


def test_a_notice_has_the_side_of_what_was_left_out() -> None:
    ds = make_notice_of_left_out()
    assert ds.ImageLaterality == "L"
    assert "No image of the study is in the detector's scope" in ds.ImageComments


def test_the_day_of_an_exam_is_that_of_its_headers_whether_an_image_was_read_or_not() -> None:
    header = make_header("LCC", StudyDate="20260105")
    assert describe_day(header) == "Exam of 2026-01-05"
    for unknown in ("", "00000000", "00010101"):
        assert describe_day(make_header("LCC", StudyDate=unknown)) == "Exam of unknown date"


def test_a_notice_about_no_side_leaves_laterality_open() -> None:
    ds = make_notice_of_left_out(ImageLaterality=None)
    assert "ImageLaterality" not in ds
    assert ds["Laterality"].is_empty


def test_a_long_notice_stays_on_its_page() -> None:
    images = [make_refused_image(make_header("LCC", SOPInstanceUID=f"1.2.{n}")) for n in range(60)]
    images = [replace(image, detail="a long story " * 40) for image in images]
    reading: StudyReading = replace(
        make_study_reading(Outcome.FAILED, *images, reasons=(Reason.ALL_IMAGES_REFUSED,)),
        priors=tuple(PriorStudy(f"1.{n}", None, False, Reason.VIEWS_MISSING) for n in range(40)),
    )
    result = make_notice(reading, index_by_uid(make_header("LCC")), BY).dataset
    assert_margins_are_empty(read_pixels(result))


def test_texts_of_the_header_fit_their_attributes() -> None:
    node = replace(NODE, manufacturer="M" * 80, model_name="N" * 80, station_name="S" * 20)
    ds = make_capture(make_cluster(), by=replace(BY, node=node))
    assert len(ds.SecondaryCaptureDeviceManufacturer) == 64
    assert len(ds.ManufacturerModelName) == 64
    assert len(ds.StationName) == 16
    assert len(ds.SeriesDescription) <= 64
    assert len(ds.DerivationDescription) <= 1024
