"""How pages are rendered: templates, what every page shows, and errors."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from secondread.clock import Clock
from secondread.errors import InputError
from secondread.settings import DestinationMode, Role, Settings
from secondread.track.tracker import Tracker
from secondread.watch.exposure import describe_exposure
from secondread.watch.guard import choose_target, get_caller
from secondread.watch.health import is_silent
from secondread.watch.login_pages import read_form
from secondread.watch.words import DONE

REFRESH_SECONDS = 15
"""How often a page that may change is loaded again; `?refresh=off` stops it."""

LOOK_COOKIE = "secondread_look"
"""Keeps that a browser wants the pages light; they are dark without it."""

MOST_ALARMS = 5
"""How many alarms the banner of a page names; the page of the node has all of them."""


_YEAR_SECONDS = 365 * 24 * 3600


class PageRenderer:
    """Renders templates.

    Parameters
    ----------
    tracker
        What the frame of every page is read from.
    settings
        The node's settings.
    clock
        The present instant.
    environment
        The templates.
    """

    def __init__(
        self, tracker: Tracker, settings: Settings, clock: Clock, environment: Environment
    ) -> None:
        self._tracker = tracker
        self._settings = settings
        self._clock = clock
        self._environment = environment

    def render_page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        *,
        refresh: bool = False,
        status: int = 200,
    ) -> Response:
        """Return a page in the frame that all pages share.

        Parameters
        ----------
        request, template, context
            Whose page it is, the name of its template, and the values that this takes.
        refresh
            Whether it may look different in a moment; a page with a form to fill in must not.
        status
            HTTP status.
        """
        now = self._clock()
        beat = self._settings.work.heartbeat_seconds
        queries, caller = self._tracker.node_queries, get_caller(request)
        processes = queries.list_processes()
        modes = {row.name: row.mode for row in queries.list_destinations()}
        alarms = queries.list_alarms()
        stays = not refresh or request.query_params.get("refresh") == "off"
        common = {
            "now": now,
            "alarms": [alarm for alarm in alarms if alarm.dismissed_at is None],
            "dismissed_alarms": [alarm for alarm in alarms if alarm.dismissed_at is not None],
            "most_alarms": MOST_ALARMS,
            "processes": [(process, is_silent(process, now, beat)) for process in processes],
            "nothing_leaves": DestinationMode.LIVE not in modes.values(),
            "refresh": None if stays else REFRESH_SECONDS,
            "may_refresh": refresh,
            "caller": caller,
            "may_act": caller is not None and caller.role.includes(Role.ACT),
            "may_administer": caller is not None and caller.role.includes(Role.ADMIN),
            "exposure": describe_exposure(self._settings.web),
            "is_light": request.cookies.get(LOOK_COOKIE) == "light",
            "done": DONE.get(request.query_params.get("done", "")),
        }
        return self.render(request, template, {**common, **context}, status)

    def render(
        self, request: Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Return a template with values as an answer."""
        text = self._environment.get_template(template).render(
            path=request.url.path, url=request.app.url_path_for, **context
        )
        return HTMLResponse(text, status)

    async def change_look(self, request: Request) -> Response:
        """Have the pages light or dark from now on, in this browser."""
        form = await read_form(request)
        response = RedirectResponse(choose_target(form.get("to", "/")), 303)
        look = "light" if form.get("look") == "light" else "dark"
        response.set_cookie(
            LOOK_COOKIE,
            look,
            max_age=_YEAR_SECONDS,
            secure=self._settings.web.is_behind_tls,
            httponly=True,
            samesite="strict",
        )
        return response

    async def show_http_error(self, request: Request, error: Exception) -> Response:
        """Show an error of the request."""
        if not isinstance(error, HTTPException):
            return self._render_error(request, 500, "")
        response = self._render_error(request, error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    async def show_input_error(self, request: Request, error: Exception) -> Response:
        """Show why what somebody asked for cannot be done."""
        words = str(error) if isinstance(error, InputError) else ""
        return self._render_error(request, 400, words)

    async def show_database_away(self, request: Request, _: Exception) -> Response:
        """Show that the database is away."""
        words = "The tracker's database does not answer. Peers are refused meanwhile, and keep "
        return self._render_error(request, 503, words + "their copies.")

    def _render_error(self, request: Request, status: int, words: str) -> Response:
        return self.render(request, "error.html", {"status": status, "words": words}, status)
