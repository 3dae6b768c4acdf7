"""The commit protocol: what happens between an instance's last byte and its answer.

Free space, digest, header, class, archive, ledger: Success is answered only when the file is
durable and the ledger has committed. Whatever fails before that is answered with a failure status,
so that the sender keeps its copy. Warning statuses mean *stored* (PS3.4 B.2.3) and are never used.
"""

import contextlib
import time
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from pydicom.dataset import Dataset

from secondread import log
from secondread.accept.archive import Archive
from secondread.accept.classify import classify, may_be_own
from secondread.accept.dispositions import Disposition
from secondread.accept.instance_file import ReceivedFile, read_received_file
from secondread.accept.ledger import (
    Ledger,
    OutboxFile,
    PeerAssociation,
    RecordOutcome,
    RefusalKind,
    StoredInstance,
)
from secondread.accept.own_objects import is_same_object
from secondread.accept.refusal_counts import Caller, RefusalLog
from secondread.accept.transfers import TransferCount
from secondread.clock import Clock
from secondread.errors import (
    InputError,
    SecondreadError,
    StorageFullError,
    TransientError,
    describe_without_quoting,
)
from secondread.metrics import INSTANCE_BYTES, INSTANCES, STORE_SECONDS
from secondread.reasons import Reason
from secondread.uids import is_uid, quote_uid

_log = log.get_logger(__name__)


class StoreStatus(IntEnum):
    """The C-STORE statuses that this node answers (PS3.4 table B.2-1, PS3.7 annex C)."""

    SUCCESS = 0x0000
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """One C-STORE request whose data set has arrived in the spool."""

    spool_path: Path
    sop_class_uid: str
    """Affected SOP Class UID (0000,0002) of the request."""
    sop_instance_uid: str
    """Affected SOP Instance UID (0000,1000) of the request."""
    abstract_syntax: str
    """Of its presentation context."""
    transfer_syntax: str
    """Of its presentation context."""
    association: PeerAssociation
    caller: Caller
    was_requested: bool = False
    """Whether it came because this node asked for it."""
    transfers: TransferCount = field(default_factory=TransferCount)
    """Where its association counts what it brings."""
    sha256: str | None = None
    """Of its data set, where that was digested as it arrived."""


