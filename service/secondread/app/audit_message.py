"""Events of the audit trail as XML messages after DICOM PS3.15 A.5.

A.5.1 has the schema, A.5.3 a table for each event: which participants it names, in which roles,
and which objects. Codes are those of PS3.16 (CID 400 to 405).
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from secondread.audit import AuditEvent, AuditKind
from secondread.settings import Settings

Code = tuple[str, str]
"""Code value and meaning, of the scheme DCM."""

_APPLICATION = ("110150", "Application")
_DESTINATION = ("110152", "Destination Role ID")
_SOURCE = ("110153", "Source Role ID")
_DESTINATION_MEDIA = ("110154", "Destination Media")
_URI_MEDIA = ("110037", "URI")

_ACTIVITY = ("110100", "Application Activity")
_LOG_USED = ("110101", "Audit Log Used")
_BEGIN = ("110102", "Begin Transferring DICOM Instances")
_ACCESSED = ("110103", "DICOM Instances Accessed")
_TRANSFERRED = ("110104", "DICOM Instances Transferred")
_EXPORT = ("110106", "Export")
_PATIENT_RECORD = ("110110", "Patient Record")
_QUERY = ("110112", "Query")
_ALERT = ("110113", "Security Alert")
_AUTHENTICATION = ("110114", "User Authentication")

_RESTRICTED = ("110132", "Use of Restricted Function")

SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
"""Outcomes. Of an alert, the second and third mean that what was tried did not succeed
(PS3.15 A.5.3.11)."""


class _Form(NamedTuple):
    """What the messages of one kind look like."""

    event: Code
    action: str
    subtype: Code | None = None
    outcome: str = SUCCESS
    caller_role: Code | None = None
    node_role: Code | None = None
    is_node_requestor: bool = False


_FORMS: Mapping[AuditKind, _Form] = {
    AuditKind.STARTED: _Form(
        _ACTIVITY, "E", ("110120", "Application Start"), node_role=_APPLICATION
    ),
    AuditKind.STOPPED: _Form(
        _ACTIVITY, "E", ("110121", "Application Stop"), node_role=_APPLICATION
    ),
    AuditKind.RECEIVED: _Form(_TRANSFERRED, "C", caller_role=_SOURCE, node_role=_DESTINATION),
    AuditKind.FETCHED: _Form(
        _TRANSFERRED, "C", None, SUCCESS, _SOURCE, _DESTINATION, is_node_requestor=True
    ),
    # Whether the receiver held it is not known, which makes it R (A.5.3.7).
    AuditKind.SENT: _Form(
        _TRANSFERRED, "R", None, SUCCESS, _DESTINATION, _SOURCE, is_node_requestor=True
    ),
    AuditKind.RETRIEVAL_ASKED: _Form(
        _BEGIN, "E", None, SUCCESS, _SOURCE, _DESTINATION, is_node_requestor=True
    ),
    AuditKind.QUERIED: _Form(
        _QUERY, "E", None, SUCCESS, _DESTINATION, _SOURCE, is_node_requestor=True
    ),
    AuditKind.SEEN: _Form(_ACCESSED, "R"),
    AuditKind.EXPORTED: _Form(_EXPORT, "R", caller_role=_DESTINATION, node_role=_SOURCE),
    AuditKind.SEARCHED: _Form(_QUERY, "E", caller_role=_SOURCE, node_role=_DESTINATION),
    AuditKind.WITHDRAWN: _Form(_ACCESSED, "D"),
    AuditKind.PATIENT_CHANGED: _Form(_PATIENT_RECORD, "U"),
    AuditKind.PATIENT_SHOWN: _Form(_PATIENT_RECORD, "R"),
    AuditKind.READING_ASKED: _Form(_ALERT, "E", _RESTRICTED),
    AuditKind.SENDING_ASKED: _Form(_ALERT, "E", _RESTRICTED),
    AuditKind.ASSESSED: _Form(_ACCESSED, "U"),
    AuditKind.SIGNED_IN: _Form(_AUTHENTICATION, "E", ("110122", "Login")),
    AuditKind.SIGN_IN_FAILED: _Form(_AUTHENTICATION, "E", ("110122", "Login"), MINOR_FAILURE),
    AuditKind.SIGNED_OUT: _Form(_AUTHENTICATION, "E", ("110123", "Logout")),
    AuditKind.CALLER_REFUSED: _Form(_ALERT, "E", ("110126", "Node Authentication"), MINOR_FAILURE),
    AuditKind.ACCESS_DENIED: _Form(_ALERT, "E", _RESTRICTED, MINOR_FAILURE),
    AuditKind.FOREIGN_FORM: _Form(_ALERT, "E", _RESTRICTED, SERIOUS_FAILURE),
    AuditKind.CHANGE_REFUSED: _Form(_ALERT, "E", _RESTRICTED, MINOR_FAILURE),
    AuditKind.OWN_ALTERED: _Form(_ALERT, "E", _RESTRICTED, SERIOUS_FAILURE),
    AuditKind.ALARM_ACKNOWLEDGED: _Form(_ALERT, "E", _RESTRICTED),
    AuditKind.DESTINATION_CHANGED: _Form(_ALERT, "E", ("110128", "Network Configuration")),
    AuditKind.NETWORK_CHANGED: _Form(_ALERT, "E", ("110128", "Network Configuration")),
    AuditKind.SECURITY_CHANGED: _Form(_ALERT, "E", ("110129", "Security Configuration")),
    AuditKind.SOFTWARE_CHANGED: _Form(_ALERT, "E", ("110131", "Software Configuration")),
    AuditKind.ACCESS_CHANGED: _Form(_ALERT, "E", ("110137", "User Security Attributes Changed")),
    AuditKind.TRAIL_READ: _Form(_LOG_USED, "R"),
    AuditKind.TRAIL_STOPPED: _Form(
        _ALERT, "E", ("110133", "Audit Recording Stopped"), SERIOUS_FAILURE
    ),
}

_AE_KINDS = frozenset(
    {
        AuditKind.RECEIVED,
        AuditKind.FETCHED,
        AuditKind.SENT,
        AuditKind.RETRIEVAL_ASKED,
        AuditKind.QUERIED,
        AuditKind.WITHDRAWN,
        AuditKind.CALLER_REFUSED,
        AuditKind.CHANGE_REFUSED,
        AuditKind.OWN_ALTERED,
    }
)
"""Kinds whose caller is a DICOM application, by its AE title."""

_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_IMPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2"
_TRAIL_URI = "urn:secondread:audit_messages"


class CalledPeer(NamedTuple):
    """A destination or an archive, as this node calls it."""

    ae_title: str
    host: str


@dataclass(frozen=True, slots=True)
class MessageWriter:
    """Writes the messages of one process."""

    ae_title: str
    """Of the node: it is their source."""
    node_host: str
    """Name of the machine."""
    process: str
    """Name of the process."""
    pid: int
    peers: Mapping[str, CalledPeer]
    """Destinations and archives by their names in the settings."""

    @classmethod
    def from_settings(
        cls, settings: Settings, process: str, pid: int, node_host: str
    ) -> "MessageWriter":
        """Return what writes the messages of a process of a node."""
        peers = {peer.name: CalledPeer(peer.ae_title, peer.host) for peer in settings.destinations}
        sources = settings.priors.sources
        peers |= {source.name: CalledPeer(source.ae_title, source.host) for source in sources}
        return cls(settings.node.ae_title, node_host, process, pid, peers)

    def write(self, event: AuditEvent, patient_id: str) -> str:
        """Return an event as an XML message.

        Parameters
        ----------
        event
            What happened.
        patient_id
            Of the patient of the event's study; empty if it is not known.
        """
        form = _FORMS[event.kind]
        root = Element("AuditMessage")
        _add_identification(root, event, form)
        self._add_node(root, form)
        if form.event is not _ACTIVITY:
            self._add_caller(root, event, form)
        if event.kind is AuditKind.EXPORTED:
            _add_media(root, event)
        source = SubElement(root, "AuditSourceIdentification", AuditSourceID=self.ae_title)
        # 4: an application server.
        SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
        self._add_objects(root, event, form, event.patient_id or patient_id)
        return ElementTree.tostring(root, encoding="unicode")

    def _add_node(self, root: Element, form: _Form) -> None:
        """Add this process; of those that take part, the one that asks is the requestor."""
        node = SubElement(
            root,
            "ActiveParticipant",
            UserID=f"{self.pid}@{self.node_host}",
            AlternativeUserID=f"AETITLES={self.ae_title}",
            UserName=self.process,
            UserIsRequestor=str(form.is_node_requestor).lower(),
        )
        if form.node_role is not None:
            _add_code(node, "RoleIDCode", form.node_role)

    def _add_caller(self, root: Element, event: AuditEvent, form: _Form) -> None:
        peer = self.peers.get(event.user) if form.is_node_requestor else None
        name = event.user if peer is None else peer.ae_title
        address = event.address if peer is None else peer.host
        # Who performed what an alert is about is never its requestor (A.5.3.11).
        is_requestor = not form.is_node_requestor and form.event is not _ALERT
        caller = SubElement(root, "ActiveParticipant", UserID=_make_writable(name) or "(unknown)")
        if event.kind in _AE_KINDS and name:
            caller.set("AlternativeUserID", f"AETITLES={_make_writable(name)}")
        caller.set("UserIsRequestor", str(is_requestor).lower())
        if address:
            # 1: the name of a machine; 2: an IP address.
            caller.set("NetworkAccessPointID", _make_writable(address))
            caller.set("NetworkAccessPointTypeCode", "1" if peer is not None else "2")
        if form.caller_role is not None:
            _add_code(caller, "RoleIDCode", form.caller_role)

    def _add_objects(self, root: Element, event: AuditEvent, form: _Form, patient_id: str) -> None:
        if form.event is _ALERT:
            self._add_subject(root, event)
            return
        if form.event is _QUERY:
            _add_query(root, event)
        if event.kind is AuditKind.TRAIL_READ:
            code = ("12", "URI", "RFC-3881")
            _add_object(root, _TRAIL_URI, "2", "13", code, name="Security Audit Log")
        if event.study_uid:
            study = _add_object(root, event.study_uid, "2", "3", _STUDY)
            _add_instances(study, event.instances)
        if patient_id and form.event is not _QUERY:
            patient = _add_object(root, patient_id, "1", "1", _PATIENT)
            if event.words and form.event is _PATIENT_RECORD:
                _add_detail(patient, "Change", event.words)

    def _add_subject(self, root: Element, event: AuditEvent) -> None:
        """Add what an alert is about: a study, or else this node, and what happened to it."""
        if event.study_uid:
            subject = _add_object(root, event.study_uid, "2", "3", _STUDY)
        else:
            node = f"{self.ae_title}@{self.node_host}".replace(" ", "_")
            subject = _add_object(root, node, "2", "13", ("110182", "Node ID", "DCM"))
        _add_detail(subject, "Alert Description", event.words or event.kind.value)


_STUDY = ("110180", "Study Instance UID", "DCM")
_PATIENT = ("2", "Patient Number", "RFC-3881")


def _add_identification(root: Element, event: AuditEvent, form: _Form) -> None:
    identification = SubElement(
        root,
        "EventIdentification",
        EventActionCode=event.action or form.action,
        EventDateTime=event.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=MINOR_FAILURE if event.has_failed else form.outcome,
    )
    _add_code(identification, "EventID", form.event)
    if form.subtype is not None:
        _add_code(identification, "EventTypeCode", form.subtype)
    if event.words and form.event not in {_ALERT, _PATIENT_RECORD}:
        described = SubElement(identification, "EventOutcomeDescription")
        described.text = _make_writable(event.words)


def _add_media(root: Element, event: AuditEvent) -> None:
    """Add the medium of an export, which A.5.3.4 asks for: the answer to a request."""
    media = SubElement(root, "ActiveParticipant", UserID="download", UserIsRequestor="false")
    if event.address:
        media.set("NetworkAccessPointID", _make_writable(event.address))
        media.set("NetworkAccessPointTypeCode", "2")
    _add_code(media, "RoleIDCode", _DESTINATION_MEDIA)
    _add_code(SubElement(media, "MediaIdentifier"), "MediaType", _URI_MEDIA)


def _add_query(root: Element, event: AuditEvent) -> None:
    """Add what was looked for: the data set of a C-FIND, or what a person typed (A.5.3.10)."""
    is_dicom = event.kind is AuditKind.QUERIED
    code = ("110181", "SOP Class UID", "DCM") if is_dicom else ("10", "Search Criteria", "RFC-3881")
    text = _STUDY_ROOT_FIND if is_dicom else "study or patient"
    item = _add_object(root, text, "2", "3", code, query=event.query)
    if is_dicom:
        _add_detail(item, "TransferSyntax", _IMPLICIT_LITTLE_ENDIAN.decode())


def _add_object(
    root: Element,
    text: str,
    kind: str,
    role: str,
    code: tuple[str, str, str],
    name: str = "",
    query: bytes | None = None,
) -> Element:
    """Add an object; the schema wants a name or a query, even where there is none to give."""
    item = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_make_writable(text),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    value, meaning, scheme = code
    _add_code(item, "ParticipantObjectIDTypeCode", (value, meaning), scheme)
    if query is None:
        SubElement(item, "ParticipantObjectName").text = name
    else:
        SubElement(item, "ParticipantObjectQuery").text = b64encode(query).decode()
    return item


def _add_instances(study: Element, instances: Mapping[str, int]) -> None:
    if instances:
        description = SubElement(study, "ParticipantObjectDescription")
        for uid, number in sorted(instances.items()):
            values = {"UID": _make_writable(uid)} if uid else {}
            values["NumberOfInstances"] = str(number)
            SubElement(description, "SOPClass", values)


def _add_detail(item: Element, kind: str, words: str) -> None:
    value = b64encode(words.encode("utf-8", "replace")).decode()
    SubElement(item, "ParticipantObjectDetail", type=kind, value=value)


def _add_code(parent: Element, name: str, code: Code, scheme: str = "DCM") -> None:
    value, meaning = code
    attributes = {"csd-code": value, "codeSystemName": scheme, "originalText": meaning}
    SubElement(parent, name, attributes)


def _make_writable(text: str) -> str:
    """Return a text without what XML 1.0 cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
