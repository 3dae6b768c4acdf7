"""Which objects a destination gets for each outcome of a reading, as its profile wants.

===============  ==============================  ======================  ======================
outcome          CAD SR                          TID 1500                notice
===============  ==============================  ======================  ======================
findings         yes                             yes                     no
no findings      if `send_empty`                 if `send_empty`         if `send_empty` (1)
... with doubts  yes                             yes                     yes
partial          yes                             yes                     yes
failed           if `send_failed`                if `send_failed`        if `send_failed`
not eligible     if `not_eligible_as_failed_sr`  if `send_not_eligible`  if `send_not_eligible`
===============  ==============================  ======================  ======================

(1) where the profile names no CAD SR, which would report it.

"With doubts": an image was flagged. Some workstations show nothing of a CAD SR without marks but
that it exists, so that only the notice keeps it from looking like any other negative.

Each image with shown findings gets a presentation state and a capture of its view, and the exam
an overview, whatever the outcome. The notice, which reports in words, is a capture too. All of
this is sent only where the profile names that kind of object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from secondread.reasons import Outcome
from secondread.settings import ObjectKind, ProfileSettings


@dataclass(frozen=True, slots=True)
class SendRule:
    """Whether an object is sent, by the destination's profile."""

    words: str
    """As the table above prints it."""
    applies: Callable[[ProfileSettings], bool]


@dataclass(frozen=True, slots=True)
class ObjectRules:
    """Which objects are sent for an outcome."""

    cad_sr: SendRule
    tid1500: SendRule
    notice: SendRule


def _if(setting: str) -> SendRule:
    return SendRule(f"if `{setting}`", attrgetter(setting))


_YES = SendRule("yes", lambda _: True)
_NO = SendRule("no", lambda _: False)
_EMPTY, _FAILED = _if("send_empty"), _if("send_failed")
_AS_FAILED, _NOT_ELIGIBLE = _if("not_eligible_as_failed_sr"), _if("send_not_eligible")
_EMPTY_WITHOUT_CAD_SR = SendRule(
    f"{_EMPTY.words} (1)", lambda p: p.send_empty and ObjectKind.CAD_SR not in p.objects
)

OBJECT_RULES = {
    (Outcome.FINDINGS, False): ObjectRules(_YES, _YES, _NO),
    (Outcome.NO_FINDINGS, False): ObjectRules(_EMPTY, _EMPTY, _EMPTY_WITHOUT_CAD_SR),
    (Outcome.NO_FINDINGS, True): ObjectRules(_YES, _YES, _YES),
    (Outcome.PARTIAL, False): ObjectRules(_YES, _YES, _YES),
    (Outcome.FAILED, False): ObjectRules(_FAILED, _FAILED, _FAILED),
    (Outcome.NOT_ELIGIBLE, False): ObjectRules(_AS_FAILED, _NOT_ELIGIBLE, _NOT_ELIGIBLE),
}
"""By outcome, and whether an image was flagged, where that makes a difference."""


def find_rules(outcome: Outcome, *, doubtful: bool) -> ObjectRules:
    """Return which objects are sent for an outcome, of a reading with or without flagged images."""
    return OBJECT_RULES.get((outcome, doubtful)) or OBJECT_RULES[outcome, False]
