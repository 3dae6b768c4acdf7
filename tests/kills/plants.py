"""Bugs that are planted into a node's processes, to see that the harness finds them.

Each is what a careless change could bring: a promise broken that only a kill at the wrong moment
shows, or not even that. They are planted from outside, as the kills are; see `tests.kills.points`.
"""

import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from tests.kills.points import replace_attribute

LATE_SECONDS = 2.0
"""How late what should come before an answer comes after it."""

_TRACK = "secondread.track"

Plant = Mapping[str, Callable[[ModuleType], None]]
"""What is changed in which module."""


def _commit_late(original: Callable[..., Any]) -> Callable[..., Any]:
    """Have an instance's row committed some time after its answer."""

    def record_instance(self: Any, instance: Any, header: Any) -> Any:
        from secondread.accept.ledger import RecordOutcome

        threading.Timer(LATE_SECONDS, original, (self, instance, header)).start()
        return RecordOutcome.NEW

    return record_instance


def _do_nothing(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **named: None


def _record_again(original: Callable[..., Any]) -> Callable[..., Any]:
    """Have a reading that is recorded once more leave its objects once more, under new UIDs."""

    def record_reading(self: Any, reading: Any, *rest: Any) -> Any:
        from dataclasses import replace

        from pydicom.uid import generate_uid

        from secondread.track.states import RevisionState, StudyState
        from secondread.track.study_rows import find_revision
        from secondread.track.tables import StudyRow

        with self._database.begin_write() as session:
            revision = find_revision(session, reading.study_uid, reading.revision)
            if revision.state is RevisionState.FINISHED:
                revision.state = RevisionState.STARTED
                session.get_one(StudyRow, reading.study_uid).state = StudyState.READING
                count = len(reading.objects)
                objects = tuple(
                    replace(it, index=it.index + count, sop_instance_uid=generate_uid())
                    for it in reading.objects
                )
                nothing = dict.fromkeys(("images", "findings", "prior_findings", "answers"), ())
                reading = replace(reading, objects=objects, **nothing)
        return original(self, reading, *rest)

    return record_reading


def _forget_sent(original: Callable[..., Any]) -> Callable[..., Any]:
    """Have what was stored be due again at once."""

    def record_stored(self: Any, batch: Any, answers: Any, now: Any) -> None:
        self.record_failed(batch, answers, now, now)

    return record_stored


def _in(attribute: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    return lambda module: replace_attribute(module, attribute, change)


PLANTS: Mapping[str, Plant] = {
    "success-before-commit": {
        f"{_TRACK}.receiver_ledger": _in("ReceiverLedger.record_instance", _commit_late)
    },
    "file-not-flushed": {"secondread.files": _in("flush_file", _do_nothing)},
    "folder-not-flushed": {"secondread.files": _in("flush_folder", _do_nothing)},
    "results-without-key": {f"{_TRACK}.results": _in("Results.record_reading", _record_again)},
    "sent-without-key": {f"{_TRACK}.deliveries": _in("Deliveries.record_stored", _forget_sent)},
    "lease-without-fence": {f"{_TRACK}.reading_runs": _in("check_run", _do_nothing)},
}
"""The bugs by name."""
