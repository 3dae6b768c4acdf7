"""The front page: the day at a glance, and the list of studies.

No page names a patient. Nothing from a query string reaches the tracker unchecked.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from secondread.clock import Clock
from secondread.reasons import Outcome
from secondread.track.states import StudyState
from secondread.track.summaries import (
    StudyFilter,
    StudySummary,
)
from secondread.track.tracker import Tracker
from secondread.watch.day_overview import DayOverview
from secondread.watch.page_renderer import PageRenderer
from secondread.watch.places import parse_place, write_place
from secondread.watch.study_page import compute_seconds_to_result

PAGE_SIZE = 50

EnumT = TypeVar("EnumT", bound=StrEnum)


class StudyLists:
    """The endpoint that lists studies.

    Parameters
    ----------
    tracker
        What is asked.
    overview
        Looks at the day for the front page.
    clock
        The present instant.
    renderer
        Renders the pages.
    """

    def __init__(
        self,
        tracker: Tracker,
        overview: DayOverview,
        clock: Clock,
        renderer: PageRenderer,
    ) -> None:
        self._tracker = tracker
        self._overview = overview
        self._clock = clock
        self._renderer = renderer

    def show_studies(self, request: Request) -> Response:
        """List studies, filtered by state or outcome."""
        state = _parse_filter(StudyState, request.query_params.get("state"))
        outcome = _parse_filter(Outcome, request.query_params.get("outcome"))
        below = parse_place(request.query_params.get("below"))
        above = parse_place(request.query_params.get("above"))
        only = StudyFilter(state=state, outcome=outcome)
        queries = self._tracker.study_queries
        studies = queries.list_studies(PAGE_SIZE + 1, only, below=below, above=above)
        if above is not None and len(studies) <= PAGE_SIZE:
            # The first page is a whole one.
            below = above = None
            studies = queries.list_studies(PAGE_SIZE + 1, only)
        is_upward, has_more = above is not None, len(studies) > PAGE_SIZE
        shown = studies[-PAGE_SIZE:] if is_upward else studies[:PAGE_SIZE]
        has_newer = bool(shown) and (has_more if is_upward else below is not None)
        has_older = bool(shown) and (has_more or is_upward)
        links = {
            "first": _link_place(only) if below or above else None,
            "newer": _link_place(only, above=shown[0]) if has_newer else None,
            "older": _link_place(only, below=shown[-1]) if has_older else None,
        }
        return self._show_list(request, only, shown, links)

    def _show_list(
        self,
        request: Request,
        only: StudyFilter,
        studies: Sequence[StudySummary],
        links: Mapping[str, str | None],
    ) -> Response:
        now = self._clock()
        counts = self._tracker.node_queries.count_all(now)
        return self._renderer.render_page(
            request,
            "studies.html",
            {
                "studies": [(study, compute_seconds_to_result(study)) for study in studies],
                "only": only,
                "counts": counts,
                "day": self._overview.look(counts, now),
                "total": self._tracker.study_queries.count_studies(only),
                "links": links,
                "state_link": _make_filter_link("state"),
                "outcome_link": _make_filter_link("outcome"),
            },
            refresh=True,
        )


def _make_link(**values: object) -> str:
    given = {name: str(value) for name, value in values.items() if value is not None}
    return "/?" + urlencode(given) if given else "/"


def _make_filter_link(name: str) -> Callable[[StrEnum], str]:
    return lambda value: _make_link(**{name: value})


def _link_place(only: StudyFilter, **places: StudySummary) -> str:
    written = {name: write_place(study) for name, study in places.items()}
    return _make_link(state=only.state, outcome=only.outcome, **written)


def _parse_filter(kind: type[EnumT], text: str | None) -> EnumT | None:
    """Return the member with that value; None without a text.

    Raises
    ------
    HTTPException
        400: there is no such member.
    """
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise HTTPException(400, "There is no such filter.") from None
