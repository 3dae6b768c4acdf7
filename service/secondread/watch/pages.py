"""The operations pages: read-only, rendered here, without scripts and without patients' names.

URLs carry study UIDs and row numbers, nothing of a patient; a search for a patient ID is a POST.
"""

import io
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlencode

import pydicom
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from secondread import __version__
from secondread.assemble.mammogram import PatientKey
from secondread.clock import Clock
from secondread.errors import InputError, TransientError
from secondread.reasons import Outcome
from secondread.report.compose import encode_capture_png
from secondread.settings import DestinationMode, ObjectKind, Settings
from secondread.track.states import StudyState
from secondread.track.summaries import OutboxObjectSummary, StudyDetail, StudyFilter
from secondread.watch import words
from secondread.watch.content_tree import build_content_tree
from secondread.watch.gauges import NodeGauges, make_metrics_route
from secondread.watch.health import check_node, is_silent, make_health_routes
from secondread.watch.hints import find_advice, propose_settings
from secondread.watch.lesion_histories import draw_lesion_histories, list_shown_lesions
from secondread.watch.prior_reports import read_prior_reports
from secondread.watch.query import UID, parse_filter, parse_page_number
from secondread.watch.security import SecurityHeaders, list_allowed_hosts
from secondread.watch.sources import Archive, Tracker
from secondread.watch.study_page import arrange_study, compute_seconds_to_result

PAGE_SIZE = 50
REFRESH_SECONDS = 15
"""How often a page that may change is loaded again; `?refresh=off` stops it."""
_LONGEST_FORM = 4096


def make_app(tracker: Tracker, archive: Archive, settings: Settings, clock: Clock) -> Starlette:
    """Return the web application: pages, health checks and metrics.

    Parameters
    ----------
    tracker
        What is asked.
    archive
        Where the outbox objects lie.
    settings
        The node's settings.
    clock
        The present instant.
    """
    pages = _Pages(tracker, archive, settings, clock)
    return Starlette(
        routes=[
            Route("/", pages.studies, name="studies"),
            Route("/search", pages.search, methods=["POST"], name="search"),
            Route("/studies/{study_uid}", pages.study, name="study"),
            Route("/studies/{study_uid}/timeline.png", pages.timeline, name="timeline"),
            Route("/studies/{study_uid}/objects/{number:int}", pages.document, name="document"),
            Route("/studies/{study_uid}/objects/{number:int}.png", pages.picture, name="picture"),
            Route("/studies/{study_uid}/objects/{number:int}.dcm", pages.download, name="download"),
            Route("/refusals", pages.refusals, name="refusals"),
            Route("/destinations", pages.destinations, name="destinations"),
            Route("/node", pages.node, name="node"),
            *make_health_routes(tracker, archive, settings, clock),
            make_metrics_route(NodeGauges(tracker, archive, settings, clock)),
            Mount("/static", StaticFiles(packages=[("secondread.watch", "static")]), name="static"),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=list_allowed_hosts(settings.web.host),
                www_redirect=False,
            ),
        ],
        exception_handlers={
            HTTPException: pages.on_http_error,
            TransientError: pages.on_database_away,
        },
    )


