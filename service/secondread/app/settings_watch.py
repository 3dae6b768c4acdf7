"""Which settings a process was started with other than the one before it, for the audit trail."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from secondread.audit import AuditEvent, AuditKind
from secondread.settings import Settings

_MOST_NAMED = 40
_LONGEST = 200

_NETWORK = ("receive.", "peers[", "destinations[", "priors.sources[")
_SECURITY = ("web.", "audit.", "receive.unknown_peers", "receive.tls")
_SECURITY_ENDS = (".may_change", ".addresses", ".tls")

ENABLED = "audit.enabled"


def describe_place(settings: Settings, host: str) -> str:
    """Return a digest of the machine and the data folder: what else has settings of its own."""
    return hashlib.sha256(f"{host}\n{settings.node.data_dir}".encode()).hexdigest()


def describe_changes(
    before: Mapping[str, str], now: Mapping[str, str], user: str, at: datetime
) -> list[AuditEvent]:
    """Return the events of settings that changed: one for each kind of them.

    Parameters
    ----------
    before, now
        The settings, flattened.
    user
        The process that was started with them; who changed the file is not known.
    at
        The present instant.
    """
    changed: dict[AuditKind, list[str]] = {}
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, "none"), now.get(key, "none")
        if old != new:
            words = f"{key}: {old[:_LONGEST]} -> {new[:_LONGEST]}"
            changed.setdefault(_choose_kind(key, new), []).append(words)
    return [AuditEvent(kind, at, user, words=_join(words)) for kind, words in changed.items()]


def _choose_kind(key: str, new: str) -> AuditKind:
    if key == ENABLED and new != "true":
        return AuditKind.TRAIL_STOPPED
    if key.startswith(_SECURITY) or key.endswith(_SECURITY_ENDS) or ".tls." in key:
        return AuditKind.SECURITY_CHANGED
    return AuditKind.NETWORK_CHANGED if key.startswith(_NETWORK) else AuditKind.SOFTWARE_CHANGED


def _join(changes: list[str]) -> str:
    more = len(changes) - _MOST_NAMED
    return "\n".join([*changes[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])
