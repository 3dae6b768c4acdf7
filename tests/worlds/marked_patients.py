"""Patients whose every text is a marker, to be looked for where no patient's data may be."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.worlds.builders import coded

MARKER = re.compile(r"mqz|19471103|1947-11-03|1947, 11, 3|031Y", re.IGNORECASE)
"""Every marker, and the birth date and age in each way of writing them."""

_TEXTS = {
    "PatientName": "Mqzname^Mqzgiven",
    "PatientID": "MQZ-ID-1",
    "IssuerOfPatientID": "MQZ-ISSUER",
    "OtherPatientNames": "Mqzother^Name",
    "PatientBirthName": "Mqzborn^Name",
    "PatientMotherBirthName": "Mqzmother^Name",
    "PatientBirthDate": "19471103",
    "PatientAge": "031Y",
    "PatientAddress": "Mqz street",
    "PatientComments": "mqz patient comment",
    "AdditionalPatientHistory": "mqz history",
    "AccessionNumber": "MQZACC",
    "StudyID": "MQZSTUDY",
    "StudyDescription": "mqz study",
    "SeriesDescription": "mqz series",
    "ProtocolName": "mqz protocol",
    "ImageComments": "mqz image comment",
    "InstitutionName": "Mqz hospital",
    "InstitutionAddress": "Mqz road",
    "InstitutionalDepartmentName": "Mqz department",
    "ReferringPhysicianName": "Mqzreferring^Dr",
    "PerformingPhysicianName": "Mqzperforming^Dr",
    "OperatorsName": "Mqzoperator^Op",
    "NameOfPhysiciansReadingStudy": "Mqzreading^Dr",
    "RequestingPhysician": "Mqzrequesting^Dr",
    "RequestedProcedureDescription": "mqz requested",
    "PerformedProcedureStepDescription": "mqz performed",
    "DerivationDescription": "mqz derived",
    "StationName": "MQZSTATION",
    "DeviceSerialNumber": "MQZSERIAL",
}


def mark_patient(ds: Dataset, **others: object) -> Dataset:
    """Write a marker into every text of a header, private and nested ones too; return it."""
    for keyword, text in (_TEXTS | others).items():
        setattr(ds, keyword, text)
    block = ds.private_block(0x0029, "MQZ MAKER", create=True)
    block.add_new(0x01, "LO", "mqz private")
    request = Dataset()
    request.ScheduledProcedureStepDescription = "mqz scheduled"
    request.ReasonForTheRequestedProcedure = "mqz reason"
    ds.RequestAttributesSequence = Sequence([request])
    other = Dataset()
    other.PatientID, other.TypeOfPatientID = "MQZ-OTHER-ID", "TEXT"
    ds.OtherPatientIDsSequence = Sequence([other])
    ds.AnatomicRegionSequence = Sequence([coded("MQZ", "99MQZ", "mqz region")])
    return ds


def list_marked_names(*folders: Path) -> Iterator[str]:
    """Yield the paths of files and folders that have a marker in them."""
    for folder in folders:
        for path in folder.rglob("*"):
            name = str(path.relative_to(folder))
            if MARKER.search(name):
                yield name


def find_markers(text: str) -> list[str]:
    """Return every line that has a marker in it."""
    return [line for line in text.splitlines() if MARKER.search(line)]
