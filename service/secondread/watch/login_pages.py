"""Signing in and out: with a token, or with a link that serves once."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secondread.settings import Settings
from secondread.track.access import KnownCaller
from secondread.watch.callers import Callers
from secondread.watch.exposure import describe_exposure
from secondread.watch.guard import choose_target

_LONGEST_FORM = 4096

Render = Callable[[Request, str, Mapping[str, object], int], Response]
"""Renders a template, by its name, with values and a status."""


class LoginPages:
    """The endpoints that sign people in and out.

    Parameters
    ----------
    callers
        Knows tokens and sessions.
    settings
        The node's settings.
    render
        Renders a template.
    """

    def __init__(self, callers: Callers, settings: Settings, render: Render) -> None:
        self._callers = callers
        self._warning = describe_exposure(settings.web)
        self._render = render

    async def show_login(self, request: Request) -> Response:
        """Ask for a token."""
        return self._show_form(request, choose_target(request.query_params.get("to", "/")))

    async def login(self, request: Request) -> Response:
        """Sign in with a token."""
        form = await read_form(request)
        target = choose_target(form.get("to", "/"))
        known = await self._callers.try_token(request, form.get("token", ""))
        if known is None:
            return self._show_form(request, target, "This token opens no page.", 403)
        response = RedirectResponse(target, 303)
        await run_in_threadpool(self._callers.sign_in, request, known, response)
        return response

    async def follow_link(self, request: Request) -> Response:
        """Sign in with a link that serves once.

        The answer is a page that leads on, and no redirect: a browser that followed the link from
        a page of another site would not send the new cookie along a redirect (SameSite).
        """
        if request.method == "HEAD":  # for a preview; the link is left for the person
            return Response()
        known = await self._callers.try_link(request, request.path_params["code"])
        if known is None:
            words = "This link was used, or is older than ten minutes."
            return self._show_form(request, "/", words, 403)
        return await self._welcome(request, known)

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        response = RedirectResponse("/login", 303)
        await run_in_threadpool(self._callers.sign_out, request, response)
        return response

    async def _welcome(self, request: Request, known: KnownCaller) -> Response:
        response = self._render(request, "welcome.html", {"known": known}, 200)
        await run_in_threadpool(self._callers.sign_in, request, known, response)
        return response

    def _show_form(
        self, request: Request, target: str, fault: str = "", status: int = 200
    ) -> Response:
        context = {"target": target, "fault": fault, "exposure": self._warning}
        return self._render(request, "login.html", context, status)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a URL-encoded form, trimmed; of several of one name, the first.

    Raises
    ------
    HTTPException
        400: the form is too long.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            raise HTTPException(400, "That is too long.")
    values = parse_qs(body.decode("utf-8", "replace"))
    return {name: texts[0].strip() for name, texts in values.items()}
