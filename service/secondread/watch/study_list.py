"""Lists of studies: the front page, and what a search finds.

A search for a patient is a POST: what is looked for is in no address, and no page names a patient.
Nothing from a query string reaches the tracker unchecked.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.reasons import Outcome
from secondread.settings import Settings
from secondread.track.states import StudyState
from secondread.track.summaries import (
    StudyFilter,
    StudySummary,
)
from secondread.track.tracker import Tracker
from secondread.uids import is_uid
from secondread.watch.callers import find_address
from secondread.watch.day_overview import DayOverview
from secondread.watch.guard import get_caller
from secondread.watch.login_pages import read_form
from secondread.watch.page_renderer import PageRenderer
from secondread.watch.places import parse_place, write_place
from secondread.watch.study_page import compute_seconds_to_result

PAGE_SIZE = 50
_MOST_PATIENT_STUDIES = 500
_NO_LINKS = dict.fromkeys(("first", "newer", "older"))

EnumT = TypeVar("EnumT", bound=StrEnum)


class StudyLists:
    """The endpoints that list studies.

    Parameters
    ----------
    tracker
        What is asked.
    overview
        Looks at the day for the front page.
    settings
        The node's settings.
    clock
        The present instant.
    renderer
        Renders the pages.
    record
        Takes the events of the audit trail.
    """

    def __init__(
        self,
        tracker: Tracker,
        overview: DayOverview,
        settings: Settings,
        clock: Clock,
        renderer: PageRenderer,
        record: Record = record_nothing,
    ) -> None:
        self._tracker = tracker
        self._overview = overview
        self._settings = settings
        self._clock = clock
        self._renderer = renderer
        self._record = record

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

    async def search(self, request: Request) -> Response:
        """Find a study by its UID, or the studies of a patient ID."""
        text = (await read_form(request)).get("text", "")
        if not text:
            raise HTTPException(400, "There is nothing to look for.")
        self._note_search(request, text)
        return await run_in_threadpool(self._search, request, text)

    def _note_search(self, request: Request, text: str) -> None:
        """Record who looks for what: the guard, which records what is shown, reads no form."""
        caller, address = get_caller(request), find_address(request, self._settings.web.proxy)
        name, query = "" if caller is None else caller.name, text.encode("utf-8", "replace")
        self._record(AuditEvent(AuditKind.SEARCHED, self._clock(), name, address, query=query))

    def _search(self, request: Request, text: str) -> Response:
        if is_uid(text) and self._tracker.study_queries.find_detail(text) is not None:
            return RedirectResponse(request.app.url_path_for("study", study_uid=text), 303)
        only = StudyFilter(patient=PatientKey(text, ""))
        studies = self._tracker.study_queries.list_studies(_MOST_PATIENT_STUDIES, only)
        return self._show_list(request, only, studies, _NO_LINKS)

    def _show_list(
        self,
        request: Request,
        only: StudyFilter,
        studies: Sequence[StudySummary],
        links: Mapping[str, str | None],
    ) -> Response:
        searched, now = only.patient is not None, self._clock()
        counts = self._tracker.node_queries.count_all(now)
        return self._renderer.render_page(
            request,
            "studies.html",
            {
                "studies": [(study, compute_seconds_to_result(study)) for study in studies],
                "only": only,
                "searched": searched,
                "counts": counts,
                "day": None if searched else self._overview.look(counts, now),
                "total": self._tracker.study_queries.count_studies(only),
                "links": links,
                "state_link": _make_filter_link("state"),
                "outcome_link": _make_filter_link("outcome"),
            },
            refresh=not searched,
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
