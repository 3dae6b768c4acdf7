import pytest
from pydicom import uid

from secondread.accept.classify import classify, may_be_own
from secondread.accept.dispositions import Disposition
from tests.unit.accept.fakes import document, instance

FOR_PRESENTATION = uid.DigitalMammographyXRayImageStorageForPresentation
FOR_PROCESSING = uid.DigitalMammographyXRayImageStorageForProcessing
KEY_OBJECT = uid.KeyObjectSelectionDocumentStorage
BESIDE = [
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.ColorSoftcopyPresentationStateStorage,
    uid.XRayRadiationDoseSRStorage,
    uid.EncapsulatedPDFStorage,
    uid.UltrasoundImageStorage,
]


@pytest.mark.parametrize("sop_class", [FOR_PRESENTATION, FOR_PROCESSING])
def test_2d_mammograms_are_considered_for_reading(sop_class: str) -> None:
    assert classify(instance(1, sop_class), is_own=False) is Disposition.MAMMOGRAM


@pytest.mark.parametrize(
    "sop_class",
    [
        uid.BreastTomosynthesisImageStorage,
        uid.BreastProjectionXRayImageStorageForPresentation,
        uid.BreastProjectionXRayImageStorageForProcessing,
    ],
)
def test_other_breast_images_are_stored_out_of_scope(sop_class: str) -> None:
    assert classify(instance(1, sop_class), is_own=False) is Disposition.OUT_OF_SCOPE


@pytest.mark.parametrize("sop_class", BESIDE)
def test_secondary_objects_of_others_are_not_analysed(sop_class: str) -> None:
    assert classify(instance(1, sop_class), is_own=False) is Disposition.NOT_ANALYSED


@pytest.mark.parametrize("sop_class", [*BESIDE, uid.MammographyCADSRStorage])
def test_own_objects_that_come_back_are_known_as_such(sop_class: str) -> None:
    assert may_be_own(sop_class)
    assert classify(instance(1, sop_class), is_own=True) is Disposition.OWN


@pytest.mark.parametrize("sop_class", [*BESIDE, uid.MammographyCADSRStorage])
def test_what_is_altered_or_broken_is_nobodys_report(sop_class: str) -> None:
    altered = classify(instance(1, sop_class), is_own=False, is_doubtful=True)
    assert altered is Disposition.NOT_ANALYSED


@pytest.mark.parametrize("sop_class", [FOR_PRESENTATION, KEY_OBJECT])
def test_classes_that_the_node_never_writes_are_not_looked_up(sop_class: str) -> None:
    assert not may_be_own(sop_class)


@pytest.mark.parametrize("value", ["113001", "113037", "113038", "113039"])
def test_key_objects_that_reject_are_stored(value: str) -> None:
    note = document(1, KEY_OBJECT, (value, "DCM", "Rejected"))
    assert classify(note, is_own=False) is Disposition.REJECTION_NOTE


@pytest.mark.parametrize(
    "title", [("113000", "DCM", "Of Interest"), ("113001", "99LOCAL", "Rejected"), None]
)
def test_other_key_objects_are_not_analysed(title: tuple[str, str, str] | None) -> None:
    assert classify(document(1, KEY_OBJECT, title), is_own=False) is Disposition.NOT_ANALYSED


def test_cad_reports_of_others_are_stored() -> None:
    report = document(1, uid.MammographyCADSRStorage)
    assert classify(report, is_own=False) is Disposition.OTHER_CAD_SR


@pytest.mark.parametrize("sop_class", [uid.CTImageStorage, "", "1.2.3"])
def test_what_was_never_negotiated_is_refused(sop_class: str) -> None:
    assert classify(instance(1, sop_class), is_own=False) is Disposition.REFUSED
