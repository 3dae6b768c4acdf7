"""The events of an audit trail, as messages after DICOM PS3.15 A.5.

They name patients, as they must: they go to a table and to a syslog server of their own, never to
the log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple
from xml.etree import ElementTree

Code = tuple[str, str]
"""Code value and meaning, of the scheme DCM."""


class _Kind(NamedTuple):
    event: Code
    action: str
    """Create, Read, Update, Delete or Execute, by its first letter."""
    subtype: Code | None = None
    outcome: str = "0"
    """0: success; 4: minor failure, which is what a refusal is (PS3.15 A.5.1)."""


class AuditKind(Enum):
    """What happened: event and type of event (PS3.16 CID 400 and 401)."""

    STARTED = _Kind(("110100", "Application Activity"), "E", ("110120", "Application Start"))
    STOPPED = _Kind(("110100", "Application Activity"), "E", ("110121", "Application Stop"))
    SEEN = _Kind(("110103", "DICOM Instances Accessed"), "R")
    EXPORTED = _Kind(("110106", "Export"), "R")
    SEARCHED = _Kind(("110112", "Query"), "E")
    SIGN_IN_FAILED = _Kind(("110114", "User Authentication"), "E", ("110122", "Login"), "4")
    SIGNED_IN = _Kind(("110114", "User Authentication"), "E", ("110122", "Login"))
    CALLER_REFUSED = _Kind(
        ("110113", "Security Alert"), "E", ("110126", "Node Authentication"), "4"
    )
    ACCESS_DENIED = _Kind(
        ("110113", "Security Alert"), "E", ("110132", "Use of Restricted Function"), "4"
    )


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened, and who did it."""

    kind: AuditKind
    at: datetime
    user: str
    """A caller of the pages, or a process of the node; empty if nobody knows."""
    address: str = ""
    """IP address of a caller."""
    study_uid: str = ""


Record = Callable[[AuditEvent], None]
"""Records an event; never waits and never raises."""


def record_nothing(_: AuditEvent) -> None:
    """Record nothing: where no audit trail is wanted."""


def write_message(event: AuditEvent, source: str, process: int, patient_id: str = "") -> str:
    """Return an event as an XML message (PS3.15 A.5.1).

    Parameters
    ----------
    event
        What happened.
    source
        Who reports it: the node.
    process
        Id of the process that reports it.
    patient_id
        Of the patient of the event's study; empty if it is not known.
    """
    kind = event.kind.value
    root = ElementTree.Element("AuditMessage")
    identification = ElementTree.SubElement(
        root,
        "EventIdentification",
        EventActionCode=kind.action,
        EventDateTime=event.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=kind.outcome,
    )
    _add_code(identification, "EventID", kind.event)
    if kind.subtype is not None:
        _add_code(identification, "EventTypeCode", kind.subtype)
    _add_participants(root, event, source, process)
    ElementTree.SubElement(root, "AuditSourceIdentification", AuditSourceID=source)
    if event.study_uid:
        _add_object(root, event.study_uid, "2", "3", ("110180", "Study Instance UID", "DCM"))
    if patient_id:
        _add_object(root, patient_id, "1", "1", ("2", "Patient Number", "RFC-3881"))
    return ElementTree.tostring(root, encoding="unicode")


def _add_participants(
    root: ElementTree.Element, event: AuditEvent, source: str, process: int
) -> None:
    is_by_node = event.kind in {AuditKind.STARTED, AuditKind.STOPPED}
    node = ElementTree.SubElement(
        root,
        "ActiveParticipant",
        UserID=event.user if is_by_node else source,
        AlternativeUserID=str(process),
        UserIsRequestor="false",
    )
    _add_code(node, "RoleIDCode", ("110150", "Application"))
    if is_by_node:
        return
    caller = ElementTree.SubElement(
        root, "ActiveParticipant", UserID=event.user or "(unknown)", UserIsRequestor="true"
    )
    if event.address:
        # 2: an IP address.
        caller.attrib |= {
            "NetworkAccessPointID": event.address,
            "NetworkAccessPointTypeCode": "2",
        }
    if event.kind is AuditKind.EXPORTED:
        _add_code(caller, "RoleIDCode", ("110152", "Destination Role ID"))


def _add_object(
    root: ElementTree.Element, text: str, kind: str, role: str, code: tuple[str, str, str]
) -> None:
    item = ElementTree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_make_writable(text),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    value, meaning, scheme = code
    _add_code(item, "ParticipantObjectIDTypeCode", (value, meaning), scheme)


def _add_code(parent: ElementTree.Element, name: str, code: Code, scheme: str = "DCM") -> None:
    value, meaning = code
    attributes = {"csd-code": value, "originalText": meaning, "codeSystemName": scheme}
    ElementTree.SubElement(parent, name, attributes)


def _make_writable(text: str) -> str:
    """Return a text without what XML 1.0 cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
