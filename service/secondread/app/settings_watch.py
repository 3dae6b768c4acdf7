"""Which settings a process was started with other than the one before it, for the audit trail."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from secondread import __version__
from secondread.audit import AuditEvent, AuditKind
from secondread.settings import Settings
from secondread.track.database import hide_password

_LISTS = frozenset({"peers", "destinations", "priors.sources"})
_NAME_KEYS = ("name", "ae_title")
"""What an entry of a list is known by: its place changes when another is added before it."""

_MOST_NAMED = 40
_LONGEST = 200

_NETWORK = ("receive.", "peers[", "destinations[", "priors.sources[")
_SECURITY = ("web.", "audit.", "receive.unknown_peers", "receive.tls")
_SECURITY_ENDS = (".may_change", ".addresses", ".tls")

ENABLED = "audit.enabled"


def describe_place(settings: Settings, host: str) -> str:
    """Return a digest of the machine and the data folder: what else has settings of its own."""
    return hashlib.sha256(f"{host}\n{settings.node.data_dir}".encode()).hexdigest()


def flatten_settings(settings: Settings) -> dict[str, str]:
    """Return each setting by its key, as JSON, without passwords; and the version."""
    document = dict(_flatten(settings.model_dump(mode="json"), ""))
    for key in ("database.url", "database.engine_url"):
        document[key] = json.dumps(hide_password(json.loads(document[key])))
    return {**document, "version": json.dumps(__version__)}


def _flatten(value: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (of a JSON document)
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flatten(part, f"{key}.{name}" if key else str(name))
    elif key in _LISTS:
        for item in value:
            name = next((item[name] for name in _NAME_KEYS if name in item), "")
            yield from _flatten(item, f"{key}[{name}]")
    else:
        yield key, json.dumps(value)


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
