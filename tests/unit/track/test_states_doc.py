"""The diagrams in the docs are drawn from the tables of transitions, and must not lag."""

from pathlib import Path

from secondread.track import states
from secondread.track.states import render_mermaid

PAGE = Path(__file__).resolve().parents[3] / "service" / "docs" / "states.md"

SECTIONS = {
    "A study": render_mermaid(states.STUDY_TRANSITIONS),
    "An object on its way to a destination": render_mermaid(states.DELIVERY_TRANSITIONS),
    "A storage commitment transaction": render_mermaid(states.COMMITMENT_TRANSITIONS),
    "A query for priors, or a prior wanted": render_mermaid(states.FETCH_TRANSITIONS),
}


def page() -> str:
    diagrams = (
        f"\n## {title}\n\n```mermaid\n{diagram}```\n" for title, diagram in SECTIONS.items()
    )
    return (
        "# States\n\n"
        "Drawn from the tables of transitions in `service/secondread/track/states.py`; a test\n"
        "fails when this page lags behind them.\n" + "".join(diagrams)
    )


def test_the_page_of_states_shows_the_tables_of_transitions() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write the page anew from page()"


def test_no_table_of_transitions_is_left_out() -> None:
    tables = [table for name, table in vars(states).items() if name.endswith("_TRANSITIONS")]
    assert [render_mermaid(table) for table in tables] == list(SECTIONS.values())
