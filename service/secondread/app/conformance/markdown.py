"""Paragraphs and tables of Markdown."""

from collections.abc import Iterable, Sequence


def format_heading(level: int, text: str) -> str:
    """Return a heading.

    >>> format_heading(2, "4 Networking")
    '## 4 Networking'
    """
    return f"{'#' * level} {text}"


def format_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a table.

    >>> print(format_table(["a", "b"], [[1, "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\|y |
    """
    lines = [list(columns), ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(value) for value in row)} |" for row in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def format_list(items: Iterable[str]) -> str:
    r"""Return a list.

    >>> format_list(["a", "b"])
    '- a\n- b'
    """
    return "\n".join(f"- {item}" for item in items)


def join_blocks(parts: Iterable[str]) -> str:
    """Return the parts with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
