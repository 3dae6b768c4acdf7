"""The alarm of a destination that does not accept what its profile sends.

No retry can mend that: a person has to change the destination, or its profile.
"""

from collections.abc import Sequence

from pydicom.uid import UID

from secondread.clock import Clock
from secondread.send.outbox import AnswerKind, OutboxObject, StoreAnswer
from secondread.send.overdue import AlarmRegister

ALARM_KIND = "results-not-accepted"


_CLASS_NOT_SUPPORTED = 0x0122
"""SOP class not supported (PS3.7 C.5.6): some peers accept the context, and refuse then."""


def _is_of_class(answer: StoreAnswer) -> bool:
    """Whether an object was refused for its SOP class."""
    return answer.kind is AnswerKind.CONTEXT_REFUSED or answer.status == _CLASS_NOT_SUPPORTED


class AcceptanceAlarm:
    """Raised at the first class that is refused, cleared once one of that class is stored.

    Parameters
    ----------
    destination
        Name of the destination, the alarm's subject.
    alarms
        Where it is raised.
    clock
        The present instant.
    """

    def __init__(self, destination: str, alarms: AlarmRegister, clock: Clock) -> None:
        self._destination = destination
        self._alarms = alarms
        self._clock = clock
        self._refused: dict[str, None] = {}
        """SOP Class UIDs, in the order in which they were refused."""
        self._is_raised: bool | None = None
        """None before the first answer: it may be left from before a restart."""

    def note_answers(self, objects: Sequence[OutboxObject], answers: Sequence[StoreAnswer]) -> None:
        """Take in what became of the objects of one attempt."""
        before = dict(self._refused)
        for item, answer in zip(objects, answers, strict=True):
            if _is_of_class(answer):
                self._refused[item.sop_class_uid] = None
            elif answer.is_stored:
                self._refused.pop(item.sop_class_uid, None)
        is_known = self._is_raised is not None and self._refused == before
        if is_known or not (self._refused or any(answer.is_stored for answer in answers)):
            return
        self._is_raised = bool(self._refused)
        now = self._clock()
        if self._refused:
            names = " and ".join(UID(uid).name for uid in self._refused)
            text = f"{self._destination} does not accept {names}; see: secondread check"
            self._alarms.raise_alarm(ALARM_KIND, self._destination, text, now)
        else:
            self._alarms.clear_alarm(ALARM_KIND, self._destination, now)
