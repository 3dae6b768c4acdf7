"""A patient's exams and treatments, by a number that says nothing of who it is.

Who it is appears only in the answer to a POST, and who asked is recorded. An ID that a person types
is in the body of a form, never in an address.
"""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from secondread.assemble.due import DueRules
from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.errors import InputError
from secondread.findings.treatment import Procedure
from secondread.followup.treatment_file import parse_day, parse_patient, parse_treatment
from secondread.settings import Settings
from secondread.track.change_rights import ChangeRights
from secondread.track.patient_queries import PatientDetail, PatientIdentity
from secondread.track.prior_choice import FetchRules
from secondread.track.tracker import Tracker
from secondread.track.treatments import encode_treatment
from secondread.watch.actions import Form, get_user, redirect
from secondread.watch.callers import find_address
from secondread.watch.login_pages import read_form
from secondread.watch.page_renderer import PageRenderer

_FIELDS = ("side", "procedure", "started_on", "ended_on", "site")


@dataclass(frozen=True, slots=True)
class MergeQuestion:
    """What is asked before two IDs are made one patient."""

    typed: str
    """The other ID, as it was typed."""
    other: PatientDetail
    """What stands under it."""


class PatientPages:
    """The endpoints about one patient.

    Parameters
    ----------
    tracker
        What is asked and changed.
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
        settings: Settings,
        clock: Clock,
        renderer: PageRenderer,
        record: Record = record_nothing,
    ) -> None:
        self._record = record
        self._tracker = tracker
        self._settings = settings
        self._clock = clock
        self._renderer = renderer
        self._rules = DueRules.from_settings(settings.assemble)

    def show_patient(self, request: Request) -> Response:
        """Show a patient's exams and treatments; who looks is recorded."""
        patient = self._find(request)
        key = self._tracker.patient_queries.get_key(patient.number)
        user, address = get_user(request), find_address(request, self._settings.web.proxy)
        self._record(
            AuditEvent(AuditKind.SEEN, self._clock(), user, address, patient_id=key.patient_id)
        )
        return self._render(request, patient)

    def show_identity(self, request: Request) -> Response:
        """Show the same with who the patient is; who asks is recorded."""
        patient = self._find(request)
        address = find_address(request, self._settings.web.proxy)
        identity = self._tracker.patient_queries.show_identity(
            patient.number, get_user(request), address, self._clock()
        )
        return self._render(request, patient, identity=identity)

    async def add_treatment(self, request: Request) -> Response:
        """Write a treatment down."""
        form = await read_form(request)
        return await run_in_threadpool(self._add_treatment, request, form)

    def _add_treatment(self, request: Request, form: Form) -> Response:
        patient = self._find(request)
        values = {name: form.get(name, "") for name in _FIELDS}
        try:
            treatment = encode_treatment(parse_treatment(values))
        except InputError as error:
            return self._render(request, patient, values=values, fault=str(error), status=400)
        key = self._tracker.patient_queries.get_key(patient.number)
        is_new = self._tracker.treatments.add_treatment(
            key, treatment, self._clock(), get_user(request), self._rules
        )
        done = "treatment-added" if is_new else "treatment-known"
        return redirect(request, "patient", done, number=patient.number)

    async def end_treatment(self, request: Request) -> Response:
        """Write down the last day of a treatment."""
        form = await read_form(request)
        return await run_in_threadpool(self._end_treatment, request, form)

    def _end_treatment(self, request: Request, form: Form) -> Response:
        patient, treatment = self._find_treatment(request)
        ended_on = parse_day(form, "ended_on")
        if ended_on is None:
            raise InputError("ended_on is empty: a date YYYY-MM-DD is expected")
        self._tracker.treatments.end_treatment(
            treatment, ended_on, self._clock(), get_user(request), self._rules
        )
        return redirect(request, "patient", "treatment-ended", number=patient.number)

    def remove_treatment(self, request: Request) -> Response:
        """Strike a treatment out."""
        patient, treatment = self._find_treatment(request)
        self._tracker.treatments.remove_treatment(
            treatment, self._clock(), get_user(request), self._rules
        )
        return redirect(request, "patient", "treatment-removed", number=patient.number)

    async def merge(self, request: Request) -> Response:
        """Make this patient and another ID one patient: asked first, since nothing undoes it."""
        form = await read_form(request)
        return await run_in_threadpool(self._merge, request, form)

    def _merge(self, request: Request, form: Form) -> Response:
        patient, typed = self._find(request), form.get("other", "")
        queries = self._tracker.patient_queries
        other_key = parse_patient(typed)
        number = queries.find_number(other_key)
        other = None if number is None else queries.find_detail(number)
        if other is None:
            raise InputError("no study or treatment has that patient ID (and issuer, if given)")
        if other.number == patient.number:
            raise InputError("both are one patient already")
        if form.get("confirmed") != "yes":
            return self._render(request, patient, question=MergeQuestion(typed, other))
        self._tracker.patients.merge_patients(
            queries.get_key(patient.number),
            other_key,
            get_user(request),
            self._clock(),
            self._rules,
            FetchRules.from_settings(self._settings),
            ChangeRights.from_settings(self._settings),
        )
        return redirect(request, "patient", "merged", number=other.number)

    def confirm(self, request: Request) -> Response:
        """Confirm that all names and birth dates under the patient's IDs are one woman's."""
        patient = self._find(request)
        self._tracker.patients.confirm_patient(
            self._tracker.patient_queries.get_key(patient.number),
            get_user(request),
            self._clock(),
            self._rules,
            FetchRules.from_settings(self._settings),
            ChangeRights.from_settings(self._settings),
        )
        return redirect(request, "patient", "confirmed", number=patient.number)

    def _find(self, request: Request) -> PatientDetail:
        detail = self._tracker.patient_queries.find_detail(request.path_params["number"])
        if detail is None:
            raise HTTPException(404, "There is no such patient.")
        return detail

    def _find_treatment(self, request: Request) -> tuple[PatientDetail, int]:
        patient, number = self._find(request), int(request.path_params["treatment"])
        if number not in {row.number for row in patient.treatments}:
            raise HTTPException(404, "This patient has no such treatment.")
        return patient, number

    def _render(
        self,
        request: Request,
        patient: PatientDetail,
        *,
        identity: PatientIdentity | None = None,
        question: MergeQuestion | None = None,
        values: Form | None = None,
        fault: str = "",
        status: int = 200,
    ) -> Response:
        context = {
            "patient": patient,
            "identity": identity,
            "question": question,
            "values": values or dict.fromkeys(_FIELDS, ""),
            "fault": fault,
            "procedures": list(Procedure),
        }
        return self._renderer.render_page(request, "patient.html", context, status=status)
