"""The diagrams in the docs are drawn from the tables of transitions, and must not lag."""

from pathlib import Path

from secondread.track.states import (
    DELIVERY_TRANSITIONS,
    FETCH_TRANSITIONS,
    STUDY_TRANSITIONS,
    render_mermaid,
)

PAGE = Path(__file__).resolve().parents[3] / "service" / "docs" / "states.md"


def page() -> str:
    studies, deliveries = render_mermaid(STUDY_TRANSITIONS), render_mermaid(DELIVERY_TRANSITIONS)
    fetches = render_mermaid(FETCH_TRANSITIONS)
    return (
        "# States\n\n"
        "Drawn from the tables of transitions in `service/secondread/track/states.py`; a test\n"
        "fails when this page lags behind them.\n\n"
        f"## A study\n\n```mermaid\n{studies}```\n\n"
        f"## An object on its way to a destination\n\n```mermaid\n{deliveries}```\n\n"
        f"## A query for priors, or a prior wanted\n\n```mermaid\n{fetches}```\n"
    )


def test_the_page_of_states_shows_the_tables_of_transitions() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write the page anew from page()"
