"""What documents for developers and operators name is there: files, folders, names in the code."""

import re
from functools import cache
from pathlib import Path

import pytest

from secondread.detect.gates import Gate
from tests.conftest import ROOT

PACKAGE = ROOT / "service" / "secondread"
DOCS = ROOT / "service" / "docs"
GENERATED = {"conformance.md", "fault-table.md", "states.md", "validation.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.name not in GENERATED),
]
CODE_FOLDERS = [ROOT / name for name in ("service", "models", "tests")]

WRITTEN = {"report.md"}
"""Files that the program writes, which are not here."""

FILE = re.compile(r"[\w./-]+\.(?:py|md|j2|html|mako|svg)")
FOLDER = re.compile(r"[\w-]+(?:/[\w-]+)*/")
NAME = re.compile(r"\w+(?:\.\w+)*")
"""A name in the code, as `OBJECT_RULES` or `header.build_header`."""


def get_title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=get_title)


def list_quoted(page: Path) -> list[str]:
    """Return what a page has between backticks; blocks of code are left out."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


@cache
def list_files() -> list[Path]:
    return [path for folder in CODE_FOLDERS for path in folder.rglob("*") if path.is_file()]


@cache
def list_words() -> frozenset[str]:
    """Return every word of the code, of file names, and of the wheel's settings."""
    sources = [path for path in list_files() if path.suffix in {".py", ".j2", ".html", ".toml"}]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    return frozenset(re.findall(r"\w+", text)) | {path.stem for path in list_files()}


def is_there(quoted: str, page: Path) -> bool:
    """Whether a path names a file or folder, from a place that a reader would start at."""
    if quoted in WRITTEN:
        return True
    starts = (page.parent, ROOT, PACKAGE, DOCS, PACKAGE.parent)
    if any((start / quoted).exists() for start in starts):
        return True
    return any(path.as_posix().endswith(f"/{quoted}") for path in list_files())


@each_page
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    paths = [text for text in list_quoted(page) if FILE.fullmatch(text) or FOLDER.fullmatch(text)]
    assert [path for path in paths if not is_there(path, page)] == []


@each_page
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "runbook.md" and page.parent.name != "decisions"],
    ids=get_title,
)
def test_every_name_of_the_code_that_a_page_quotes_is_in_the_code(page: Path) -> None:
    names = [
        text.rsplit(".", 1)[-1]
        for text in list_quoted(page)
        if NAME.fullmatch(text) and ("_" in text or not text.islower())
    ]
    # `_seconds` and its like are ends of names.
    endings = {name for name in names if name.startswith("_")}
    used = {name for name in endings if any(word.endswith(name) for word in list_words())}
    assert [name for name in names if name not in list_words() | used] == []


def test_the_runbook_explains_every_gate() -> None:
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    table = text.split("## Images that are refused or doubted")[1].split("\n## ")[0]
    assert [gate.value for gate in Gate if f"`{gate.value}`" not in table] == []
