"""The search for studies: a POST, so that what is looked for is in no address.

The answer names no patient either: the number that was typed is not repeated.
"""

from enum import StrEnum
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.codes import Morphology
from secondread.errors import InputError
from secondread.findings.changes import ChangeKind
from secondread.followup.treatment_file import parse_day
from secondread.reasons import Outcome
from secondread.settings import Settings
from secondread.track.study_search import MOST_DAYS, MOST_FOUND, StudySearch
from secondread.track.summaries import StudySummary
from secondread.track.tracker import Tracker
from secondread.uids import is_uid
from secondread.watch.actions import Form
from secondread.watch.callers import find_address
from secondread.watch.guard import get_caller
from secondread.watch.login_pages import read_form
from secondread.watch.page_renderer import PageRenderer
from secondread.watch.study_page import compute_seconds_to_result

_REPEATED = ("first_day", "last_day", "device", "outcome", "change", "morphology")
_FIELDS = ("text", *_REPEATED)
_MORPHOLOGIES = tuple(member.name.lower() for member in Morphology)

EnumT = TypeVar("EnumT", bound=StrEnum)


class SearchPage:
    """The endpoints of the search.

    Parameters
    ----------
    tracker
        What is asked.
    settings
        The node's settings.
    clock
        The present instant.
    renderer
        Renders the page.
    record
        Takes the events of the audit trail.
    """

    def __init__(
        self,
        tracker: Tracker,
        settings: Settings,
        clock: Clock,
        renderer: PageRenderer,
        record: Record = record_nothing,
    ) -> None:
        self._tracker = tracker
        self._settings = settings
        self._clock = clock
        self._renderer = renderer
        self._record = record

    def show_form(self, request: Request) -> Response:
        """Ask what is looked for; what stands in the address counts for nothing."""
        return self._render(request, {})

    async def search(self, request: Request) -> Response:
        """Find studies; a Study Instance UID leads to its study."""
        form = await read_form(request)
        given = {name: form[name] for name in _FIELDS if form.get(name)}
        if given:
            self._note_search(request, given)
        return await run_in_threadpool(self._search, request, given)

    def _note_search(self, request: Request, given: Form) -> None:
        """Record who looks for what: the guard, which records what is shown, reads no form."""
        caller, address = get_caller(request), find_address(request, self._settings.web.proxy)
        name = "" if caller is None else caller.name
        # A number alone is recorded as it was typed.
        words = "; ".join(
            value if key == "text" else f"{key}={value}" for key, value in given.items()
        )
        query = words.encode("utf-8", "replace")
        self._record(AuditEvent(AuditKind.SEARCHED, self._clock(), name, address, query=query))

    def _search(self, request: Request, given: Form) -> Response:
        text = given.get("text", "")
        if is_uid(text) and self._tracker.study_queries.find_detail(text) is not None:
            return RedirectResponse(request.app.url_path_for("study", study_uid=text), 303)
        today = self._clock().astimezone(self._settings.zone).date()
        try:
            studies = self._tracker.searches.find(parse_search(given), today)
        except InputError as error:
            return self._render(request, given, fault=str(error), status=400)
        return self._render(request, given, studies)

    def _render(
        self,
        request: Request,
        given: Form,
        studies: list[StudySummary] | None = None,
        *,
        fault: str = "",
        status: int = 200,
    ) -> Response:
        rows = None
        if studies is not None:
            rows = [(study, compute_seconds_to_result(study)) for study in studies]
        context = {
            "values": {name: given.get(name, "") for name in _REPEATED},
            "studies": rows,
            "fault": fault,
            "outcomes": list(Outcome),
            "changes": list(ChangeKind),
            "morphologies": _MORPHOLOGIES,
            "most_days": MOST_DAYS,
            "most_found": MOST_FOUND,
        }
        return self._renderer.render_page(request, "search.html", context, status=status)


def parse_search(given: Form) -> StudySearch:
    """Return what a form asks for.

    Raises
    ------
    InputError
        A field makes no sense; the message names it.
    """
    morphology = given.get("morphology", "")
    if morphology and morphology not in _MORPHOLOGIES:
        raise InputError("morphology: there is no such type")
    return StudySearch(
        number=given.get("text", ""),
        first_day=parse_day(given, "first_day"),
        last_day=parse_day(given, "last_day"),
        device=given.get("device", ""),
        outcome=_parse_choice(Outcome, given, "outcome"),
        change=_parse_choice(ChangeKind, given, "change"),
        morphology=morphology,
    )


def _parse_choice(kind: type[EnumT], given: Form, name: str) -> EnumT | None:
    try:
        return kind(given[name]) if given.get(name) else None
    except ValueError:
        raise InputError(f"{name}: there is no such choice") from None
