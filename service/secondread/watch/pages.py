"""The pages that show: studies, their objects, destinations, refusals, and the node itself.

URLs carry study UIDs and row numbers, nothing of a patient, and no page names one. Nothing from a
query string reaches the tracker unchecked.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

from pydicom.dataset import Dataset
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from secondread.accept.archive import Archive
from secondread.clock import Clock
from secondread.dicom_files import read_document, read_image
from secondread.errors import InputError
from secondread.followup.timeline import LesionHistory
from secondread.report.compose import encode_capture_png
from secondread.settings import ObjectKind, Role, Settings
from secondread.track.settings_document import flatten_settings
from secondread.track.summaries import OutboxObjectSummary, StudyDetail
from secondread.track.tracker import Tracker
from secondread.track.values import CATEGORIES
from secondread.track.verdicts import RecordedVerdict
from secondread.uids import is_uid
from secondread.watch.content_tree import build_content_tree
from secondread.watch.guard import get_caller
from secondread.watch.health import check_readiness
from secondread.watch.lesion_histories import draw_lesion_histories
from secondread.watch.missing_studies import write_missing_json
from secondread.watch.page_renderer import PageRenderer
from secondread.watch.prior_reports import read_prior_reports
from secondread.watch.study_page import StudyPage, arrange_study
from secondread.watch.words import find_advice, propose_settings


class Pages:
    """The endpoints that show something, but for lists of studies and patients.

    Parameters
    ----------
    tracker, archive
        What is asked.
    settings
        The node's settings.
    clock
        The present instant.
    renderer
        Renders the pages.
    """

    def __init__(
        self,
        tracker: Tracker,
        archive: Archive,
        settings: Settings,
        clock: Clock,
        renderer: PageRenderer,
    ) -> None:
        self._tracker = tracker
        self._archive = archive
        self._settings = settings
        self._clock = clock
        self._renderer = renderer
        self._document = flatten_settings(settings)

    def show_study(self, request: Request) -> Response:
        """Show one study."""
        view = arrange_study(self._find_detail(request))
        study_uid = view.detail.summary.study_uid
        lesions = self._list_shown_lesions(study_uid)
        reports = read_prior_reports(self._tracker, self._archive, study_uid)
        caller = get_caller(request)
        with_looks = caller is not None and caller.role.includes(Role.ADMIN)
        entries = self._tracker.study_log.list_entries(study_uid, with_looks=with_looks)
        context = {
            "view": view,
            "lesions": len(lesions),
            "reports": reports,
            "entries": entries,
            "verdicts": self._list_verdicts(view),
            "assessments": self._tracker.verdicts.list_assessments(study_uid),
            "categories": sorted(CATEGORIES),
            "with_looks": with_looks,
        }
        return self._renderer.render_page(request, "study.html", context, refresh=view.changes)

    def _list_verdicts(self, view: StudyPage) -> Mapping[str, RecordedVerdict]:
        if view.current_revision is None or not view.shown:
            return {}
        study_uid = view.detail.summary.study_uid
        return self._tracker.verdicts.list_for_study(study_uid, view.current_revision)

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
        return self._renderer.render_page(request, "document.html", context)

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
            (
                line,
                propose_settings(line.refusal, self._settings),
                find_advice(line.refusal, self._settings),
            )
            for line in self._tracker.dismissals.list_refusals()
        ]
        context = {
            "rows": [row for row in rows if row[0].dismissed_at is None],
            "dismissed": [line for line, _, _ in rows if line.dismissed_at is not None],
            "settings": self._settings,
        }
        return self._renderer.render_page(request, "refusals.html", context, refresh=True)

    def show_missing(self, request: Request) -> Response:
        """Show the studies that archives list and that never arrived."""
        missing = self._tracker.missing
        context = {"studies": missing.list_missing(), "checks": missing.list_checks()}
        return self._renderer.render_page(request, "missing.html", context, refresh=True)

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
        return self._renderer.render_page(
            request, "destinations.html", {"rows": rows}, refresh=True
        )

    def show_node(self, request: Request) -> Response:
        """Show processes, alarms and readiness."""
        checks = check_readiness(self._tracker, self._archive, self._settings, self._clock())
        context = {"checks": checks, "settings": self._settings}
        return self._renderer.render_page(request, "node.html", context, refresh=True)

    def show_settings(self, request: Request) -> Response:
        """Show the settings of this process, without passwords, and which differ."""
        usual = flatten_settings(Settings())
        rows = [(key, value, usual.get(key)) for key, value in sorted(self._document.items())]
        context = {"rows": rows, "changed": [row for row in rows if row[1] != row[2]]}
        return self._renderer.render_page(request, "settings.html", context)

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
