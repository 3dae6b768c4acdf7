"""What a person may have the node do from its pages: each is a POST, and recorded with who it was.

The functions behind them are those of the commands. Afterwards the browser is sent to a page that
it may load again without doing it twice.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secondread.clock import Clock
from secondread.errors import InputError
from secondread.settings import DestinationMode, Settings
from secondread.track.tracker import Tracker
from secondread.uids import is_uid
from secondread.watch.guard import get_caller
from secondread.watch.login_pages import read_form
from secondread.watch.page_renderer import PageRenderer

Form = dict[str, str]


def get_user(request: Request) -> str:
    """Return the name under which what a caller does is recorded."""
    caller = get_caller(request)
    if caller is None:
        raise HTTPException(401, "Please sign in.")
    return caller.name[:80]


def redirect(request: Request, route: str, done: str, **parameters: object) -> Response:
    """Send a browser to a page that says what was done; `done` is a key of `words.DONE`."""
    path = request.app.url_path_for(route, **parameters)
    return RedirectResponse(f"{path}?done={done}", 303)


class Actions:
    """The endpoints that change something about studies, destinations and alarms.

    Parameters
    ----------
    tracker
        What is changed.
    settings
        The node's settings.
    clock
        The present instant.
    renderer
        Renders the forms that ask for a reason.
    """

    def __init__(
        self, tracker: Tracker, settings: Settings, clock: Clock, renderer: PageRenderer
    ) -> None:
        self._tracker = tracker
        self._settings = settings
        self._clock = clock
        self._renderer = renderer

    def read_again(self, request: Request) -> Response:
        """Have a study read now, as a new revision."""
        study_uid, user = _get_study_uid(request), get_user(request)
        self._tracker.studies.request_reading(study_uid, user, self._clock())
        return redirect(request, "study", "read-again", study_uid=study_uid)

    async def resend(self, request: Request) -> Response:
        """Have a study's current results sent to a destination once more."""
        form = await read_form(request)
        return await run_in_threadpool(self._resend, request, form.get("destination", ""))

    def _resend(self, request: Request, name: str) -> Response:
        study_uid, user = _get_study_uid(request), get_user(request)
        profiles = {row.name: row.profile.key for row in self._settings.destinations}
        if name not in profiles:
            raise InputError("this destination is not in the settings, so nothing reaches it")
        resent = self._tracker.resending.resend(
            study_uid, name, profiles[name], user, self._clock()
        )
        done = "resent-in-part" if resent.under_way else "resent"
        return redirect(request, "study", done, study_uid=study_uid)

    def pause(self, request: Request) -> Response:
        """Have results wait for a destination."""
        return self._set_mode(request, DestinationMode.PAUSED)

    def send_live(self, request: Request) -> Response:
        """Have results sent to a destination from now on."""
        return self._set_mode(request, DestinationMode.LIVE)

    def keep_in_shadow(self, request: Request) -> Response:
        """Have results made and kept for a destination, and none sent."""
        return self._set_mode(request, DestinationMode.SHADOW)

    def _set_mode(self, request: Request, mode: DestinationMode) -> Response:
        name = request.path_params["name"]
        self._tracker.destinations.set_mode(name, mode, get_user(request), self._clock())
        return redirect(request, "destinations", mode.value)

    def ask_about_alarm(self, request: Request) -> Response:
        """Ask for the reason why an alarm is nobody's concern any more."""
        number = request.path_params["number"]
        alarms = self._tracker.node_queries.list_alarms()
        alarm = next((alarm for alarm in alarms if alarm.id == number), None)
        if alarm is None:
            raise HTTPException(404, "This alarm is not raised any more.")
        what = f"{alarm.kind}, {alarm.subject}: {alarm.detail}"
        return self._ask(request, "Dismiss an alarm", what, "node")

    def ask_about_study(self, request: Request) -> Response:
        """Ask for the reason why a study that was not read is nobody's concern any more."""
        study_uid = _get_study_uid(request)
        return self._ask(request, "Dismiss a study that was not read", study_uid, "studies")

    def ask_about_refusal(self, request: Request) -> Response:
        """Ask for the reason why a caller that is refused is nobody's concern."""
        what = self._tracker.dismissals.describe_refusal(request.path_params["number"])
        return self._ask(request, "Dismiss a refused caller", what, "refusals")

    def _ask(self, request: Request, title: str, what: str, back: str) -> Response:
        context = {"heading": title, "what": what, "back": back}
        return self._renderer.render_page(request, "dismiss.html", context)

    async def dismiss_alarm(self, request: Request) -> Response:
        """Take an alarm out of sight."""
        return await self._dismiss(request, "node", self._tracker.dismissals.dismiss_alarm)

    async def dismiss_refusal(self, request: Request) -> Response:
        """Have a refused caller be nobody's concern."""
        return await self._dismiss(request, "refusals", self._tracker.dismissals.dismiss_refusal)

    async def _dismiss(self, request: Request, page: str, dismiss: Callable[..., None]) -> Response:
        reason = (await read_form(request)).get("reason", "")
        number, user = request.path_params["number"], get_user(request)
        await run_in_threadpool(dismiss, number, reason, user, self._clock())
        return redirect(request, page, "dismissed")

    async def dismiss_study(self, request: Request) -> Response:
        """Have a study that was not read be nobody's concern."""
        reason = (await read_form(request)).get("reason", "")
        study_uid, user = _get_study_uid(request), get_user(request)
        dismiss = self._tracker.dismissals.dismiss_study
        await run_in_threadpool(dismiss, study_uid, reason, user, self._clock())
        return redirect(request, "study", "dismissed", study_uid=study_uid)


def _get_study_uid(request: Request) -> str:
    study_uid: str = request.path_params["study_uid"]
    if not is_uid(study_uid):
        raise HTTPException(404, "There is no such study.")
    return study_uid