class MismatchError(InputError):
    """The data set is not the instance that the C-STORE request announces."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes responsibility for received instances; may be called from any thread."""

    archive: Archive
    """Where files go."""
    ledger: Ledger
    """Where instances are recorded."""
    refusals: RefusalLog
    """Where refused instances are counted."""
    clock: Clock
    """Returns the present instant."""
    minimum_free_bytes: int
    """With less free space than this, everything is answered A700."""

    def store(self, instance: ReceivedInstance) -> StoreStatus:
        """Store an instance, and return the status to answer; raises nothing.

        The spooled file is gone afterwards: moved to the archive, or removed.
        """
        started = time.perf_counter()
        instance.transfers.begin(was_requested=instance.was_requested)
        try:
            status = self._store(instance)
        except Exception as error:  # noqa: BLE001  (whatever went wrong, the sender keeps its copy)
            status = self._answer_failure(instance, error)
        finally:
            with contextlib.suppress(OSError):  # the sweep of the spool removes it later
                instance.spool_path.unlink(missing_ok=True)
        if status is StoreStatus.SUCCESS:
            STORE_SECONDS.observe(time.perf_counter() - started)
        return status

    def has_room(self) -> bool:
        """Whether there is enough free space to take anything."""
        return self.archive.measure_free_bytes() >= self.minimum_free_bytes

    def _store(self, instance: ReceivedInstance) -> StoreStatus:
        if not self.has_room():
            raise StorageFullError("archive: below the minimum of free space")
        if not instance.spool_path.exists():
            raise StorageFullError("archive: no room was left while the data set arrived")
        file = read_received_file(
            instance.spool_path,
            instance.transfer_syntax,
            instance.sop_class_uid,
            instance.sha256,
        )
        _check_identity(instance, file.header)
        instance.transfers.note_study(str(file.header.StudyInstanceUID))
        own = self._find_own(instance)
        is_own = own is not None and self._is_same(instance, file, own)
        is_altered = own is not None and not is_own
        is_doubtful = is_altered or not file.is_whole
        disposition = classify(file.header, is_own=is_own, is_doubtful=is_doubtful)
        if disposition is Disposition.OWN:
            _log.info("own_object_returned", **_log_fields(instance))
            INSTANCES.labels(answer="own").inc()
            instance.transfers.add_stored(instance.sop_class_uid, RecordOutcome.REPEATED)
            return StoreStatus.SUCCESS
        if disposition is Disposition.REFUSED:
            self._count_refusal(instance, Reason.SOP_CLASS_REFUSED)
            _log.info("instance_refused", reason=Reason.SOP_CLASS_REFUSED, **_log_fields(instance))
            INSTANCES.labels(answer="refused").inc()
            reason = Reason.SOP_CLASS_REFUSED.value
            instance.transfers.add_failed(instance.sop_class_uid, reason)
            return StoreStatus.SOP_CLASS_NOT_SUPPORTED
        self._record(instance, file, disposition, is_altered=is_altered)
        return StoreStatus.SUCCESS

    def _find_own(self, instance: ReceivedInstance) -> OutboxFile | None:
        if not may_be_own(instance.sop_class_uid):
            return None
        return self.ledger.find_own(instance.sop_instance_uid)

    def _is_same(self, instance: ReceivedInstance, file: ReceivedFile, own: OutboxFile) -> bool:
        return is_same_object(instance.spool_path, file.sha256, own, self.archive)

    def _record(
        self,
        instance: ReceivedInstance,
        file: ReceivedFile,
        disposition: Disposition,
        *,
        is_altered: bool,
    ) -> None:
        """Make file and record durable; when this returns, the node answers for the instance."""
        archived = self.archive.commit(instance.spool_path, file.sha256)
        study_uid = str(file.header.StudyInstanceUID)
        stored = StoredInstance(
            sop_instance_uid=instance.sop_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            transfer_syntax=instance.transfer_syntax,
            study_uid=study_uid,
            series_uid=str(file.header.SeriesInstanceUID),
            sha256=file.sha256,
            size=archived.size,
            relative_path=archived.relative_path,
            received_at=self.clock(),
            disposition=disposition,
            association=instance.association,
            was_requested=instance.was_requested,
            is_altered=is_altered,
        )
        outcome = self.ledger.record_instance(stored, file.header)
        if not self.archive.resolve_path(archived.relative_path).is_file():
            # An older copy was removed for its age between the two; the sender keeps its own.
            raise TransientError("archive: the file was removed while it came again")
        INSTANCES.labels(answer=outcome.value).inc()
        instance.transfers.add_stored(instance.sop_class_uid, outcome)
        INSTANCE_BYTES.inc(archived.size if outcome is not RecordOutcome.REPEATED else 0)
        is_odd = outcome in {RecordOutcome.CONFLICTING, RecordOutcome.NOT_PERMITTED}
        write_log = _log.warning if is_odd else _log.info
        write_log(
            "instance_stored",
            recorded=outcome,
            disposition=disposition,
            study_uid=study_uid,
            bytes=archived.size,
            **_log_fields(instance),
        )

    def _answer_failure(self, instance: ReceivedInstance, error: Exception) -> StoreStatus:
        """Log and count that an instance was not stored; return the status to answer."""
        text: str | None
        INSTANCES.labels(answer="failed").inc()
        match error:
            case InputError():
                self._count_refusal(instance, Reason.DATA_SET_INVALID)
                reason = Reason.DATA_SET_INVALID.value
                instance.transfers.add_failed(instance.sop_class_uid, reason)
                _log.warning("instance_not_readable", error=str(error), **_log_fields(instance))
                is_mismatch = isinstance(error, MismatchError)
                return (
                    StoreStatus.DATA_SET_MISMATCH if is_mismatch else StoreStatus.CANNOT_UNDERSTAND
                )
            case SecondreadError():
                text = str(error)
            case OSError():
                text = error.strerror
            case _:
                text = describe_without_quoting(error)
        if isinstance(error, StorageFullError):
            self._count_refusal(instance, Reason.STORAGE_FULL)
        instance.transfers.add_failed(instance.sop_class_uid, "not stored: " + type(error).__name__)
        _log.error("instance_not_stored", error=text, **_log_fields(instance))
        may_succeed_later = isinstance(error, (TransientError, OSError))
        return StoreStatus.OUT_OF_RESOURCES if may_succeed_later else StoreStatus.CANNOT_UNDERSTAND

    def _count_refusal(self, instance: ReceivedInstance, reason: Reason) -> None:
        self.refusals.add_refusal(
            RefusalKind.INSTANCE,
            reason,
            instance.caller,
            self.clock(),
            sop_class_uid=instance.sop_class_uid,
            transfer_syntax=instance.transfer_syntax,
        )


def check_uids(header: Dataset) -> None:
    """Refuse a header that has no place in a study.

    Raises
    ------
    InputError
        A UID is missing, or not a UID.
    """
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not is_uid(str(header.get(keyword, ""))):
            raise InputError(f"{keyword} is missing or not a UID")


def _check_identity(instance: ReceivedInstance, header: Dataset) -> None:
    """Refuse a data set that is not the instance announced, or that has no place in a study.

    Raises
    ------
    MismatchError
        Class or instance differ between request, presentation context and data set.
    InputError
        A UID is missing, or not a UID.
    """
    check_uids(header)
    announced = (instance.sop_class_uid, instance.sop_instance_uid)
    if (header.get("SOPClassUID"), header.SOPInstanceUID) != announced:
        raise MismatchError("the data set is not the instance that the request announces")
    if instance.sop_class_uid != instance.abstract_syntax:
        raise MismatchError("the SOP class is not that of the presentation context")


def _log_fields(instance: ReceivedInstance) -> dict[str, str]:
    """Return what every log record about an instance has: UIDs and the peer, no patient."""
    return {
        "sop_instance_uid": quote_uid(instance.sop_instance_uid),
        "sop_class_uid": quote_uid(instance.sop_class_uid),
        "calling_ae_title": instance.association.calling_ae_title,
        "association_id": instance.association.association_id,
    }
