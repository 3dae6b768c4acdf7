"""Messages of the audit trail: PS3.15's schema (A.5.1), and its tables of what each has (A.5.3)."""

import subprocess
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from secondread.app.audit_message import CalledPeer, MessageWriter
from secondread.audit import AuditEvent, AuditKind

AT = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
MG = "1.2.840.10008.5.1.4.1.1.1.2"
SCHEMA = Path(__file__).resolve().parents[2] / "conformance" / "audit_message.rng"

WRITER = MessageWriter(
    "SECONDREAD", "node.example", "worker-0", 4711, {"pacs": CalledPeer("PACS", "pacs.example")}
)

PEER = ("MG1", "10.1.2.3", "1.2.3")
SAMPLES = {
    event.kind: event
    for event in (
        AuditEvent(AuditKind.STARTED, AT, "web"),
        AuditEvent(AuditKind.STOPPED, AT, "web"),
        AuditEvent(AuditKind.RECEIVED, AT, *PEER, instances={MG: 4}),
        AuditEvent(AuditKind.FETCHED, AT, *PEER, action="R", instances={MG: 4}),
        AuditEvent(AuditKind.SENT, AT, "pacs", study_uid="1.2.3", words="stored 0x0000"),
        AuditEvent(AuditKind.RETRIEVAL_ASKED, AT, "pacs", study_uid="1.2.3"),
        AuditEvent(AuditKind.QUERIED, AT, "pacs", patient_id="P1", query=b"\x08\x00\x52\x00"),
        AuditEvent(AuditKind.SEEN, AT, "anna", "10.1.2.3", "1.2.3"),
        AuditEvent(AuditKind.EXPORTED, AT, "anna", "10.1.2.3", "1.2.3"),
        AuditEvent(AuditKind.SEARCHED, AT, "anna", "10.1.2.3", query=b"P<1>"),
        AuditEvent(AuditKind.WITHDRAWN, AT, *PEER, words="images withdrawn: 2"),
        AuditEvent(AuditKind.PATIENT_CHANGED, AT, "anna", patient_id="P1", words="merged into P2"),
        AuditEvent(AuditKind.PATIENT_SHOWN, AT, "anna", patient_id="P1", words="on a page"),
        AuditEvent(AuditKind.READING_ASKED, AT, "anna", study_uid="1.2.3", words="read again"),
        AuditEvent(AuditKind.SENDING_ASKED, AT, "anna", study_uid="1.2.3", words="2 to pacs"),
        AuditEvent(AuditKind.ASSESSED, AT, "anna", study_uid="1.2.3", words="R: 4A"),
        AuditEvent(AuditKind.SIGNED_IN, AT, "anna", "10.1.2.3"),
        AuditEvent(AuditKind.SIGN_IN_FAILED, AT, "", "10.1.2.3"),
        AuditEvent(AuditKind.SIGNED_OUT, AT, "anna", "10.1.2.3"),
        AuditEvent(AuditKind.CALLER_REFUSED, AT, "STRANGER", "10.9.9.9", words="turned away"),
        AuditEvent(AuditKind.ACCESS_DENIED, AT, "meter", "10.1.2.3", "1.2.3", words="needs look"),
        AuditEvent(AuditKind.FOREIGN_FORM, AT, "anna", "10.1.2.3", words="of another site"),
        AuditEvent(AuditKind.CHANGE_REFUSED, AT, *PEER, words="tried to reject 1 image"),
        AuditEvent(AuditKind.OWN_ALTERED, AT, *PEER),
        AuditEvent(AuditKind.ALARM_ACKNOWLEDGED, AT, "anna", study_uid="1.2.3"),
        AuditEvent(AuditKind.DESTINATION_CHANGED, AT, "anna", words="pacs: shadow -> live"),
        AuditEvent(AuditKind.ACCESS_CHANGED, AT, "root", words="a token was made"),
        AuditEvent(AuditKind.NETWORK_CHANGED, AT, "web", words="receive.port: 1 -> 2"),
        AuditEvent(AuditKind.SECURITY_CHANGED, AT, "web", words="receive.tls: none -> 2\nmore"),
        AuditEvent(AuditKind.SOFTWARE_CHANGED, AT, "web"),
        AuditEvent(AuditKind.TRAIL_READ, AT, "root"),
        AuditEvent(AuditKind.TRAIL_STOPPED, AT, "web", words="audit.enabled: true -> false"),
    )
}
HOSTILE = "\x00<é&\"'>\ud800\x1b]]>\u2028" * 9

