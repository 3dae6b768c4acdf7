"""The files that are given, in studies: what one image lacks, and what is another woman's."""

from pathlib import Path

from pydicom.dataset import Dataset

from secondread.offline.input_files import InputFiles, gather_files
from secondread.reasons import Reason
from tests.worlds.builders import header

ANNA = {"PatientName": "Alpha^Anna", "PatientBirthDate": "19500301"}
BERTA = {"PatientName": "Beta^Berta", "PatientBirthDate": "19710203"}


def gather(folder: Path, *headers: Dataset) -> InputFiles:
    for number, ds in enumerate(headers):
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return gather_files([folder])


def test_an_image_of_another_woman_is_set_aside_and_her_header_is_not_used(tmp_path: Path) -> None:
    files = gather(tmp_path, header(**ANNA), header(**BERTA), header(**ANNA))

    (stray,) = files.strays["1.2.3"]
    assert (stray.path.name, stray.mammogram.person.name) == ("1.dcm", "Beta^Berta")
    assert {path.name for path in files.studies["1.2.3"].values()} == {"0.dcm", "2.dcm"}
    assert {str(ds.PatientName) for ds in files.headers.values()} == {"Alpha^Anna"}


def test_an_image_without_id_and_date_has_those_of_its_study(tmp_path: Path) -> None:
    files = gather(tmp_path, header(PatientID="", StudyDate="", **ANNA), header(**ANNA))

    assert {m.patient.patient_id for m in files.mammograms.values()} == {"P1"}
    assert {str(m.study_date) for m in files.mammograms.values()} == {"2026-01-05"}
    assert files.completed["1.2.3"] == (
        Reason.PATIENT_ID_FROM_OTHERS,
        Reason.STUDY_DATE_FROM_OTHERS,
    )
    assert files.strays["1.2.3"] == ()


def test_a_uid_that_names_nothing_is_answered_as_a_refused_file(tmp_path: Path) -> None:
    good, bad = header(), header()
    bad["StudyInstanceUID"]._value = "1..2"
    files = gather(tmp_path, good, bad)

    (refused,) = files.unreadable
    assert (refused.path.name, refused.reason) == ("1.dcm", Reason.HEADER_INVALID)
    assert list(files.studies) == ["1.2.3"]
