"""How everything that reads structured reports answers one file."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import typer

from secondread import log
from secondread.cli.explain_command import explain
from secondread.errors import InputError, SecondreadError
from secondread.report.readback.cad_reader import read_cad_report_file
from secondread.settings import ObjectKind
from secondread.track.cad_reports import ReportFile
from secondread.watch.application import make_app
from tests.mutation.breakdowns import forbid_breakdowns
from tests.mutation.files import parse_json
from tests.worlds.watch_world import (
    NOW,
    STUDY,
    Browser,
    FakeArchive,
    FakeTracker,
    read_study,
    settings,
)

FORMS = ("tree", "json", "check", "check as json", "png")
"""Of `secondread explain`."""


def check_explain(report: Path, image: Path, form: str) -> None:
    """Have a report explained in one form: it is answered, or refused in words of ours."""
    options: dict[str, Callable[[], object]] = {
        "tree": lambda: explain(report),
        "json": lambda: explain(report, as_json=True),
        "check": lambda: explain(report, check=True),
        "check as json": lambda: explain(report, check=True, as_json=True),
        "png": lambda: explain(report, png=image, out=report.with_suffix(".png")),
    }
    text, error = _run(options[form])
    if error is not None:
        assert report.name in error or image.name in error, f"names no file: {error}"
        return
    assert text.strip(), "nothing was answered"
    if "json" in form:
        parse_json(text)
    else:
        assert text.replace("\n", "").isprintable(), "control characters reach the terminal"


def _run(command: Callable[[], object]) -> tuple[str, str | None]:
    """Return what a command printed, and what it refused to do, in its words."""
    printed = io.StringIO()
    # The command sets up the logging of its process, and this one has others to log.
    with redirect_stdout(printed), mock.patch.object(log, "configure_logging"):
        try:
            command()
        except SecondreadError as error:
            return printed.getvalue(), str(error)
        except typer.Exit as ended:
            status = ended.exit_code
        else:
            status = 0
    assert status in {0, 1}
    return printed.getvalue(), None


def check_read_back(report: Path) -> None:
    """Read a report back as a CAD report: it can be read, or not, for a reason of ours."""
    try:
        read_cad_report_file(report)
    except InputError:
        return


@dataclass
class PagesWorld:
    """The operations pages of a study with a prior's report, and with a report of its own."""

    folder: Path

    def __post_init__(self) -> None:
        self._tracker = FakeTracker()
        self._tracker.details[STUDY] = read_study(self.folder)
        tracker = self._tracker.as_tracker()
        app = make_app(tracker, FakeArchive(self.folder), settings(), lambda: NOW)
        self._browser = Browser(app)

    def check(self, report: Path) -> None:
        """Ask for the page of a study whose prior has this report, and for the report itself."""
        self._tracker.reports[STUDY] = [ReportFile("1.5", None, report.name)]
        with forbid_breakdowns():
            page = self._browser.get(f"/studies/{STUDY}")
        assert page.status_code == 200, f"the study's page answers {page.status_code}"
        assert "CAD reports of earlier exams" in page.text
        detail = self._tracker.details[STUDY]
        path = self.folder / "report.dcm"
        path.write_bytes(report.read_bytes())
        (number,) = [o.id for o in detail.outbox_objects if o.kind is ObjectKind.CAD_SR]
        document = self._browser.get(f"/studies/{STUDY}/objects/{number}")
        assert document.status_code in {200, 404}, f"its page answers {document.status_code}"
