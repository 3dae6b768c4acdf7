"""The steps of a node's processes by name: each is written down, and at each a kill can be set.

The program knows nothing of this. Whoever starts it with `make_environment` has every process of
it, and those that these start, import `startup/sitecustomize.py` first, which wraps functions as
their modules are imported. A step is named by the function that it is, and by the function in which
it is called where that is one too, as ``record-reading>commit``; the harness learns the names from
a run that nobody disturbs.

Nothing but the standard library is imported here: this module is loaded into every process.
"""

import importlib.abc
import importlib.machinery
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FOLDER, PLANT = "KILLS_FOLDER", "KILLS_PLANT"
"""Variables of the environment: where trace and plans are, and the bug that is planted."""

TRACE_NAME, PLAN_NAME, FIRED_NAME = "trace", "plan", "fired"

HARNESS = "harness"
"""The kind under which the harness itself stands in the trace."""

Describe = Callable[..., str]
"""Gets the arguments of a call, and returns what is written down about it, without a tab."""


class Plan(NamedTuple):
    """Where a kill is to happen, and what is killed."""

    kind: str
    """The kind of process that has to come there: ``receive``, ``work``, ``child``, ..."""
    point: str
    phase: str
    """``before`` or ``after``."""
    nth: int
    """The how manieth time that one process comes there since the plan was made, from 1."""
    victims: Sequence[int]
    """Process ids; empty: the process itself."""
    signal: int = signal.SIGKILL


class Step(NamedTuple):
    """A line of the trace."""

    at: int
    """Nanoseconds of the machine's monotonic clock."""
    pid: int
    thread: int
    kind: str
    point: str
    phase: str
    """``before``, ``after``, or ``raised``: the call ended in an exception."""
    detail: str


class Wrapped(NamedTuple):
    """A function that is a step."""

    point: str
    module: str
    attribute: str
    describe: Describe | None = None
    describe_result: Callable[[Any], str] | None = None


def _tell_run(_: object, reading: Any, __: object, ___: object, run: int = 0) -> str:
    return f"{reading.study_uid} {reading.revision} {run}"


def _tell_begun(_: object, study_uid: str, number: int, __: object) -> str:
    return f"{study_uid} {number}"


def _tell_step(_: object, name: str, *__: object) -> str:
    return re.sub(r" [0-9.]+$", "", name)


def _tell_stored(_: object, instance: Any) -> str:
    return str(instance.sop_instance_uid)


def _tell_sent(_: object, __: object, checked: Any) -> str:
    return str(checked.item.sop_instance_uid)


def _tell_message(_: object, message: Any, *__: object) -> str:
    status = getattr(message, "Status", None)
    uid = getattr(message, "AffectedSOPInstanceUID", "")
    return f"{type(message).__name__} {uid} {'' if status is None else f'{status:04x}'}"


def _tell_path(path: object, *_: object) -> str:
    return str(path)


_TRACK = "secondread.track"
WRAPPED = (
    Wrapped("flush-file", "secondread.files", "flush_file", _tell_path),
    Wrapped("flush-folder", "secondread.files", "flush_folder", _tell_path),
    Wrapped("commit", "sqlalchemy.engine.default", "DefaultDialect.do_commit"),
    Wrapped("migrate", f"{_TRACK}.migrate", "upgrade_database"),
    # The receiver.
    Wrapped("store-instance", "secondread.accept.intake", "Intake.store", _tell_stored),
    Wrapped("archive-commit", "secondread.accept.archive", "Archive.commit"),
    Wrapped("record-instance", f"{_TRACK}.receiver_ledger", "ReceiverLedger.record_instance"),
    Wrapped(
        "begin-association", f"{_TRACK}.receiver_ledger", "ReceiverLedger.record_association_start"
    ),
    Wrapped(
        "end-association", f"{_TRACK}.receiver_ledger", "ReceiverLedger.record_association_end"
    ),
    Wrapped("send-message", "pynetdicom.dimse", "DIMSEServiceProvider.send_msg", _tell_message),
    # The reading.
    Wrapped("claim-study", f"{_TRACK}.studies", "Studies.claim_study"),
    Wrapped("enqueue", "secondread.engine", "Engine.submit"),
    Wrapped("run-step", "secondread.engine", "_Run.run_step", _tell_step),
    Wrapped(
        "begin-run",
        f"{_TRACK}.reading_runs",
        "ReadingRuns.begin_run",
        _tell_begun,
        lambda run: str(run.number),
    ),
    Wrapped("begin-step", f"{_TRACK}.reading_runs", "ReadingRuns.begin_step"),
    Wrapped("end-step", f"{_TRACK}.reading_runs", "ReadingRuns.end_step"),
    Wrapped("store-objects", "secondread.workflow.record", "store_objects"),
    Wrapped("write-object", "secondread.accept.archive", "Archive.write_bytes"),
    Wrapped("record-reading", f"{_TRACK}.results", "Results.record_reading", _tell_run),
    Wrapped("tidy", "secondread.workflow.steps", "ReadingSteps.tidy"),
    Wrapped("take-over", "secondread.engine", "Engine.take_over"),
    # The detector's child.
    Wrapped("answer", "secondread.detect.child_loop", "_answer"),
    Wrapped("write-display", "secondread.detect.child_loop", "_write_display"),
    # Sending, and the proof of it.
    Wrapped("send-objects", "secondread.send.scu", "store_objects"),
    Wrapped("send-object", "secondread.send.scu", "_send_object", _tell_sent),
    Wrapped("record-stored", f"{_TRACK}.deliveries", "Deliveries.record_stored"),
    Wrapped("record-failed", f"{_TRACK}.deliveries", "Deliveries.record_failed"),
    Wrapped("record-request", f"{_TRACK}.proofs", "Proofs.record_request"),
    Wrapped("ask-commitment", "secondread.send.commitment_request", "request_commitment"),
    Wrapped("record-report", f"{_TRACK}.proofs", "Proofs.record_report"),
    # The supervisor.
    Wrapped("start-member", "secondread.app.serve", "Supervisor._start"),
)
# What every process does all the time, or whenever it likes.
_UNNAMED = frozenset({"commit", "flush-file", "flush-folder"})


