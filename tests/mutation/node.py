"""How a node answers data sets that peers send, and what becomes of those that it took."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from secondread.accept.intake import Intake, ReceivedInstance, StoreStatus
from secondread.accept.ledger import PeerAssociation
from secondread.accept.refusal_counts import Caller, RefusalLog
from secondread.accept.sop_classes import TRANSFER_SYNTAXES
from secondread.reading import FileDetector
from secondread.reasons import Outcome
from secondread.track.states import StudyState
from secondread.track.studies import Digests
from secondread.track.values import ClaimedRevision
from secondread.workflow.order import run_failure, run_reading
from secondread.workflow.steps import ReadingSteps
from tests.mutation.breakdowns import forbid_breakdowns
from tests.mutation.mutations import EXPLICIT, EncodedDataSet, write_meta
from tests.worlds.node_world import NodeWorld, run_step

_ACCEPTED = {str(row.uid) for row in TRANSFER_SYNTAXES}
_ANSWERS = {
    StoreStatus.SUCCESS,
    StoreStatus.CANNOT_UNDERSTAND,
    StoreStatus.DATA_SET_MISMATCH,
    StoreStatus.SOP_CLASS_NOT_SUPPORTED,
}
"""What a sender may be told of a data set; what may succeed later is said of none of them."""
_ENDS = {StudyState.REPORTED, StudyState.HELD}
_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One C-STORE request."""

    encoded: EncodedDataSet
    sop_class_uid: str
    sop_instance_uid: str


class IntakeWorld(NodeWorld):
    """A node that is sent requests, and reads what becomes due.

    Parameters
    ----------
    folder
        Where it keeps everything.
    detector
        Reads its images; gates are overridden, as those of `OfflineWorld` are.
    """

    def __init__(self, folder: Path, detector: FileDetector) -> None:
        super().__init__(folder)
        self.steps = ReadingSteps(
            replace(self.tools, detector=detector, overrides=frozenset({"all"}))
        )
        ledger = self.node.tracker.open_ledger("receive", self.settings.assemble)
        self._intake = Intake(self.node.archive, ledger, RefusalLog(), lambda: self.now, 0)
        self._ledger = ledger
        self._numbers = count()

    def next_number(self) -> int:
        """Return a number that no other study of this node has."""
        return next(self._numbers)

    def check(self, requests: Sequence[Request]) -> list[StoreStatus]:
        """Send requests over an association and read what they lead to; return the answers.

        Each is answered at once, and each study that came of them ends in a result, a failed one
        if need be, or is held back by a rule.
        """
        with forbid_breakdowns():
            return self._check(requests)

    def _check(self, requests: Sequence[Request]) -> list[StoreStatus]:
        association = PeerAssociation(f"a{next(self._numbers)}", "MG1", _ADDRESS, self.now)
        self._ledger.record_association_start(association)
        answers = [self._store(request, association) for request in requests]
        self._ledger.record_association_end(association.association_id, self.now)
        assert set(answers) <= _ANSWERS, f"answered {set(answers) - _ANSWERS}"
        assert not list(self.node.archive.spool.iterdir()), "a file is left in the spool"
        self._read_all()
        return answers

    def _store(self, request: Request, association: PeerAssociation) -> StoreStatus:
        syntax = request.encoded.transfer_syntax
        # Nobody could send another one: its presentation context would not be accepted.
        syntax = syntax if syntax in _ACCEPTED else EXPLICIT
        path = self.node.archive.spool / f"{next(self._numbers)}.dcm"
        path.write_bytes(write_meta(syntax) + request.encoded.data)
        return self._intake.store(
            ReceivedInstance(
                path,
                request.sop_class_uid,
                request.sop_instance_uid,
                request.sop_class_uid,
                syntax,
                association,
                Caller("MG1", "SECONDREAD", _ADDRESS),
            )
        )

    def _read_all(self) -> None:
        """Read what is due until nothing is, as the coordinator of a worker does."""
        self.now += timedelta(seconds=300)
        studies = self.node.tracker.studies
        while due := studies.list_due(self.now, 50):
            for study in due:
                digests = Digests("s", "m")
                claimed = studies.claim_study(study.study_uid, "w0", digests, self.now)
                if claimed is not None:
                    self._read(claimed)
            self.now += timedelta(seconds=1)

    def _read(self, claimed: ClaimedRevision) -> None:
        uid, number = claimed.study_uid, claimed.number
        try:
            run_reading(self.steps, run_step, uid, number)
        except Exception:  # noqa: BLE001  (the engine takes it for a broken reading, as here)
            run_failure(self.steps, run_step, uid, number)
        detail = self.node.tracker.study_queries.find_detail(uid)
        assert detail is not None
        state, outcome = detail.summary.state, detail.summary.outcome
        assert state in _ENDS, f"a study ends as {state}"
        assert state is not StudyState.REPORTED or isinstance(outcome, Outcome)