STUDY, PATIENT, NODE = "110180", "2", "110182"
SOURCE, DESTINATION, MEDIA, APPLICATION = "110153", "110152", "110154", "110150"

# PS3.15 A.5.3: event, its actions, the roles and the objects that have to be there.
TABLES = {
    "110100": ("E", [APPLICATION], []),
    "110101": ("R", [], ["12"]),
    "110102": ("E", [DESTINATION, SOURCE], [STUDY, PATIENT]),
    "110103": ("CRUD", [], [STUDY, PATIENT]),
    "110104": ("CRU", [DESTINATION, SOURCE], [STUDY, PATIENT]),
    "110106": ("R", [DESTINATION, SOURCE, MEDIA], [STUDY, PATIENT]),
    "110110": ("CRUD", [], [PATIENT]),
    "110112": ("E", [DESTINATION, SOURCE], ["one query"]),
    "110113": ("E", [], ["one subject"]),
    "110114": ("E", [], []),
}
SUBTYPES = {
    "110100": {"110120", "110121"},
    "110113": {"110126", "110128", "110129", "110131", "110132", "110133", "110137"},
    "110114": {"110122", "110123"},
}


def write(event: AuditEvent, patient_id: str = "P1") -> Element:
    return ElementTree.fromstring(WRITER.write(event, patient_id if event.study_uid else ""))


def codes(root: Element, path: str) -> list[str]:
    return [item.get("csd-code", "") for item in root.iterfind(path)]


def test_there_is_a_sample_of_every_kind_of_message() -> None:
    assert set(SAMPLES) == set(AuditKind)


@pytest.mark.peer("xmllint")
def test_every_kind_of_message_is_valid_by_the_schema_whatever_is_in_it(tmp_path: Path) -> None:
    files = []
    for number, sample in enumerate(SAMPLES.values()):
        hostile = replace(
            sample, user=HOSTILE, address=HOSTILE, study_uid=HOSTILE, words=HOSTILE,
            query=HOSTILE.encode("utf-8", "replace"), instances={HOSTILE: 1, "": 2},
        )  # fmt: skip
        bare = AuditEvent(sample.kind, AT, "")
        for name, event, patient_id in (
            ("plain", sample, "P1"),
            ("hostile", hostile, HOSTILE),
            ("bare", bare, ""),
        ):
            file = tmp_path / f"{name}-{number}.xml"
            file.write_text(WRITER.write(event, patient_id), encoding="utf-8")
            files.append(str(file))
    command = ["xmllint", "--noout", "--nonet", "--relaxng", str(SCHEMA), *files]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[:4000]


