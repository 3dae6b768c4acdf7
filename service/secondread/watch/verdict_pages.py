"""What radiologists make of findings, from a study's page, and how that adds up."""

import csv
import io
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from secondread.clock import Clock
from secondread.errors import InputError
from secondread.track.tracker import Tracker
from secondread.track.values import Verdict
from secondread.track.verdicts import RecordedVerdict
from secondread.uids import is_uid
from secondread.watch.actions import Form, get_user, redirect
from secondread.watch.login_pages import read_form
from secondread.watch.page_renderer import PageRenderer

AGREEMENT_DAYS = 365
"""How far back verdicts are counted."""

VERDICT_COLUMNS = (
    "study_uid",
    "revision",
    "finding_id",
    "verdict",
    "recorded_at",
    "recorded_by",
)


class VerdictPages:
    """The endpoints about verdicts.

    Parameters
    ----------
    tracker
        Where they are.
    clock
        The present instant.
    renderer
        Renders the page.
    """

    def __init__(self, tracker: Tracker, clock: Clock, renderer: PageRenderer) -> None:
        self._tracker = tracker
        self._clock = clock
        self._renderer = renderer

    async def judge(self, request: Request) -> Response:
        """Record what a radiologist makes of one finding."""
        form = await read_form(request)
        return await run_in_threadpool(self._judge, request, form)

    def _judge(self, request: Request, form: Form) -> Response:
        study_uid = _get_study_uid(request)
        finding, revision = form.get("finding", ""), form.get("revision", "")
        if not (revision.isascii() and revision.isdigit() and len(revision) < 9):
            raise InputError("revision: a number is expected")
        try:
            verdict = Verdict(form.get("verdict", ""))
        except ValueError:
            raise InputError(f"verdict: one of {', '.join(Verdict)} is expected") from None
        entry = RecordedVerdict(
            study_uid, int(revision), finding[:40], verdict, self._clock(), get_user(request)
        )
        self._tracker.verdicts.record(entry)
        return redirect(request, "study", "judged", study_uid=study_uid)

    async def assess(self, request: Request) -> Response:
        """Record the radiologist's category of one breast."""
        form = await read_form(request)
        return await run_in_threadpool(self._assess, request, form)

    def _assess(self, request: Request, form: Form) -> Response:
        study_uid, user = _get_study_uid(request), get_user(request)
        side, category = form.get("side", ""), form.get("category", "")
        self._tracker.lesions.record_assessment(study_uid, side, category, self._clock(), user)
        return redirect(request, "study", "assessed", study_uid=study_uid)

    def show_agreement(self, request: Request) -> Response:
        """Show how findings were judged, by device and model."""
        since = self._clock() - timedelta(days=AGREEMENT_DAYS)
        rows = self._tracker.verdicts.count_agreement(since)
        context = {"rows": rows, "days": AGREEMENT_DAYS}
        return self._renderer.render_page(request, "agreement.html", context)

    def export(self, _: Request) -> Response:
        """Return the verdicts as CSV; it names no patient."""
        since = self._clock() - timedelta(days=AGREEMENT_DAYS)
        text = write_verdicts(self._tracker.verdicts.list_recorded(since))
        headers = {"Content-Disposition": 'attachment; filename="verdicts.csv"'}
        return Response(text, media_type="text/csv", headers=headers)


def write_verdicts(verdicts: list[RecordedVerdict]) -> str:
    """Return verdicts as CSV, each in a row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(VERDICT_COLUMNS)
    for row in verdicts:
        values = row.study_uid, row.revision, row.finding_id, row.verdict.value
        writer.writerow((*values, row.recorded_at.isoformat(), row.recorded_by))
    return buffer.getvalue()


def _get_study_uid(request: Request) -> str:
    study_uid: str = request.path_params["study_uid"]
    if not is_uid(study_uid):
        raise HTTPException(404, "There is no such study.")
    return study_uid
