"""What a destination gets, by outcome and profile, and the bytes of it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from secondread.accept.classify import may_be_own
from secondread.errors import ReportError
from secondread.findings.finding import LeftOutInstance, StudyReading
from secondread.reasons import Outcome, Reason
from secondread.report import compose as compose_module
from secondread.report import outcome_objects
from secondread.report.check.cad_sr_check import Fault
from secondread.report.compose import compose_results, encode_capture_png
from secondread.report.encoding import encode_file
from secondread.report.outcome_objects import OBJECT_RULES
from secondread.report.result import ResultObject
from secondread.report.sr.header import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    RESULT_SERIES,
)
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    UIDS,
    index_by_uid,
    make_authorship,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_situations,
    make_study_reading,
)

DEFAULT = ProfileSettings()
ONLY_CAPTURES = (ObjectKind.CAPTURE,)


def results(
    reading: StudyReading, sources: dict[str, Dataset], profile: ProfileSettings = DEFAULT
) -> tuple[ResultObject, ...]:
    return compose_results(reading, sources, make_grey_display, make_authorship(profile))


def kinds(objects: tuple[ResultObject, ...]) -> list[str]:
    """Return kind and, of captures, what each is."""
    return [_capture(o) if o.kind is ObjectKind.CAPTURE else o.kind.value for o in objects]


def _capture(result: ResultObject) -> str:
    if result.source_uid:
        return "view"
    overview = UIDS.derive_instance_uid("capture", "overview")
    return "overview" if result.sop_instance_uid == overview else "notice"


def not_eligible(*reasons: Reason, **attributes: object) -> tuple[StudyReading, dict[str, Dataset]]:
    headers = [make_header("LCC", **attributes), make_header("LMLO", **attributes)]
    left_out = tuple(
        LeftOutInstance(str(ds.SOPInstanceUID), "LCC", reason)
        for ds, reason in zip(headers, reasons, strict=True)
    )
    reading = make_study_reading(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,))
    return replace(reading, left_out=left_out), index_by_uid(*headers)


TOMOSYNTHESIS = (Reason.TOMOSYNTHESIS, Reason.TOMOSYNTHESIS)


@pytest.mark.parametrize(
    ("situation", "profile", "expected"),
    [
        ("findings", {}, ["cad-sr", "overview", "view"]),
        ("findings", {"objects": ["cad-sr"]}, ["cad-sr"]),
        ("findings", {"objects": ["capture"]}, ["overview", "view"]),
        ("findings", {"objects": []}, []),
        ("findings", {"send_empty": False, "send_failed": False}, ["cad-sr", "overview", "view"]),
        ("no findings", {}, ["cad-sr"]),
        ("no findings", {"objects": ["capture"]}, ["notice"]),
        ("no findings", {"send_empty": False}, []),
        ("no findings", {"send_empty": False, "objects": ["capture"]}, []),
        ("no findings with doubts", {}, ["cad-sr", "notice"]),
        ("no findings with doubts", {"send_empty": False}, ["cad-sr", "notice"]),
        ("no findings with doubts", {"objects": ["capture"]}, ["notice"]),
        ("partial with marks", {}, ["cad-sr", "overview", "view", "notice"]),
        ("partial without marks", {}, ["cad-sr", "notice"]),
        ("partial without marks", {"send_empty": False}, ["cad-sr", "notice"]),
        ("every image failed", {}, ["cad-sr", "notice"]),
        ("every image failed", {"send_failed": False}, []),
        ("every image failed", {"objects": ["capture"]}, ["notice"]),
        ("findings", {"overview": False}, ["cad-sr", "view"]),
        ("findings", {"objects": ["presentation"]}, ["presentation"]),
        ("findings", {"preset": "mammography-workstation"}, ["cad-sr", "overview", "view"]),
        ("findings", {"preset": "tid1500-viewer"}, ["tid1500"]),
        ("findings", {"preset": "capture-only-pacs"}, ["overview", "view"]),
        (
            "findings",
            {"preset": "archive-without-cad"},
            ["tid1500", "presentation", "overview", "view"],
        ),
        ("no findings", {"objects": ["tid1500", "presentation"]}, ["tid1500"]),
        ("no findings", {"objects": ["tid1500"], "send_empty": False}, []),
        ("no findings with doubts", {"objects": ["tid1500"], "send_empty": False}, ["tid1500"]),
        (
            "partial with marks",
            {"objects": ["tid1500", "presentation"]},
            ["tid1500", "presentation"],
        ),
        ("every image failed", {"objects": ["tid1500"]}, ["tid1500"]),
        ("every image failed", {"objects": ["tid1500"], "send_failed": False}, []),
    ],
)
def test_a_destination_gets_what_its_profile_names(
    situation: str, profile: dict[str, object], expected: list[str]
) -> None:
    reading, sources = make_situations()[situation]
    objects = results(reading, sources, ProfileSettings.model_validate(profile))
    assert kinds(objects) == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({}, ["notice"]),
        ({"send_not_eligible": False}, []),
        ({"not_eligible_as_failed_sr": True}, ["cad-sr", "notice"]),
        ({"not_eligible_as_failed_sr": True, "objects": ["capture"]}, ["notice"]),
        ({"not_eligible_as_failed_sr": True, "send_not_eligible": False}, ["cad-sr"]),
        ({"objects": ["tid1500"]}, ["tid1500"]),
        ({"objects": ["tid1500"], "send_not_eligible": False}, []),
    ],
)
def test_a_study_with_nothing_in_scope_is_reported_in_a_notice(
    profile: dict[str, object], expected: list[str]
) -> None:
    reading, sources = not_eligible(*TOMOSYNTHESIS)
    objects = results(reading, sources, ProfileSettings.model_validate(profile))
    assert kinds(objects) == expected


def test_the_table_at_the_head_of_the_module_is_the_table_of_rules() -> None:
    lines = str(outcome_objects.__doc__).splitlines()
    first, _, last = (n for n, line in enumerate(lines) if line.startswith("==="))
    labels = {(Outcome.NO_FINDINGS, True): "... with doubts"}
    rows = [
        [
            labels.get(key, key[0].value.replace("-", " ")),
            rules.cad_sr.words,
            rules.tid1500.words,
            rules.notice.words,
        ]
        for key, rules in OBJECT_RULES.items()
    ]
    written = [re.split(r" {2,}", line.strip()) for line in lines[first + 3 : last]]
    assert written == rows


def test_every_outcome_has_its_rules() -> None:
    assert {outcome for outcome, doubtful in OBJECT_RULES if not doubtful} == set(Outcome)


AS_FAILED = ProfileSettings(not_eligible_as_failed_sr=True)


def test_what_was_left_out_becomes_failed_where_a_site_wants_cad_failed() -> None:
    document = results(*not_eligible(*TOMOSYNTHESIS), AS_FAILED)[0].dataset
    assert document.ContentSequence[3].ConceptCodeSequence[0].CodeMeaning == "Failed"
    assert len(document.ContentSequence[1].ContentSequence) == 2


def test_rejected_images_are_not_listed_as_failed() -> None:
    reading, sources = not_eligible(Reason.REJECTED, Reason.TOMOSYNTHESIS)
    document = results(reading, sources, AS_FAILED)[0].dataset
    (entry,) = document.ContentSequence[1].ContentSequence
    cited = entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert cited == reading.left_out[1].sop_instance_uid


@pytest.mark.parametrize("attributes", [{"Rows": None}, {"SOPClassUID": None}])
def test_without_an_image_to_list_the_notice_alone_reports_it(attributes: dict[str, None]) -> None:
    reading, sources = not_eligible(*TOMOSYNTHESIS, **attributes)
    assert kinds(results(reading, sources, AS_FAILED)) == ["notice"]


def test_a_reading_that_failed_before_its_images_were_known_is_reported_in_a_notice() -> None:
    reading = make_study_reading(Outcome.FAILED, reasons=(Reason.READING_FAILED,))
    assert kinds(results(reading, index_by_uid(make_header("LCC")))) == ["notice"]


def test_pixels_are_loaded_only_where_something_is_drawn() -> None:
    reading, sources = make_situations()["partial with marks"]
    asked: list[str] = []

    def display(uid: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        asked.append(uid)
        return make_grey_display(uid)

    compose_results(reading, sources, display, make_authorship(ProfileSettings(overview=False)))
    assert set(asked) == {reading.images[1].mammogram.sop_instance_uid}
    asked.clear()
    compose_results(reading, sources, display, make_authorship(DEFAULT))
    read_images = {i.mammogram.sop_instance_uid for i in reading.images if i.status.was_read}
    assert set(asked) == read_images


def test_every_object_has_its_own_uid_and_position() -> None:
    headers = [make_header("RCC"), make_header("LCC")]
    images = [
        make_image_reading(headers[0], make_cluster(label="RCC", at=(500.5, 300.5))),
        make_image_reading(headers[1], make_cluster()),
    ]
    objects = results(make_study_reading(Outcome.PARTIAL, *images), index_by_uid(*headers))
    assert kinds(objects) == ["cad-sr", "overview", "view", "view", "notice"]
    assert [o.index for o in objects] == [0, 0, 1, 2, 3]
    assert [o.dataset.InstanceNumber for o in objects] == [1, 1, 2, 3, 4]
    assert len({o.sop_instance_uid for o in objects}) == 5
    assert len({o.dataset.SeriesInstanceUID for o in objects}) == 2


EVERYTHING = ProfileSettings(objects=tuple(ObjectKind))


def test_every_kind_of_object_has_a_series_and_is_made() -> None:
    objects = results(*make_situations()["partial with marks"], EVERYTHING)
    assert set(RESULT_SERIES) == {o.kind for o in objects} == set(ObjectKind)
    numbers = [series.number for series in RESULT_SERIES.values()]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(10))


def test_every_kind_of_object_is_accepted_when_it_comes_back() -> None:
    assert all(may_be_own(series.sop_class) for series in RESULT_SERIES.values())


def test_the_profile_names_series_and_maker() -> None:
    profile = ProfileSettings(
        objects=tuple(ObjectKind),
        series_description="Zweitbefund",
        series_number=500,
        manufacturer="Known Maker",
    )
    objects = results(*make_situations()["partial with marks"], profile)
    assert {o.kind: int(o.dataset.SeriesNumber) for o in objects} == {
        ObjectKind.CAD_SR: 511,
        ObjectKind.CAPTURE: 512,
        ObjectKind.TID1500: 513,
        ObjectKind.PRESENTATION: 514,
    }
    for o in objects:
        assert o.dataset.SeriesDescription.startswith("Zweitbefund: ")
        assert o.dataset.SeriesDescription.endswith(", rev 1")
        assert o.dataset.Manufacturer == "Known Maker"
    assert objects[0].dataset.AuthorObserverSequence[0].Manufacturer == "Known Maker"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"),
        ("ISO_IR 126", "\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2"),
        ("ISO_IR 100", "M\u00fcller^J\u00fcrgen"),
    ],
)
@pytest.mark.parametrize("wanted", ["source", "ISO_IR 192"])
def test_names_survive_in_the_images_character_set_and_in_utf_8(
    character_set: str | list[str], name: str, wanted: str
) -> None:
    made = make_header("LCC", SpecificCharacterSet=character_set, PatientName=name)
    other = Dataset()
    other.PatientName = name
    made.OtherPatientIDsSequence = [other]
    stored = pydicom.dcmread(BytesIO(encode_file(_as_file(made))))
    reading = make_study_reading(Outcome.PARTIAL, make_image_reading(stored, make_cluster()))
    profile = EVERYTHING.model_copy(update={"character_set": wanted})
    for o in results(reading, index_by_uid(stored), profile):
        ds = pydicom.dcmread(BytesIO(encode_file(o.dataset)))
        expected = character_set if wanted == "source" else wanted
        assert ds.SpecificCharacterSet == expected
        assert ds.PatientName == name
        assert ds.OtherPatientIDsSequence[0].PatientName == name


def _as_file(ds: Dataset) -> Dataset:
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def test_every_kind_obeys_the_scheme_of_snomed_codes() -> None:
    profile = EVERYTHING.model_copy(update={"snomed_codes": "SRT"})
    for o in results(*make_situations()["partial with marks"], profile):
        schemes = {str(e.value) for e in o.dataset.iterall() if e.keyword == CODING_SCHEME}
        assert "SCT" not in schemes
        assert ("SRT" in schemes) is (o.kind is not ObjectKind.PRESENTATION and _is_coded(o))


def _is_coded(result: ResultObject) -> bool:
    return result.kind is not ObjectKind.CAPTURE or result.source_uid is not None


CODING_SCHEME = "CodingSchemeDesignator"


def test_individual_calcifications_are_counted_where_they_are_not_listed() -> None:
    reading, sources = make_situations()["findings"]
    for individual, members in ((True, 6), (False, 0)):
        profile = ProfileSettings(objects=("cad-sr",), individual_calcifications=individual)  # type: ignore[arg-type]  # as from a file
        (document,) = results(reading, sources, profile)
        names = [e.value for e in document.dataset.iterall() if e.keyword == "CodeMeaning"]
        assert names.count("Number of calcifications") == 2
        findings = [
            item
            for item in _items(document.dataset)
            if item.get("ConceptCodeSequence")
            and item.ConceptNameCodeSequence[0].CodeMeaning == "Single Image Finding"
            and item.ConceptCodeSequence[0].CodeMeaning == "Individual Calcification"
        ]
        assert len(findings) == members


def _items(ds: Dataset) -> Iterator[Dataset]:
    for item in ds.get("ContentSequence", []):
        yield item
        yield from _items(item)


def test_a_document_that_fails_its_check_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        compose_module, "check_own_cad_sr", lambda *_: [Fault("1.2", "a"), Fault("1.3", "b")]
    )
    with pytest.raises(ReportError, match=r"1\.2: a; 1\.3: b"):
        results(*make_situations()["findings"])


def encoded() -> Iterator[bytes]:
    for result in results(*make_situations()["partial with marks"], EVERYTHING):
        yield encode_file(result.dataset)


def test_the_same_reading_gives_the_same_bytes() -> None:
    assert list(encoded()) == list(encoded())


def test_files_are_part_10_with_the_names_of_this_software() -> None:
    for data in encoded():
        assert data[128:132] == b"DICM"
        ds = pydicom.dcmread(BytesIO(data))
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert ds.file_meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def test_a_capture_as_png_has_the_same_picture() -> None:
    *_, notice = results(*make_situations()["partial with marks"])
    picture = Image.open(BytesIO(encode_capture_png(notice.dataset)))
    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), notice.dataset.pixel_array)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_study_whose_uids_have_leading_zeros_is_reported_on_as_they_came(keyword: str) -> None:
    uid = "1.2.0840.0099.01"
    ds = make_header("LCC", **{keyword: uid})
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, make_cluster()))
    reading = replace(reading, study_uid=str(ds.StudyInstanceUID))
    everything = ProfileSettings(objects=tuple(ObjectKind))
    objects = results(reading, index_by_uid(ds), everything)

    assert {result.kind for result in objects} == set(ObjectKind)
    for result in objects:
        # A capture names no series of others.
        if result.kind is not ObjectKind.CAPTURE or keyword != "SeriesInstanceUID":
            assert uid.encode() in encode_file(result.dataset)
