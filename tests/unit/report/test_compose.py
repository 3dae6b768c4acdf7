"""What a destination gets, by outcome and profile, and the bytes of it."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from secondread.errors import ReportError
from secondread.findings.finding import LeftOut, StudyReading
from secondread.reasons import Outcome, Reason
from secondread.report import compose as compose_module
from secondread.report.check import Fault
from secondread.report.compose import capture_png, compose, to_bytes
from secondread.report.header import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from secondread.report.result import ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    FIRST,
    NODE,
    UIDS,
    by_uid,
    cluster,
    grey,
    read,
    situations,
    source,
    study,
)

DEFAULT = ProfileSettings()
ONLY_CAPTURES = (ObjectKind.CAPTURE,)


def results(
    reading: StudyReading, sources: dict[str, Dataset], profile: ProfileSettings = DEFAULT
) -> tuple[ResultObject, ...]:
    return compose(reading, sources, grey, NODE, UIDS, FIRST, profile)


def kinds(objects: tuple[ResultObject, ...]) -> list[str]:
    """Return kind and, of captures, whether each is about an image or a notice."""
    return [
        o.kind.value if o.kind is ObjectKind.CAD_SR else "view" if o.source_uid else "notice"
        for o in objects
    ]


def not_eligible(*reasons: Reason, **attributes: object) -> tuple[StudyReading, dict[str, Dataset]]:
    headers = [source("LCC", **attributes), source("LMLO", **attributes)]
    left_out = tuple(
        LeftOut(str(ds.SOPInstanceUID), "LCC", reason)
        for ds, reason in zip(headers, reasons, strict=True)
    )
    reading = study(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,))
    return replace(reading, left_out=left_out), by_uid(*headers)


TOMOSYNTHESIS = (Reason.TOMOSYNTHESIS, Reason.TOMOSYNTHESIS)


@pytest.mark.parametrize(
    ("situation", "profile", "expected"),
    [
        ("findings", {}, ["cad-sr", "view"]),
        ("findings", {"objects": ["cad-sr"]}, ["cad-sr"]),
        ("findings", {"objects": ["capture"]}, ["view"]),
        ("findings", {"objects": []}, []),
        ("findings", {"send_empty": False, "send_failed": False}, ["cad-sr", "view"]),
        ("no findings", {}, ["cad-sr"]),
        ("no findings", {"objects": ["capture"]}, ["notice"]),
        ("no findings", {"send_empty": False}, []),
        ("no findings", {"send_empty": False, "objects": ["capture"]}, []),
        ("no findings with doubts", {}, ["cad-sr", "notice"]),
        ("no findings with doubts", {"send_empty": False}, ["cad-sr", "notice"]),
        ("no findings with doubts", {"objects": ["capture"]}, ["notice"]),
        ("partial with marks", {}, ["cad-sr", "view", "notice"]),
        ("partial without marks", {}, ["cad-sr", "notice"]),
        ("partial without marks", {"send_empty": False}, ["cad-sr", "notice"]),
        ("every image failed", {}, ["cad-sr", "notice"]),
        ("every image failed", {"send_failed": False}, []),
        ("every image failed", {"objects": ["capture"]}, ["notice"]),
    ],
)
def test_a_destination_gets_what_its_profile_names(
    situation: str, profile: dict[str, object], expected: list[str]
) -> None:
    reading, sources = situations()[situation]
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
    ],
)
def test_a_study_with_nothing_in_scope_is_said_in_a_notice(
    profile: dict[str, object], expected: list[str]
) -> None:
    reading, sources = not_eligible(*TOMOSYNTHESIS)
    objects = results(reading, sources, ProfileSettings.model_validate(profile))
    assert kinds(objects) == expected


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
def test_without_an_image_to_list_the_notice_alone_says_it(attributes: dict[str, None]) -> None:
    reading, sources = not_eligible(*TOMOSYNTHESIS, **attributes)
    assert kinds(results(reading, sources, AS_FAILED)) == ["notice"]


def test_a_reading_that_failed_before_its_images_were_known_is_said_in_a_notice() -> None:
    reading = study(Outcome.FAILED, reasons=(Reason.READING_FAILED,))
    assert kinds(results(reading, by_uid(source("LCC")))) == ["notice"]


def test_pixels_are_asked_for_only_where_something_is_drawn() -> None:
    reading, sources = situations()["partial with marks"]
    asked: list[str] = []

    def display(uid: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        asked.append(uid)
        return grey(uid)

    compose(reading, sources, display, NODE, UIDS, FIRST, DEFAULT)
    assert asked == [reading.images[1].mammogram.sop_instance_uid]


def test_every_object_has_its_own_uid_and_position() -> None:
    headers = [source("RCC"), source("LCC")]
    images = [
        read(headers[0], cluster(label="RCC", at=(500.5, 300.5))),
        read(headers[1], cluster()),
    ]
    objects = results(study(Outcome.PARTIAL, *images), by_uid(*headers))
    assert kinds(objects) == ["cad-sr", "view", "view", "notice"]
    assert [o.index for o in objects] == [0, 0, 1, 2]
    assert [o.dataset.InstanceNumber for o in objects] == [1, 1, 2, 3]
    assert len({o.sop_instance_uid for o in objects}) == 4
    assert len({o.dataset.SeriesInstanceUID for o in objects}) == 2


def test_a_document_that_fails_its_check_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        compose_module, "check_cad_sr", lambda _: [Fault("1.2", "a"), Fault("1.3", "b")]
    )
    with pytest.raises(ReportError, match=r"1\.2: a; 1\.3: b"):
        results(*situations()["findings"])


def encoded() -> Iterator[bytes]:
    for result in results(*situations()["partial with marks"]):
        yield to_bytes(result.dataset)


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
    *_, notice = results(*situations()["partial with marks"])
    picture = Image.open(BytesIO(capture_png(notice.dataset)))
    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), notice.dataset.pixel_array)
