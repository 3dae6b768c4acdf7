"""What an association brought, counted by study, for the audit trail (PS3.15 A.5.3.7)."""

from collections import Counter
from dataclasses import dataclass

from secondread.accept.ledger import PeerAssociation, RecordOutcome, Transfer

_MOST_STUDIES = 1000
"""How many studies of one association are told apart; a peer may send a backlog over one."""


@dataclass(frozen=True, slots=True)
class _Key:
    study_uid: str
    """Empty where the data set could not be read so far."""
    has_failed: bool


class TransferCount:
    """Counts the instances of one association, in its thread.

    A message must not mix what succeeded with what did not (PS3.15 A.5.2), so that a study has up
    to two of them.
    """

    def __init__(self) -> None:
        self._classes: dict[_Key, Counter[str]] = {}
        self._outcomes: dict[_Key, set[RecordOutcome]] = {}
        self._reasons: dict[_Key, set[str]] = {}
        self._study_uid = ""
        self._was_requested = False

    def begin(self, *, was_requested: bool) -> None:
        """Begin an instance, whose study is not known yet."""
        self._study_uid = ""
        self._was_requested = self._was_requested or was_requested

    def note_study(self, study_uid: str) -> None:
        """Note the study of the instance, once its header is read."""
        self._study_uid = study_uid

    def add_stored(self, sop_class_uid: str, outcome: RecordOutcome) -> None:
        """Count the instance as stored."""
        key = self._count(sop_class_uid, has_failed=False)
        self._outcomes.setdefault(key, set()).add(outcome)

    def add_failed(self, sop_class_uid: str, reason: str) -> None:
        """Count the instance as not stored: its sender keeps it."""
        key = self._count(sop_class_uid, has_failed=True)
        self._reasons.setdefault(key, set()).add(reason)

    def _count(self, sop_class_uid: str, *, has_failed: bool) -> _Key:
        is_known = any(key.study_uid == self._study_uid for key in self._classes)
        study_uid = self._study_uid if is_known or len(self._classes) < _MOST_STUDIES else ""
        key = _Key(study_uid, has_failed)
        self._classes.setdefault(key, Counter())[sop_class_uid] += 1
        return key

    def list_transfers(self, association: PeerAssociation) -> list[Transfer]:
        """Return what came, by study and by whether it was stored."""
        return [
            Transfer(
                association=association,
                study_uid=key.study_uid,
                instances=dict(classes),
                action=_choose_action(self._outcomes.get(key, set())),
                reasons=tuple(sorted(self._reasons.get(key, ()))),
                was_requested=self._was_requested,
            )
            for key, classes in self._classes.items()
        ]


def _choose_action(outcomes: set[RecordOutcome]) -> str:
    """Return whether copies were altered, made, or held already (PS3.15 A.5.3.7)."""
    if RecordOutcome.CONFLICTING in outcomes:
        return "U"
    return "C" if RecordOutcome.NEW in outcomes or not outcomes else "R"
