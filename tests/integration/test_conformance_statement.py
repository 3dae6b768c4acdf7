"""The conformance statement in the docs is the one that this version of the program gives."""

import pytest

from secondread.accept.dispositions import REJECTION_TITLES
from secondread.accept.sop_classes import SOP_CLASSES, TRANSFER_SYNTAXES
from secondread.app.conformance.statement import build_statement
from secondread.codes import Change
from secondread.report.sr.own_codes import list_own_codes
from secondread.settings import ObjectKind, Preset, ProfileSettings
from tests.conformance.every_report import SUMMARY
from tests.conftest import ROOT

STATEMENT = ROOT / "service" / "docs" / "conformance.md"


def test_the_statement_in_the_docs_does_not_lag() -> None:
    made = build_statement(SUMMARY.read_text(encoding="utf-8"))
    assert STATEMENT.read_text(encoding="utf-8") == made, (
        "run `secondread conformance --validation service/docs/validation.md "
        "--out service/docs/conformance.md`"
    )


@pytest.mark.parametrize(
    "table",
    [
        [*(row.uid for row in SOP_CLASSES), *(row.uid for row in TRANSFER_SYNTAXES)],
        [f"`{value}`" for value in (*ObjectKind, *Preset)],
        [f"`{name}`" for name in ProfileSettings.model_fields],
        [f"| {title} | " for title in REJECTION_TITLES],
        [change.code.value for change in Change],
        [code.value for codes in list_own_codes().values() for code in codes],
    ],
    ids=["network", "kinds and presets", "profile", "rejections", "codes", "own codes"],
)
def test_every_row_of_a_table_is_in_the_statement(table: list[str]) -> None:
    text = build_statement()
    assert [row for row in table if row not in text] == []


def test_the_sections_are_in_the_order_of_ps3_2() -> None:
    text = build_statement()
    places = [text.index(f"## {number} ") for number in range(1, 9)]
    assert places == sorted(places)


def test_without_a_summary_the_statement_says_where_one_comes_from() -> None:
    assert "make conformance" in build_statement()
    assert "a summary of a run" in build_statement("a summary of a run")
