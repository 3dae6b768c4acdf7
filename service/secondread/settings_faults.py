"""What is wrong with settings, in words of ours: every fault at once, each with its rule."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
"""Where a value is in the document: keys, and positions in lists from 0."""

_MOST_ROUNDS: Final = 5
_LONGEST_VALUE: Final = 60
_SECRET = re.compile("url|password|secret|token")
_NAME_KEYS: Final = ("name", "ae_title")

_PATTERNS: Final = {
    r"^[a-z0-9][a-z0-9_-]*$": "has to be lower-case letters, digits, - and _, the first of them a "
    "letter or digit",
    r"^[ -\[\]-~]+$": "has to be printable ASCII characters without a backslash",
    r"^[ -\[\]-}]*$": "has to be printable ASCII characters without backslash and tilde",
    r"^[A-Za-z0-9-]+$": "has to be letters, digits and -",
}
"""What a value has to be, by the pattern that it does not match."""

_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotation marks",
    "path": "a path in quotation marks",
    "tuple": "a list, as [..., ...]",
    "model": "a table",
    "dict": "a table",
}
"""What a value has to be, by the first word of the validator's code for a wrong type."""


def list_faults(
    model: type[BaseModel], values: Mapping[str, Any], context: Mapping[str, Any]
) -> list[tuple[Location, str]]:
    """Return every fault of settings: where it is, and the rule that it breaks.

    A rule between keys is looked at only once each of them is valid. So what is wrong is taken out,
    and the rest is validated again.

    Parameters
    ----------
    model
        What the settings have to be.
    values
        The document.
    context
        Handed to validators.
    """
    document, found = deepcopy(dict(values)), dict[Location, str]()
    for _ in range(_MOST_ROUNDS):
        try:
            model.model_validate(document, context=context)
            break
        except ValidationError as error:
            faults = error.errors(include_url=False)
        for fault in faults:
            found.setdefault(fault["loc"], _describe(fault, model, document))
        # Every one of them, whether or not the first was there.
        if sum(_take_out(document, fault) for fault in faults) == 0:
            break
    return sorted(found.items(), key=lambda item: [str(part) for part in item[0]])


def describe_location(location: Location, values: Mapping[str, Any]) -> str:
    """Return where a value is, an entry of a list by its position and its name.

    >>> describe_location(("peers", 0, "intake"), {"peers": [{"ae_title": "PACS"}]})
    'peers, entry 1 (PACS): intake'

    Empty for a rule of the document as a whole, which names the keys itself.
    """
    words, value = "", values
    for part in location:
        value = _step(value, part)
        if isinstance(part, int):
            name = _find_name(value)
            words += f", entry {part + 1}{f' ({name})' if name else ''}"
        elif "entry" in words.rpartition(", ")[2]:
            words += f": {part}"
        else:
            words += f".{part}" if words else str(part)
    return words


def _find_name(entry: object) -> str:
    names = [entry.get(key) for key in _NAME_KEYS] if isinstance(entry, Mapping) else []
    return next((name[:40] for name in names if isinstance(name, str)), "")


def _step(value: object, part: int | str) -> Any:  # noqa: ANN401  (of a document)
    try:
        return value[part]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return None


def _take_out(document: dict[str, Any], fault: ErrorDetails) -> bool:
    """Remove the key that a fault is about; return whether there was one."""
    path = list(fault["loc"])
    if fault["type"] == "missing" and path:
        path.pop()  # the table that misses something
    # A list goes as a whole: without one of its entries, the others would have new positions.
    while path and isinstance(path[-1], int):
        path.pop()
    if not path:
        return False
    parent: Any = document
    for part in path[:-1]:
        parent = _step(parent, part)
    return isinstance(parent, dict) and parent.pop(path[-1], None) is not None


def _describe(fault: ErrorDetails, model: type[BaseModel], values: Mapping[str, Any]) -> str:
    kind, limits = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return _describe_unknown_key(fault["loc"], model)
    describe = _DESCRIBERS.get(kind)
    if describe is not None:
        return describe(limits) + _quote(fault)
    words = _KINDS.get(kind.partition("_")[0])
    if words is None:
        return fault["msg"]
    if words == _KINDS["tuple"] and isinstance(fault["input"], Mapping):
        return f"is a list of tables: [[{'.'.join(map(str, fault['loc']))}]], in double brackets"
    return f"has to be {words}" + _quote(fault)


def _describe_choice(limits: Mapping[str, Any]) -> str:
    return f"has to be {limits['expected']}"


_DESCRIBERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "is not given, and has no default",
    "value_error": lambda limits: str(limits["error"]),
    "enum": _describe_choice,
    "literal_error": _describe_choice,
    "greater_than": lambda limits: f"has to be more than {limits['gt']:g}",
    "greater_than_equal": lambda limits: f"has to be at least {limits['ge']:g}",
    "less_than": lambda limits: f"has to be less than {limits['lt']:g}",
    "less_than_equal": lambda limits: f"has to be at most {limits['le']:g}",
    "string_too_long": lambda limits: f"has to be at most {limits['max_length']} characters",
    "string_too_short": lambda limits: f"has to be at least {limits['min_length']} characters",
    "too_short": lambda limits: f"is too short: at least {limits['min_length']} needed",
    "string_pattern_mismatch": lambda limits: _PATTERNS.get(
        limits["pattern"], f"has to match {limits['pattern']}"
    ),
}
"""The rule that a value breaks, by the validator's code and its limits."""


def _quote(fault: ErrorDetails) -> str:
    """Return what was given instead, where that says something and is no secret."""
    value, key = fault["input"], str(fault["loc"][-1]) if fault["loc"] else ""
    is_said = fault["type"] in {"missing", "value_error"} or not isinstance(
        value, str | int | float
    )
    if is_said or _SECRET.search(key):
        return ""
    return (
        f", not {str(value).lower() if isinstance(value, bool) else repr(value)[:_LONGEST_VALUE]}"
    )


def _describe_unknown_key(location: Location, model: type[BaseModel]) -> str:
    """Return that a key is unknown, and what may have been meant."""
    *path, key = (str(part) for part in location if not isinstance(part, int))
    section = _find_model(model, path)
    here = [] if section is None else list(section.model_fields)
    places = [name for name, fields in _list_sections(model) if key in fields]
    if places:
        return f"unknown key here; it belongs into [{'] or ['.join(places)}]"
    like = get_close_matches(key, here, 1, 0.6)
    if like:
        return f"unknown {'key' if path else 'section'}: did you mean `{like[0]}`?"
    if not path:
        return f"unknown section; there are: {', '.join(here)}"
    return f"unknown key; there are: {', '.join(here)}" if here else "unknown key"


def _find_model(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for key in path:
        field = None if found is None else found.model_fields.get(key)
        found = None if field is None else next(_list_models(field.annotation), None)
    return found


def _list_models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  (a type, or a form of one)
    """Yield the models that an annotation names, such as those of optional sections and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _list_models(argument)


def _list_sections(model: type[BaseModel]) -> Iterator[tuple[str, set[str]]]:
    for name, field in model.model_fields.items():
        section = next(_list_models(field.annotation), None)
        if section is not None:
            is_list = str(field.annotation).startswith("tuple")
            yield f"[{name}]" if is_list else name, set(section.model_fields)
