"""The settings as a flat document: each by its key, as JSON, without passwords."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from secondread import __version__
from secondread.settings import Settings
from secondread.track.database import hide_password

_LISTS = frozenset({"peers", "destinations", "priors.sources"})
_NAME_KEYS = ("name", "ae_title")
"""What an entry of a list is known by: its place changes when another is added before it."""


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
