from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from secondread.audit import AuditEvent, AuditKind, write_message

AT = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def parse(kind: AuditKind, patient_id: str = "", **values: str) -> ElementTree.Element:
    event = AuditEvent(kind, AT, values.pop("user", "anna"), **values)
    return ElementTree.fromstring(write_message(event, "SECONDREAD", 4711, patient_id))


def test_what_was_seen_names_the_caller_the_study_and_its_patient() -> None:
    root = parse(AuditKind.SEEN, "P<1>", address="10.1.2.3", study_uid="1.2.3")

    head = root.find("EventIdentification")
    assert head is not None
    assert head.attrib == {
        "EventActionCode": "R",
        "EventDateTime": "2026-03-02T10:30:00.000+00:00",
        "EventOutcomeIndicator": "0",
    }
    event = head.find("EventID")
    assert event is not None
    assert event.attrib == {
        "csd-code": "110103",
        "originalText": "DICOM Instances Accessed",
        "codeSystemName": "DCM",
    }
    node, caller = root.findall("ActiveParticipant")
    assert (node.get("UserID"), node.get("UserIsRequestor")) == ("SECONDREAD", "false")
    assert caller.get("UserID") == "anna"
    assert caller.get("NetworkAccessPointID") == "10.1.2.3"
    objects = [item.get("ParticipantObjectID") for item in root.iter() if "Object" in item.tag]
    assert [text for text in objects if text] == ["1.2.3", "P<1>"]


@pytest.mark.parametrize(
    ("kind", "code", "subtype", "outcome"),
    [
        (AuditKind.STARTED, "110100", "110120", "0"),
        (AuditKind.STOPPED, "110100", "110121", "0"),
        (AuditKind.EXPORTED, "110106", None, "0"),
        (AuditKind.SEARCHED, "110112", None, "0"),
        (AuditKind.SIGNED_IN, "110114", "110122", "0"),
        (AuditKind.SIGN_IN_FAILED, "110114", "110122", "4"),
        (AuditKind.CALLER_REFUSED, "110113", "110126", "4"),
        (AuditKind.ACCESS_DENIED, "110113", "110132", "4"),
    ],
)
def test_every_event_has_its_codes(
    kind: AuditKind, code: str, subtype: str | None, outcome: str
) -> None:
    root = parse(kind)
    head = root.find("EventIdentification")
    assert head is not None
    assert head.get("EventOutcomeIndicator") == outcome
    codes = [child.get("csd-code") for child in head]
    assert codes == [code] + ([] if subtype is None else [subtype])


def test_a_patient_id_that_xml_cannot_hold_still_makes_a_message() -> None:
    root = parse(AuditKind.SEEN, "P\x001\x1b\ud800", study_uid="1.2.3")
    assert root.findall("ParticipantObjectIdentification")[1].get("ParticipantObjectID") == "P?1??"