async def _form_field(request: Request, name: str) -> str:
    """Return one field of a URL-encoded form, trimmed.

    Raises
    ------
    HTTPException
        400: the form is too long, or the field is empty.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            raise HTTPException(400, "That is too long.")
    values = parse_qs(body.decode("utf-8", "replace"))
    text = values.get(name, [""])[0].strip()
    if not text:
        raise HTTPException(400, "There is nothing to look for.")
    return text


def _query(**values: object) -> str:
    given = {name: str(value) for name, value in values.items() if value not in {None, 1}}
    return "/?" + urlencode(given) if given else "/"


def _filter_link(name: str) -> Callable[[StrEnum], str]:
    return lambda value: _query(**{name: value})


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("secondread.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("word", "tone", "when", "span", "size", "clipped", "spoken", "uid_name"):
        environment.filters[name] = getattr(words, name)
    environment.globals["version"] = __version__
    # A study that was not read must never look like one without findings.
    environment.globals["unread"] = {Outcome.FAILED, Outcome.NOT_ELIGIBLE}
    return environment


class _Pages:
    """The endpoints, and what they ask."""

    def __init__(
        self, tracker: Tracker, archive: Archive, settings: Settings, clock: Clock
    ) -> None:
        self._tracker = tracker
        self._archive = archive
        self._settings = settings
        self._clock = clock
        self._environment = _environment()

    def studies(self, request: Request) -> Response:
        """List studies, filtered by state or outcome."""
        state = parse_filter(StudyState, request.query_params.get("state"))
        outcome = parse_filter(Outcome, request.query_params.get("outcome"))
        number = parse_page_number(request.query_params.get("page"))
        return self._list(request, StudyFilter(state=state, outcome=outcome), number)

    async def search(self, request: Request) -> Response:
        """Find a study by its UID, or the studies of a patient ID."""
        text = await _form_field(request, "text")
        return await run_in_threadpool(self._search, request, text)

    def _search(self, request: Request, text: str) -> Response:
        if UID.fullmatch(text) and self._tracker.study_queries.find_detail(text) is not None:
            return RedirectResponse(request.app.url_path_for("study", study_uid=text), 303)
        return self._list(request, StudyFilter(patient=PatientKey(text, "")), 1)

    def _list(self, request: Request, only: StudyFilter, number: int) -> Response:
        queries = self._tracker.study_queries
        total = queries.count_studies(only)
        searched = only.patient is not None
        limit = 500 if searched else PAGE_SIZE
        found = queries.list_studies(limit=limit, offset=(number - 1) * limit, matching=only)
        return self._page(
            request,
            "studies.html",
            {
                "studies": [(one, compute_seconds_to_result(one)) for one in found],
                "only": only,
                "searched": searched,
                "counts": self._tracker.node_queries.count_all(self._clock()),
                "total": total,
                "number": number,
                "last_page": max(1, -(-total // limit)),
                "state_link": _filter_link("state"),
                "outcome_link": _filter_link("outcome"),
                "page_link": lambda to: _query(state=only.state, outcome=only.outcome, page=to),
            },
            refresh=not searched,
        )

    def study(self, request: Request) -> Response:
        """Show one study."""
        view = arrange_study(self._detail(request))
        lesions = list_shown_lesions(self._tracker, view.detail.summary.study_uid)
        reports = read_prior_reports(self._tracker, self._archive, view.detail.summary.study_uid)
        context = {"view": view, "lesions": len(lesions), "reports": reports}
        return self._page(request, "study.html", context, refresh=view.changes)

    def timeline(self, request: Request) -> Response:
        """Return the history of a study's lesions over all exams as PNG."""
        study_uid = self._detail(request).summary.study_uid
        picture = draw_lesion_histories(list_shown_lesions(self._tracker, study_uid), self._archive)
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        return Response(buffer.getvalue(), media_type="image/png")

    def document(self, request: Request) -> Response:
        """Show a structured report as a tree."""
        detail, item = self._object(request, ObjectKind.CAD_SR, ObjectKind.TID1500)
        context = {"detail": detail, "item": item, "root": build_content_tree(self._read(item))}
        return self._page(request, "document.html", context)

    def picture(self, request: Request) -> Response:
        """Return a capture as PNG."""
        _, item = self._object(request, ObjectKind.CAPTURE)
        return Response(encode_capture_png(self._read(item)), media_type="image/png")

    def download(self, request: Request) -> Response:
        """Return an object's file as it is sent."""
        _, item = self._object(request, *ObjectKind)
        path = self._archive.resolve_path(item.path)
        if not path.is_file():
            raise HTTPException(404, "The file of this object is gone.")
        name = f"{item.sop_instance_uid}.dcm"
        return FileResponse(path, media_type="application/dicom", filename=name)

    def refusals(self, request: Request) -> Response:
        """Show what peers were refused, and what would let them in."""
        rows = [
            (row, propose_settings(row, self._settings), find_advice(row, self._settings))
            for row in self._tracker.node_queries.list_refusals()
        ]
        context = {"rows": rows, "settings": self._settings}
        return self._page(request, "refusals.html", context, refresh=True)

    def destinations(self, request: Request) -> Response:
        """Show where results go and what waits."""
        known = {one.name: one for one in self._settings.destinations}
        rows = [
            (row, known.get(row.name)) for row in self._tracker.node_queries.list_destinations()
        ]
        return self._page(request, "destinations.html", {"rows": rows}, refresh=True)

    def node(self, request: Request) -> Response:
        """Show processes, alarms and readiness."""
        checks = check_node(self._tracker, self._archive, self._settings, self._clock())
        context = {"checks": checks, "settings": self._settings}
        return self._page(request, "node.html", context, refresh=True)

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """Show an error of the request."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = error.detail if isinstance(error, HTTPException) else ""
        return self._error(request, status, words)

    async def on_database_away(self, request: Request, _: Exception) -> Response:
        """Say that the database is away."""
        words = "The tracker's database does not answer. Receiving says the same to peers, and "
        return self._error(request, 503, words + "they keep their copies.")

    def _detail(self, request: Request) -> StudyDetail:
        study_uid = request.path_params["study_uid"]
        detail = None
        if UID.fullmatch(study_uid):
            detail = self._tracker.study_queries.find_detail(study_uid)
        if detail is None:
            raise HTTPException(404, "There is no such study.")
        return detail

    def _object(
        self, request: Request, *kinds: ObjectKind
    ) -> tuple[StudyDetail, OutboxObjectSummary]:
        detail = self._detail(request)
        number = request.path_params["number"]
        for item in detail.outbox_objects:
            if item.id == number and item.kind in kinds:
                return detail, item
        raise HTTPException(404, "The study has no such object.")

    def _read(self, item: OutboxObjectSummary) -> Dataset:
        try:
            return pydicom.dcmread(self._archive.resolve_path(item.path))
        except (OSError, InvalidDicomError, InputError) as error:
            raise HTTPException(404, "The file of this object cannot be read.") from error

    def _page(
        self, request: Request, template: str, context: Mapping[str, Any], *, refresh: bool = False
    ) -> Response:
        now = self._clock()
        beat = self._settings.work.heartbeat_seconds
        processes = self._tracker.node_queries.list_processes()
        modes = {row.name: row.mode for row in self._tracker.node_queries.list_destinations()}
        common = {
            "now": now,
            "alarms": self._tracker.node_queries.list_alarms(),
            "processes": [(one, is_silent(one, now, beat)) for one in processes],
            "nothing_leaves": DestinationMode.LIVE not in modes.values(),
            "refresh": REFRESH_SECONDS
            if refresh and request.query_params.get("refresh") != "off"
            else None,
            "may_refresh": refresh,
        }
        return self._render(request, template, {**common, **context})

    def _error(self, request: Request, status: int, words: str) -> Response:
        return self._render(request, "error.html", {"status": status, "words": words}, status)

    def _render(
        self, request: Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> Response:
        text = self._environment.get_template(template).render(
            path=request.url.path, url=request.app.url_path_for, **context
        )
        return HTMLResponse(text, status)
