"""The web application: its routes, the headers that protect its pages, and its templates."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secondread import __version__
from secondread.accept.archive import Archive
from secondread.audit import Record, record_nothing
from secondread.clock import Clock
from secondread.errors import InputError, TransientError, describe_without_quoting
from secondread.log import get_logger
from secondread.reasons import Outcome
from secondread.settings import Settings, WebSettings
from secondread.track.tracker import Tracker
from secondread.uids import is_uid
from secondread.watch.actions import Actions
from secondread.watch.callers import Callers
from secondread.watch.day_overview import DayOverview
from secondread.watch.exposure import is_loopback
from secondread.watch.gauges import NodeGauges, make_metrics_route
from secondread.watch.guard import Guard
from secondread.watch.health import make_health_routes
from secondread.watch.login_pages import LoginPages
from secondread.watch.page_renderer import PageRenderer
from secondread.watch.pages import Pages
from secondread.watch.patient_pages import PatientPages
from secondread.watch.search_page import SearchPage
from secondread.watch.study_list import StudyLists
from secondread.watch.verdict_pages import VerdictPages
from secondread.watch.words import FILTERS

log = get_logger(__name__)

Endpoint = Callable[[Request], Any]

_OBJECT = "/studies/{study_uid}/objects/{number:int}"


def make_app(
    tracker: Tracker,
    archive: Archive,
    settings: Settings,
    clock: Clock,
    record: Record = record_nothing,
) -> Starlette:
    """Return the web application: pages, health checks and metrics.

    Parameters
    ----------
    tracker
        What is asked.
    archive
        Where the outbox objects are stored.
    settings
        The node's settings.
    clock
        The present instant.
    record
        Takes the events of the audit trail.
    """
    renderer = PageRenderer(tracker, settings, clock, _make_environment())
    pages = Pages(tracker, archive, settings, clock, renderer)
    lists = StudyLists(tracker, DayOverview(tracker, archive, settings), clock, renderer)
    search = SearchPage(tracker, settings, clock, renderer, record)
    callers = Callers(tracker.access, settings.web, clock, record)
    login = LoginPages(callers, settings, renderer.render)
    routes = [
        Route("/", lists.show_studies, name="studies"),
        Route("/search", search.show_form, name="show_search"),
        _post("/search", search.search, "search"),
        Route("/studies/{study_uid}", pages.show_study, name="study"),
        Route("/studies/{study_uid}/timeline.png", pages.show_timeline, name="timeline"),
        Route(_OBJECT, pages.show_document, name="document"),
        Route(f"{_OBJECT}.png", pages.show_picture, name="picture"),
        Route(f"{_OBJECT}.dcm", pages.download, name="download"),
        Route("/refusals", pages.show_refusals, name="refusals"),
        Route("/missing", pages.show_missing, name="missing"),
        Route("/missing.json", pages.list_missing, name="missing_json"),
        Route("/destinations", pages.show_destinations, name="destinations"),
        Route("/node", pages.show_node, name="node"),
        Route("/settings", pages.show_settings, name="settings"),
        _post("/look", renderer.change_look, "change_look"),
        *_make_action_routes(Actions(tracker, settings, clock, renderer)),
        *_make_verdict_routes(VerdictPages(tracker, clock, renderer)),
        *_make_patient_routes(PatientPages(tracker, settings, clock, renderer, record)),
        *make_health_routes(tracker, archive, settings, clock),
        make_metrics_route(NodeGauges(tracker, archive, settings, clock)),
        Mount("/static", StaticFiles(packages=[("secondread.watch", "static")]), name="static"),
        Route("/login", login.show_login, name="show_login"),
        Route("/login", login.login, methods=["POST"], name="login"),
        Route("/login/{code}", login.follow_link, name="follow_link"),
        Route("/logout", login.logout, methods=["POST"], name="logout"),
    ]
    return Starlette(
        routes=Guard(callers, settings.web.public_url, record=record).protect(routes),
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(QuietFaults),
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=list_allowed_hosts(settings.web),
                www_redirect=False,
            ),
        ],
        exception_handlers={
            HTTPException: renderer.show_http_error,
            InputError: renderer.show_input_error,
            TransientError: renderer.show_database_away,
        },
    )


def _post(path: str, endpoint: Endpoint, name: str) -> Route:
    return Route(path, endpoint, methods=["POST"], name=name)


def _make_action_routes(actions: Actions) -> list[Route]:
    study, alarm = "/studies/{study_uid}", "/alarms/{number:int}/dismiss"
    refusal, destination = "/refusals/{number:int}/dismiss", "/destinations/{name}"
    return [
        _post(f"{study}/read", actions.read_again, "read_again"),
        _post(f"{study}/resend", actions.resend, "resend"),
        Route(f"{study}/dismiss", actions.ask_about_study, name="ask_about_study"),
        _post(f"{study}/dismiss", actions.dismiss_study, "dismiss_study"),
        Route(alarm, actions.ask_about_alarm, name="ask_about_alarm"),
        _post(alarm, actions.dismiss_alarm, "dismiss_alarm"),
        Route(refusal, actions.ask_about_refusal, name="ask_about_refusal"),
        _post(refusal, actions.dismiss_refusal, "dismiss_refusal"),
        _post(f"{destination}/pause", actions.pause, "pause"),
        _post(f"{destination}/live", actions.send_live, "send_live"),
        _post(f"{destination}/shadow", actions.keep_in_shadow, "keep_in_shadow"),
    ]


def _make_verdict_routes(pages: VerdictPages) -> list[Route]:
    return [
        _post("/studies/{study_uid}/judge", pages.judge, "judge"),
        _post("/studies/{study_uid}/assess", pages.assess, "assess"),
        Route("/agreement", pages.show_agreement, name="agreement"),
        Route("/agreement.csv", pages.export, name="verdicts_csv"),
    ]


def _make_patient_routes(pages: PatientPages) -> list[Route]:
    patient = "/patients/{number:int}"
    treatment = f"{patient}/treatments/{{treatment:int}}"
    return [
        Route(patient, pages.show_patient, name="patient"),
        _post(f"{patient}/identity", pages.show_identity, "patient_identity"),
        _post(f"{patient}/treatments", pages.add_treatment, "add_treatment"),
        _post(f"{treatment}/end", pages.end_treatment, "end_treatment"),
        _post(f"{treatment}/remove", pages.remove_treatment, "remove_treatment"),
        _post(f"{patient}/confirm", pages.confirm, "confirm_patient"),
        _post(f"{patient}/merge", pages.merge, "merge_patients"),
    ]


HEADERS = {
    # Everything comes from this node; nothing may run, be framed, or be sent elsewhere.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Under "no-referrer" browsers would not name the origin of a form either.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class QuietFaults:
    """ASGI middleware that answers what nobody expected with 500, and logs the place alone.

    The text of such an error could quote a header, and with it a patient.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except ClientDisconnect:
            pass  # nobody is there for an answer
        except Exception as error:  # noqa: BLE001  (the edge of the web server)
            log.error("web_request_broke", error=describe_without_quoting(error))  # noqa: TRY400  (a traceback could quote)
            if not has_begun:
                answer = PlainTextResponse("This page broke. The log says where.\n", 500)
                await answer(scope, receive, send)


def list_allowed_hosts(web: WebSettings) -> list[str]:
    """Return the Host headers that are answered.

    A node that listens on loopback answers for loopback names and its public one only: otherwise a
    web page on the internet whose name is made to point at 127.0.0.1 could send requests through
    the browser of whoever visits it. Elsewhere such a page gets no further than the login: the
    browser sends it no cookie of ours.

    >>> "localhost" in list_allowed_hosts(WebSettings())
    True
    >>> list_allowed_hosts(WebSettings(host="0.0.0.0"))
    ['*']
    """
    if not is_loopback(web.host):
        return ["*"]
    public = urlsplit(web.public_url).hostname
    own = ["localhost", "127.0.0.1", "::1", "[::1]", web.host]
    return [*own, public] if public else own


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("secondread.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.tests["uid"] = is_uid
    environment.globals["version"] = __version__
    # A study that was not read must never look like one without findings.
    environment.globals["unread"] = {Outcome.FAILED, Outcome.NOT_ELIGIBLE}
    return environment