@pytest.mark.peer("xmllint")
@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("<ParticipantObjectName />", ""),
        ('EventOutcomeIndicator="0"', 'EventOutcomeIndicator="1"'),
        ("csd-code", "code"),
        ('UserIsRequestor="true"', 'UserIsRequestor="maybe"'),
    ],
)
def test_the_schema_finds_a_message_that_is_not_valid(
    tmp_path: Path, part: str, other: str
) -> None:
    text = WRITER.write(SAMPLES[AuditKind.SEEN], "P1")
    assert part in text
    file = tmp_path / "wrong.xml"
    file.write_text(text.replace(part, other, 1))
    command = ["xmllint", "--noout", "--nonet", "--relaxng", str(SCHEMA), str(file)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 3


@pytest.mark.parametrize("kind", AuditKind)
def test_every_message_names_what_its_table_asks_for(kind: AuditKind) -> None:
    root = write(SAMPLES[kind])
    (event,) = codes(root, "EventIdentification/EventID")
    actions, roles, objects = TABLES[event]
    head = root.find("EventIdentification")
    assert head is not None
    assert head.get("EventActionCode", "") in actions
    assert set(codes(root, "EventIdentification/EventTypeCode")) <= SUBTYPES.get(event, set())
    assert bool(codes(root, "EventIdentification/EventTypeCode")) is (event in SUBTYPES)
    for role in roles:
        assert codes(root, "ActiveParticipant/RoleIDCode").count(role) == 1
    found = codes(root, "*/ParticipantObjectIDTypeCode")
    assert len(found) == 1 if objects and objects[0].startswith("one ") else found == objects
    requestors = [item.get("UserIsRequestor") for item in root.iter("ActiveParticipant")]
    assert requestors.count("true") <= 1
    if event == "110113":
        # Who performed what an alert is about is no requestor, and the alert says what happened.
        assert "true" not in requestors
        details = root.findall("ParticipantObjectIdentification/ParticipantObjectDetail")
        assert [detail.get("type") for detail in details] == ["Alert Description"]


def test_what_was_seen_names_the_caller_the_study_and_its_patient() -> None:
    root = write(SAMPLES[AuditKind.SEEN], "P<1>")
    head = root.find("EventIdentification")
    assert head is not None
    assert head.attrib == {
        "EventActionCode": "R",
        "EventDateTime": "2026-03-02T10:30:00.000+00:00",
        "EventOutcomeIndicator": "0",
    }
    node, caller = root.findall("ActiveParticipant")
    assert (node.get("UserID"), node.get("UserName")) == ("4711@node.example", "worker-0")
    assert node.get("AlternativeUserID") == "AETITLES=SECONDREAD"
    assert (caller.get("UserID"), caller.get("UserIsRequestor")) == ("anna", "true")
    assert caller.get("NetworkAccessPointID") == "10.1.2.3"
    objects = [item.get("ParticipantObjectID") for item in root.iter() if "Object" in item.tag]
    assert [text for text in objects if text] == ["1.2.3", "P<1>"]


def test_a_transfer_names_both_sides_the_outcome_and_how_many_instances_of_each_class() -> None:
    failed = replace(SAMPLES[AuditKind.RECEIVED], has_failed=True, words="storage-full")
    root = write(failed)
    source = root.find("ActiveParticipant[@UserID='MG1']")
    assert source is not None
    assert source.get("AlternativeUserID") == "AETITLES=MG1"
    assert codes(source, "RoleIDCode") == [SOURCE]
    head = root.find("EventIdentification")
    assert head is not None
    assert head.get("EventOutcomeIndicator") == "4"
    assert head.findtext("EventOutcomeDescription") == "storage-full"
    sop_class = root.find("*/ParticipantObjectDescription/SOPClass")
    assert sop_class is not None
    assert sop_class.attrib == {"UID": MG, "NumberOfInstances": "4"}


def test_a_destination_is_named_by_its_title_and_host_and_not_by_our_word_for_it() -> None:
    root = write(SAMPLES[AuditKind.SENT])
    called = root.find("ActiveParticipant[@UserID='PACS']")
    assert called is not None
    assert called.get("NetworkAccessPointID") == "pacs.example"
    assert codes(called, "RoleIDCode") == [DESTINATION]


def test_a_query_holds_the_data_set_and_its_transfer_syntax() -> None:
    root = write(SAMPLES[AuditKind.QUERIED])
    query = root.findtext("ParticipantObjectIdentification/ParticipantObjectQuery")
    assert b64decode(query or "") == b"\x08\x00\x52\x00"
    detail = root.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    assert detail is not None
    assert detail.get("type") == "TransferSyntax"
    assert b64decode(detail.get("value", "")) == b"1.2.840.10008.1.2"
