"""Presentation states: one for each marked image, over the image as it is."""

import pytest
from pydicom.dataset import Dataset

from secondread.reasons import Outcome
from secondread.report.pages.presentation_states import build_presentation_states
from secondread.report.result import Authorship
from secondread.settings import ProfileSettings
from tests.unit.report.readings import (
    FIRST_OCCASION,
    NODE,
    UIDS,
    index_by_uid,
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)

BY = Authorship(NODE, UIDS, FIRST_OCCASION, ProfileSettings())


def make_state(**attributes: object) -> Dataset:
    ds = make_header("LCC", **attributes)
    reading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(ds, make_cluster(), make_cluster(2, (600.5, 20.5)))
    )
    (result,) = build_presentation_states(reading, index_by_uid(ds), BY)
    return result.dataset


def test_each_image_with_shown_findings_has_its_own() -> None:
    views = [make_header("LCC"), make_header("LMLO"), make_header("RCC")]
    reading = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(views[0], make_cluster()),
        make_image_reading(views[1], make_cluster(shown=False)),
        make_image_reading(views[2], make_cluster(label="RCC")),
    )
    made = build_presentation_states(reading, index_by_uid(*views), BY)
    assert [(result.index, result.source_uid) for result in made] == [
        (0, views[0].SOPInstanceUID),
        (1, views[2].SOPInstanceUID),
    ]
    assert [result.dataset.InstanceNumber for result in made] == [1, 2]
    for result in made:
        (series,) = result.dataset.ReferencedSeriesSequence
        assert len(series.ReferencedImageSequence) == 1


def test_marks_are_closed_polylines_with_numbers_and_tracking_uids() -> None:
    marks, note = make_state().GraphicAnnotationSequence
    assert [o.GraphicType for o in marks.GraphicObjectSequence] == ["POLYLINE"] * 2
    for graphic in marks.GraphicObjectSequence:
        data = list(graphic.GraphicData)
        assert data[:2] == data[-2:]
        assert graphic.GraphicAnnotationUnits == "PIXEL"
        assert graphic.GraphicFilled == "N"
    assert [t.UnformattedTextValue for t in marks.TextObjectSequence] == ["1", "2"]
    ids = [o.TrackingUID for o in marks.GraphicObjectSequence]
    assert ids == [UIDS.derive_tracking_uid("LCC-1"), UIDS.derive_tracking_uid("LCC-2")]
    assert "NOT FOR DIAGNOSIS" in note.TextObjectSequence[0].UnformattedTextValue


@pytest.mark.parametrize("at", [(300.5, 400.5), (20.5, 20.5), (779.5, 979.5), (400.5, 12.5)])
def test_numbers_stay_inside_the_image_and_off_their_outline(at: tuple[float, float]) -> None:
    ds = make_header("LCC")
    finding = make_cluster(at=at)
    inside = tuple(
        type(p)(min(max(p.col, 0.0), 800.0), min(max(p.row, 0.0), 1000.0)) for p in finding.outline
    )
    reading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(ds, make_cluster(at=at, outline=inside))
    )
    (result,) = build_presentation_states(reading, index_by_uid(ds), BY)
    (text,) = result.dataset.GraphicAnnotationSequence[0].TextObjectSequence
    left, top = text.BoundingBoxTopLeftHandCorner
    right, bottom = text.BoundingBoxBottomRightHandCorner
    assert 0 <= left < right <= 800
    assert 0 <= top < bottom <= 1000
    assert bottom < min(p.row for p in inside) or top > max(p.row for p in inside)


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ({}, "IDENTITY"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "INVERSE"),
        ({"PresentationLUTShape": "INVERSE"}, "INVERSE"),
    ],
)
def test_polarity_is_that_of_the_image(attributes: dict[str, object], shape: str) -> None:
    assert make_state(**attributes).PresentationLUTShape == shape


def test_the_whole_image_is_displayed_with_pixels_of_their_shape() -> None:
    (area,) = make_state(ImagerPixelSpacing=[0.07, 0.09]).DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaTopLeftHandCorner) == [1, 1]
    assert list(area.DisplayedAreaBottomRightHandCorner) == [800, 1000]
    assert list(area.PresentationPixelSpacing) == [0.07, 0.09]
    assert "PresentationPixelAspectRatio" not in area
    (unknown,) = make_state(ImagerPixelSpacing=None).DisplayedAreaSelectionSequence
    assert list(unknown.PresentationPixelAspectRatio) == [1, 1]


def test_header_label_and_dates_are_ours() -> None:
    ds = make_state()
    assert (ds.Modality, ds.ContentLabel, ds.Laterality) == ("PR", "SECONDREAD", "L")
    assert (ds.PresentationCreationDate, ds.PresentationCreationTime) == ("20261122", "100102")
    assert ds.PatientID == "P1"
    assert "ContributingEquipmentSequence" not in ds
