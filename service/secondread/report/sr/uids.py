"""UIDs of result objects: derived, so that a repeat makes the same objects and no duplicates.

A UID is ``2.25.`` and 128 bits (PS3.5 B.2) of a SHA-256 over the installation id, study,
revision, destination profile, role, and source instance or index. The bits of a version 8 UUID
(RFC 9562) are set, so that the number is a proper UUID-derived one.
"""

import hashlib
import uuid
from dataclasses import dataclass


def derive_uid(*parts: str) -> str:
    """Return the UID of the given parts; equal parts give equal UIDs.

    >>> derive_uid("a", "b") == derive_uid("a", "b")
    True
    >>> derive_uid("a", "b") == derive_uid("ab")
    False
    """
    text = "\x00".join(parts).encode()
    digest = bytearray(hashlib.sha256(text).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(digest)).int}"


@dataclass(frozen=True, slots=True)
class ResultUids:
    """The UIDs of one reading's objects for one destination profile."""

    installation_id: str
    study_uid: str
    revision: int
    profile: str

    def _derive(self, *parts: str) -> str:
        revision = str(self.revision)
        return derive_uid(self.installation_id, self.study_uid, revision, self.profile, *parts)

    def derive_series_uid(self, kind: str) -> str:
        """Return the Series Instance UID of all objects of a kind."""
        return self._derive("series", kind)

    def derive_instance_uid(self, kind: str, source: str) -> str:
        """Return the UID of an object: of its kind, and of the image it is about or ``study``."""
        return self._derive("instance", kind, source)

    def derive_tracking_uid(self, finding_id: str, study_uid: str = "") -> str:
        """Return the Tracking Unique Identifier (112040, DCM) of a finding, of a prior's too."""
        study = study_uid or self.study_uid
        return derive_uid(self.installation_id, study, "lesion", finding_id)


def derive_device_uid(installation_id: str) -> str:
    """Return the UID of the node as an observing device."""
    return derive_uid(installation_id, "device")
