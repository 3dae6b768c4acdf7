"""The operations pages: read-only, rendered here, without scripts and without patients' names.

URLs carry study UIDs and row numbers, nothing of a patient; a search for a patient ID is a POST.
Nothing from a query string reaches the tracker unchecked.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment
from pydicom.dataset import Dataset
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from secondread.accept.archive import Archive
from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.dicom_files import read_document, read_image
from secondread.errors import InputError
from secondread.followup.timeline import LesionHistory
from secondread.reasons import Outcome
from secondread.report.compose import encode_capture_png
from secondread.settings import DestinationMode, ObjectKind, Settings
from secondread.track.states import StudyState
from secondread.track.summaries import OutboxObjectSummary, StudyDetail, StudyFilter, StudySummary
from secondread.track.tracker import Tracker
from secondread.uids import is_uid
from secondread.watch.callers import find_address
from secondread.watch.content_tree import build_content_tree
from secondread.watch.exposure import describe_exposure
from secondread.watch.guard import get_caller
from secondread.watch.health import check_readiness, is_silent
from secondread.watch.lesion_histories import draw_lesion_histories
from secondread.watch.login_pages import read_form
from secondread.watch.missing_studies import write_missing_json
from secondread.watch.places import parse_place, write_place
from secondread.watch.prior_reports import read_prior_reports
from secondread.watch.study_page import arrange_study, compute_seconds_to_result
from secondread.watch.words import find_advice, propose_settings

PAGE_SIZE = 50
_MOST_PATIENT_STUDIES = 500
_NO_LINKS = dict.fromkeys(("first", "newer", "older"))

REFRESH_SECONDS = 15
"""How often a page that may change is loaded again; `?refresh=off` stops it."""

EnumT = TypeVar("EnumT", bound=StrEnum)


class Pages:
    """The endpoints of the application."""

    def __init__(
        self,
        tracker: Tracker,
        archive: Archive,
        settings: Settings,
        clock: Clock,
        environment: Environment,
        record: Record = record_nothing,
    ) -> None:
        self._record = record
        self._tracker = tracker
        self._archive = archive
        self._settings = settings
        self._clock = clock
        self._environment = environment

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
        searched = only.patient is not None
        return self._render_page(
            request,
            "studies.html",
            {
                "studies": [(study, compute_seconds_to_result(study)) for study in studies],
                "only": only,
                "searched": searched,
                "counts": self._tracker.node_queries.count_all(self._clock()),
                "total": self._tracker.study_queries.count_studies(only),
                "links": links,
                "state_link": _make_filter_link("state"),
                "outcome_link": _make_filter_link("outcome"),
            },
            refresh=not searched,
        )

    def show_study(self, request: Request) -> Response:
        """Show one study."""
        view = arrange_study(self._find_detail(request))
        study_uid = view.detail.summary.study_uid
        lesions = self._list_shown_lesions(study_uid)
        reports = read_prior_reports(self._tracker, self._archive, study_uid)
        context = {"view": view, "lesions": len(lesions), "reports": reports}
        return self._render_page(request, "study.html", context, refresh=view.changes)

    def show_timeline(self, request: Request) -> Response:
        """Return the history of a study's lesions over all exams as PNG."""
        study_uid = self._find_detail(request).summary.study_uid
        picture = draw_lesion_histories(self._list_shown_lesions(study_uid), self._archive)
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        return Response(buffer.getvalue(), media_type="image/png")

    def show_document(self, request: Request) -> Response:
        """Show a structured report as a tree."""
        detail, item = self._find_object(request, ObjectKind.CAD_SR, ObjectKind.TID1500)
        context = {
            "detail": detail,
            "item": item,
            "root": build_content_tree(self._open_object(item, read_document)),
        }
        return self._render_page(request, "document.html", context)

    def show_picture(self, request: Request) -> Response:
        """Return a capture as PNG."""
        _, item = self._find_object(request, ObjectKind.CAPTURE)
        capture = self._open_object(item, read_image)
        try:
            return Response(encode_capture_png(capture), media_type="image/png")
        except (AttributeError, TypeError, ValueError) as error:
            raise HTTPException(404, "The file of this object cannot be read.") from error

    def download(self, request: Request) -> Response:
        """Return an object's file as it is sent."""
        _, item = self._find_object(request, *ObjectKind)
        path = self._archive.resolve_path(item.path)
        if not path.is_file():
            raise HTTPException(404, "The file of this object is gone.")
        name = f"{item.sop_instance_uid}.dcm"
        return FileResponse(path, media_type="application/dicom", filename=name)

    def show_refusals(self, request: Request) -> Response:
        """Show what peers were refused, and what would let them in."""
        rows = [
            (row, propose_settings(row, self._settings), find_advice(row, self._settings))
            for row in self._tracker.node_queries.list_refusals()
        ]
        context = {"rows": rows, "settings": self._settings}
        return self._render_page(request, "refusals.html", context, refresh=True)

    def show_missing(self, request: Request) -> Response:
        """Show the studies that archives list and that never arrived."""
        missing = self._tracker.missing
        context = {"studies": missing.list_missing(), "checks": missing.list_checks()}
        return self._render_page(request, "missing.html", context, refresh=True)

    def list_missing(self, _: Request) -> Response:
        """Return the same as JSON."""
        missing = self._tracker.missing
        text = write_missing_json(missing.list_missing(), missing.list_checks())
        return Response(text, media_type="application/json")

    def show_destinations(self, request: Request) -> Response:
        """Show where results go and what waits."""
        configured = {destination.name: destination for destination in self._settings.destinations}
        rows = [
            (row, configured.get(row.name))
            for row in self._tracker.node_queries.list_destinations()
        ]
        return self._render_page(request, "destinations.html", {"rows": rows}, refresh=True)

    def show_node(self, request: Request) -> Response:
        """Show processes, alarms and readiness."""
        checks = check_readiness(self._tracker, self._archive, self._settings, self._clock())
        context = {"checks": checks, "settings": self._settings}
        return self._render_page(request, "node.html", context, refresh=True)

    async def show_http_error(self, request: Request, error: Exception) -> Response:
        """Show an error of the request."""
        if not isinstance(error, HTTPException):
            return self._render_error(request, 500, "")
        response = self._render_error(request, error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    async def show_database_away(self, request: Request, _: Exception) -> Response:
        """Show that the database is away."""
        words = "The tracker's database does not answer. Peers are refused meanwhile, and keep "
        return self._render_error(request, 503, words + "their copies.")

    def _list_shown_lesions(self, study_uid: str) -> list[LesionHistory]:
        """Return the lesions of a study that a radiologist was shown in any exam."""
        lesions = self._tracker.lesions.list_for_study(study_uid)
        return [lesion for lesion in lesions if lesion.was_shown]

    def _find_detail(self, request: Request) -> StudyDetail:
        study_uid = request.path_params["study_uid"]
        detail = None
        if is_uid(study_uid):
            detail = self._tracker.study_queries.find_detail(study_uid)
        if detail is None:
            raise HTTPException(404, "There is no such study.")
        return detail

    def _find_object(
        self, request: Request, *kinds: ObjectKind
    ) -> tuple[StudyDetail, OutboxObjectSummary]:
        detail = self._find_detail(request)
        number = request.path_params["number"]
        for item in detail.outbox_objects:
            if item.id == number and item.kind in kinds:
                return detail, item
        raise HTTPException(404, "The study has no such object.")

    def _open_object(self, item: OutboxObjectSummary, read: Callable[[Path], Dataset]) -> Dataset:
        try:
            return read(self._archive.resolve_path(item.path))
        except (OSError, InputError) as error:
            raise HTTPException(404, "The file of this object cannot be read.") from error

    def _render_page(
        self, request: Request, template: str, context: Mapping[str, Any], *, refresh: bool = False
    ) -> Response:
        now = self._clock()
        beat = self._settings.work.heartbeat_seconds
        processes = self._tracker.node_queries.list_processes()
        modes = {row.name: row.mode for row in self._tracker.node_queries.list_destinations()}
        common = {
            "now": now,
            "alarms": self._tracker.node_queries.list_alarms(),
            "processes": [(process, is_silent(process, now, beat)) for process in processes],
            "nothing_leaves": DestinationMode.LIVE not in modes.values(),
            "refresh": REFRESH_SECONDS
            if refresh and request.query_params.get("refresh") != "off"
            else None,
            "may_refresh": refresh,
            "caller": get_caller(request),
            "exposure": describe_exposure(self._settings.web),
        }
        return self.render(request, template, {**common, **context})

    def _render_error(self, request: Request, status: int, words: str) -> Response:
        return self.render(request, "error.html", {"status": status, "words": words}, status)

    def render(
        self, request: Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Return a template with values as an answer."""
        text = self._environment.get_template(template).render(
            path=request.url.path, url=request.app.url_path_for, **context
        )
        return HTMLResponse(text, status)


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
