"""The events of an audit trail (DICOM PS3.15 A.5): what happened, who did it, to which study.

They name patients, as they must: they go to a table and to a syslog server of their own, never to
the log.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuditKind(StrEnum):
    """What happened."""

    STARTED = "started"
    STOPPED = "stopped"
    RECEIVED = "received"
    """Instances came over an association that a peer opened."""
    FETCHED = "fetched"
    """Instances came because this node had asked for them."""
    SENT = "sent"
    RETRIEVAL_ASKED = "retrieval-asked"
    """An archive was asked to send instances."""
    QUERIED = "queried"
    """An archive was asked what it has of a patient."""
    SEEN = "seen"
    EXPORTED = "exported"
    SEARCHED = "searched"
    WITHDRAWN = "withdrawn"
    """A peer's note withdrew images."""
    PATIENT_CHANGED = "patient-changed"
    PATIENT_SHOWN = "patient-shown"
    """A caller of the pages asked for the identity of a patient."""
    READING_ASKED = "reading-asked"
    """A person asked for a study to be read again."""
    SENDING_ASKED = "sending-asked"
    """A person asked for results to be sent again."""
    ASSESSED = "assessed"
    """A person entered what a radiologist made of an exam."""
    SIGNED_IN = "signed-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGNED_OUT = "signed-out"
    CALLER_REFUSED = "caller-refused"
    ACCESS_DENIED = "access-denied"
    """A caller of the pages lacks the role for what it asked for."""
    FOREIGN_FORM = "foreign-form"
    """Another site had the browser of somebody who is signed in send a form."""
    CHANGE_REFUSED = "change-refused"
    """A peer tried to replace or to reject images that it may not change."""
    OWN_ALTERED = "own-object-altered"
    """A peer sent an object under a UID of this node's that is not what it wrote."""
    ALARM_ACKNOWLEDGED = "alarm-acknowledged"
    """A person has looked into an alarm, a refused caller, or a study that was not read."""
    DESTINATION_CHANGED = "destination-changed"
    ACCESS_CHANGED = "access-changed"
    """A token or link that lets people in was made or revoked."""
    NETWORK_CHANGED = "network-changed"
    """A process started with other peers, destinations or addresses than the one before."""
    SECURITY_CHANGED = "security-changed"
    """The same, of certificates, of rights and of who may see the pages."""
    SOFTWARE_CHANGED = "software-changed"
    """The same, of other settings, or of the version."""
    TRAIL_READ = "trail-read"
    TRAIL_STOPPED = "trail-stopped"
    """The settings switched the audit trail off, or some of it was lost."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened, and who did it."""

    kind: AuditKind
    at: datetime
    user: str
    """A caller of the pages, a person at the machine, an AE title, or the name of a destination or
    archive; empty if nobody knows."""
    address: str = ""
    """IP address of a caller."""
    study_uid: str = ""
    patient_id: str = ""
    """Empty: that of the study's patient, if it is known."""
    words: str = ""
    """What there is to say beside the kind; it may name a patient."""
    action: str = ""
    """Create, Read, Update, Delete or Execute by its first letter; empty: what the kind implies."""
    has_failed: bool = False
    instances: Mapping[str, int] = field(default_factory=dict)
    """How many instances were transferred, by SOP class."""
    query: bytes = b""
    """What was looked for: the text, or the data set of a C-FIND in Implicit VR Little Endian."""


Record = Callable[[AuditEvent], None]
"""Records an event; never waits and never raises."""


def record_nothing(_: AuditEvent) -> None:
    """Record nothing: where no audit trail is wanted."""


@dataclass(frozen=True, slots=True)
class Journal:
    """How one process writes messages of the audit trail."""

    process: str
    """Its name."""
    sender: str
    """The process that sends its messages on; empty where any may."""
    is_sent: bool
    """Whether there is no server to send them to."""
    write: Callable[[AuditEvent, str], str]
    """Writes an event as a message, given the ID of its patient."""