def make_environment(folder: Path, plant: str = "") -> dict[str, str]:
    """Return the environment of a program whose steps are written down in a folder."""
    here = str(Path(__file__).parent / "startup")
    paths = [here, *(path for path in sys.path if path)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        FOLDER: str(folder),
        PLANT: plant,
    }


def set_plan(folder: Path, plan: Plan) -> None:
    """Have the next process that comes to the point carry the plan out."""
    (folder / FIRED_NAME).unlink(missing_ok=True)
    part = folder / f"{PLAN_NAME}.part"
    part.write_text(json.dumps(plan))
    part.replace(folder / PLAN_NAME)


def withdraw_plan(folder: Path) -> bool:
    """Withdraw the plan; return whether it was carried out before."""
    (folder / PLAN_NAME).unlink(missing_ok=True)
    return (folder / FIRED_NAME).exists()


def read_trace(folder: Path, offset: int = 0) -> tuple[list[Step], int]:
    """Return the whole lines of the trace from an offset, and where to go on."""
    try:
        with (folder / TRACE_NAME).open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], 0
    whole = content[: content.rfind(b"\n") + 1]
    steps = []
    for line in whole.decode().splitlines():
        at, pid, thread, kind, point, phase, detail = line.split("\t")
        steps.append(Step(int(at), int(pid), int(thread), kind, point, phase, detail))
    return steps, offset + len(whole)


def note_kill(folder: Path, victim: str) -> None:
    """Write into the trace that somebody outside of the node's processes kills something."""
    words = (time.monotonic_ns(), os.getpid(), threading.get_ident())
    line = "\t".join((*map(str, words), HARNESS, "kill", "before", victim))
    with (folder / TRACE_NAME).open("a") as trace:
        trace.write(f"{line}\n")


def find_kind(command: Sequence[str]) -> str:
    """Return the kind of a process of a node by its command line; empty for any other."""
    words = list(command)
    if "secondread.detect.child" in words:
        return "child"
    if "tests.worlds.light_worker" in words:
        return "work"
    if "secondread" not in words:
        return ""
    return (words[words.index("secondread") + 1 :] or [""])[0]


TUNED: Mapping[str, Mapping[str, object]] = {
    # A supervisor waits longer and longer for what dies again and again; here all do.
    "secondread.app.serve": {"LONGEST_PAUSE_SECONDS": 1.0},
}
"""Numbers of the program that would only make a campaign longer."""


