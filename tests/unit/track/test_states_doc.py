"""The diagrams in the docs are drawn from the tables of transitions, and must not lag."""

from collections.abc import Mapping
from pathlib import Path

from secondread.track import states
from secondread.track.states import EventT, StateT

PAGE = Path(__file__).resolve().parents[3] / "service" / "docs" / "states.md"


def render_mermaid(table: Mapping[tuple[StateT, EventT], StateT]) -> str:
    """Return a table of transitions as a Mermaid state diagram, for the documentation.

    Events that join the same two states share an arrow.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), target in table.items():
        arrows.setdefault((state.name, target.name), []).append(event.value)
    lines = [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join(["stateDiagram-v2", *lines, ""])


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


def test_the_diagram_has_each_arrow_once_with_its_events() -> None:
    lines = render_mermaid(states.STUDY_TRANSITIONS).splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    READING --> REPORTED: results-recorded" in lines
    assert "    STUCK --> ASSEMBLING: instance-arrived, instance-rejected, requested" in lines
    assert len(lines) == len(set(lines))
    drawn = sum(line.count(",") + 1 for line in lines[1:])
    assert drawn == len(states.STUDY_TRANSITIONS)