class Points:
    """The steps of this process.

    Parameters
    ----------
    folder
        Where the trace and the plan are.
    kind
        Of this process.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self._plan_path = folder / PLAN_NAME
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._trace = os.open(folder / TRACE_NAME, flags, 0o600)
        self._within = threading.local()
        self._plan: Plan | None = None
        self._plan_is_of = (0, 0)
        self._count = 0
        self._guard = threading.Lock()

    def write(self, point: str, phase: str, detail: str = "") -> None:
        """Write a step down."""
        words = (time.monotonic_ns(), os.getpid(), threading.get_ident())
        line = "\t".join((*map(str, words), self._kind, point, phase, detail))
        with suppress(OSError):
            os.write(self._trace, line.encode() + b"\n")

    def pass_by(self, point: str, phase: str, detail: str = "") -> None:
        """Write a step down, and carry the plan out that is set for it."""
        self.write(point, phase, detail)
        plan = self._read_plan()
        if plan is None or (plan.kind, plan.point, plan.phase) != (self._kind, point, phase):
            return
        with self._guard:
            self._count += 1
            if self._count != plan.nth:
                return
        try:
            (self._folder / PLAN_NAME).rename(self._folder / FIRED_NAME)
        except FileNotFoundError:
            return  # another process was faster, or the plan was withdrawn
        self.write(point, "fired", str(plan.signal))
        for victim in plan.victims or [os.getpid()]:
            with suppress(ProcessLookupError):
                os.kill(victim, plan.signal)

    def wrap(self, wrapped: Wrapped, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, and is a step."""

        def call(*arguments: Any, **named: Any) -> Any:
            outer = getattr(self._within, "point", "")
            own = wrapped.point
            detail = self._describe(wrapped, arguments, named)
            if own == "run-step":
                own, detail = f"run-step {detail}", ""
            point = self.name(own)
            is_silent = own in _UNNAMED and not outer
            self._within.point = own if own not in _UNNAMED else outer
            try:
                if not is_silent:
                    self.pass_by(point, "before", detail)
                try:
                    result = function(*arguments, **named)
                except BaseException as error:
                    self.write(point, "raised", type(error).__name__)
                    raise
                if not is_silent:
                    if wrapped.describe_result is not None:
                        detail = f"{detail} {wrapped.describe_result(result)}"
                    self.pass_by(point, "after", detail)
                return result
            finally:
                self._within.point = outer

        return call

    @staticmethod
    def _describe(wrapped: Wrapped, arguments: Sequence[Any], named: Mapping[str, Any]) -> str:
        return wrapped.describe(*arguments, **named) if wrapped.describe is not None else ""

    def name(self, own: str) -> str:
        """Return the name of a step where it is met: with the step that it is part of."""
        outer = getattr(self._within, "point", "")
        return f"{outer}>{own}" if outer else own

    def _read_plan(self) -> Plan | None:
        try:
            status = self._plan_path.stat()
        except OSError:
            self._plan_is_of, self._plan = (0, 0), None
            return None
        identity = (status.st_ino, status.st_mtime_ns)
        if identity != self._plan_is_of:
            try:
                self._plan = Plan(*json.loads(self._plan_path.read_text()))
            except FileNotFoundError:
                return None
            self._plan_is_of, self._count = identity, 0
        return self._plan


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps the functions of modules when these are imported."""

    def __init__(self, wrap_module: Mapping[str, Sequence[Callable[[ModuleType], None]]]) -> None:
        self._wrap_module = wrap_module

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec that Python would find, with a loader that wraps."""
        changes = self._wrap_module.get(fullname)
        if not changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for change in changes:
                change(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def replace_attribute(
    module: ModuleType, path: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Replace a function of a module, or of a class in it, by what `change` makes of it."""
    *owners, name = path.split(".")
    owner: Any = module
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, name, change(getattr(owner, name)))


def install() -> None:
    """Wrap what is imported from now on; for processes of a node alone."""
    kind = find_kind(sys.orig_argv)
    if not kind:
        return
    points = Points(Path(os.environ[FOLDER]), kind)
    changes: dict[str, list[Callable[[ModuleType], None]]] = {}
    for wrapped in WRAPPED:

        def change(module: ModuleType, wrapped: Wrapped = wrapped) -> None:
            replace_attribute(module, wrapped.attribute, lambda it: points.wrap(wrapped, it))

        changes.setdefault(wrapped.module, []).append(change)
    for module_name, values in TUNED.items():
        changes.setdefault(module_name, []).append(partial(_set_values, values=values))
    if plant := os.environ.get(PLANT):
        from tests.kills.plants import PLANTS

        for module_name, plant_in in PLANTS[plant].items():
            # Before the steps are wrapped, so that the trace shows what the bug does.
            changes.setdefault(module_name, []).insert(0, plant_in)
    sys.meta_path.insert(0, _Finder(changes))
    _watch_files(points)


def _set_values(module: ModuleType, values: Mapping[str, object]) -> None:
    vars(module).update(values)


def _watch_files(points: Points) -> None:
    """Write down what is flushed and renamed, by whomever."""
    flush, replace = os.fsync, os.replace

    def fsync(file: Any) -> None:
        flush(file)
        descriptor = file if isinstance(file, int) else file.fileno()
        points.write("fsync", "after", str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def rename(source: Any, target: Any, **rest: Any) -> None:
        name, detail = points.name("rename"), f"{os.fspath(source)} {os.fspath(target)}"
        points.pass_by(name, "before", detail)
        replace(source, target, **rest)
        points.pass_by(name, "after", detail)

    vars(os).update(fsync=fsync, replace=rename)
