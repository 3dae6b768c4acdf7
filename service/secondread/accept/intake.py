"""The commit protocol: what happens between an instance's last byte and its answer.

Free space, digest, header, class, archive, ledger: Success is answered only when the file is
durable and the ledger has committed. Whatever fails before is answered with a failure status, so
that the sender keeps its copy; warning statuses mean *stored* (PS3.4 B.2.3) and are never used.
"""

import re
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from secondread import log
from secondread.accept.archive import Archive
from secondread.accept.classify import Disposition, classify, may_be_own
from secondread.accept.instance_file import ReceivedFile, read_received_file
from secondread.accept.ledger import (
    Ledger,
    PeerAssociation,
    RecordOutcome,
    RefusalKind,
    StoredInstance,
)
from secondread.accept.refusals import Caller, RefusalLog
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

_log = log.get_logger(__name__)

_UID: Final = re.compile(r"[0-9.]{1,64}")
"""What passes for a UID: PS3.5 9.1 without its rule on leading zeros, which devices break."""


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


class MismatchError(InputError):
    """The data set is not what the C-STORE request says it is."""


class Intake:
    """Takes responsibility for instances, one delivery at a time, from any thread.

    Parameters
    ----------
    archive
        Where files go.
    ledger
        Where they are written down.
    refusals
        Where it is counted what was not taken.
    clock
        The present instant.
    minimum_free_bytes
        With less free space than this, everything is answered A700.
    """

    def __init__(
        self,
        archive: Archive,
        ledger: Ledger,
        refusals: RefusalLog,
        clock: Clock,
        minimum_free_bytes: int,
    ) -> None:
        self._archive = archive
        self._ledger = ledger
        self._refusals = refusals
        self._clock = clock
        self._minimum_free_bytes = minimum_free_bytes

    def store(self, delivery: ReceivedInstance) -> StoreStatus:
        """Store what was delivered, and return what to answer; raises nothing.

        The spooled file is gone afterwards, to its place or for good.
        """
        started = time.perf_counter()
        try:
            status = self._store(delivery)
        except Exception as error:  # noqa: BLE001  (whatever went wrong, the sender keeps its copy)
            status = self._failed(delivery, error)
        finally:
            delivery.spool_path.unlink(missing_ok=True)
        if status is StoreStatus.SUCCESS:
            STORE_SECONDS.observe(time.perf_counter() - started)
        return status

    def has_room(self) -> bool:
        """Whether there is enough free space to take anything."""
        return self._archive.measure_free_bytes() >= self._minimum_free_bytes

    def _store(self, delivery: ReceivedInstance) -> StoreStatus:
        if not self.has_room():
            raise StorageFullError("archive: below the minimum of free space")
        if not delivery.spool_path.exists():
            raise StorageFullError("archive: no room was left while the data set arrived")
        received = read_received_file(delivery.spool_path, delivery.transfer_syntax)
        _check_identity(delivery, received.header)
        own = may_be_own(delivery.sop_class_uid) and self._ledger.is_own(delivery.sop_instance_uid)
        disposition = classify(received.header, is_own=own)
        if disposition is Disposition.OWN:
            _log.info("own_object_returned", **_facts(delivery))
            INSTANCES.labels(answer="own").inc()
            return StoreStatus.SUCCESS
        if disposition is Disposition.REFUSED:
            self._refuse(delivery, Reason.NOT_OURS)
            _log.info("instance_refused", reason=Reason.NOT_OURS, **_facts(delivery))
            INSTANCES.labels(answer="refused").inc()
            return StoreStatus.SOP_CLASS_NOT_SUPPORTED
        self._keep(delivery, received, disposition)
        return StoreStatus.SUCCESS

    def _keep(
        self, delivery: ReceivedInstance, received: ReceivedFile, disposition: Disposition
    ) -> None:
        """Make file and record durable; when this returns, the instance is ours."""
        file = self._archive.commit(delivery.spool_path, received.sha256)
        instance = StoredInstance(
            sop_instance_uid=delivery.sop_instance_uid,
            sop_class_uid=delivery.sop_class_uid,
            transfer_syntax=delivery.transfer_syntax,
            study_uid=str(received.header.StudyInstanceUID),
            series_uid=str(received.header.SeriesInstanceUID),
            sha256=received.sha256,
            size=file.size,
            relative_path=file.relative_path,
            received_at=self._clock(),
            disposition=disposition,
            association=delivery.association,
            was_requested=delivery.was_requested,
        )
        recorded = self._ledger.record_instance(instance, received.header)
        INSTANCES.labels(answer=recorded.value).inc()
        INSTANCE_BYTES.inc(file.size if recorded is not RecordOutcome.REPEATED else 0)
        write = _log.warning if recorded is RecordOutcome.CONFLICTING else _log.info
        write(
            "instance_stored",
            recorded=recorded,
            disposition=disposition,
            study_uid=instance.study_uid,
            bytes=instance.size,
            **_facts(delivery),
        )

    def _failed(self, delivery: ReceivedInstance, error: Exception) -> StoreStatus:
        """Say in log, count and status why an instance was not taken."""
        INSTANCES.labels(answer="failed").inc()
        facts = _facts(delivery)
        match error:
            case StorageFullError():
                self._refuse(delivery, Reason.STORAGE_FULL)
                _log.error("instance_not_stored", error=str(error), **facts)
                return StoreStatus.OUT_OF_RESOURCES
            case TransientError():
                _log.error("instance_not_stored", error=str(error), **facts)
                return StoreStatus.OUT_OF_RESOURCES
            case InputError():
                self._refuse(delivery, Reason.DATA_SET_INVALID)
                _log.warning("instance_not_readable", error=str(error), **facts)
                mismatch = isinstance(error, MismatchError)
                return StoreStatus.DATA_SET_MISMATCH if mismatch else StoreStatus.CANNOT_UNDERSTAND
            case OSError():
                _log.error("instance_not_stored", error=error.strerror, **facts)
                return StoreStatus.OUT_OF_RESOURCES
            case SecondreadError():
                _log.error("instance_not_stored", error=str(error), **facts)
                return StoreStatus.CANNOT_UNDERSTAND
            case _:
                _log.error("instance_not_stored", error=describe_without_quoting(error), **facts)
                return StoreStatus.CANNOT_UNDERSTAND

    def _refuse(self, delivery: ReceivedInstance, reason: Reason) -> None:
        self._refusals.add_refusal(
            RefusalKind.INSTANCE,
            reason,
            delivery.caller,
            self._clock(),
            sop_class_uid=delivery.sop_class_uid,
            transfer_syntax=delivery.transfer_syntax,
        )


def _check_identity(delivery: ReceivedInstance, header: Dataset) -> None:
    """Refuse a data set that is not the instance announced, or that has no place in a study.

    Raises
    ------
    MismatchError
        Class or instance differ between request, presentation context and data set.
    InputError
        A UID is missing, or is none.
    """
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not _UID.fullmatch(str(header.get(keyword, ""))):
            raise InputError(f"{keyword} is missing or not a UID")
    announced = (delivery.sop_class_uid, delivery.sop_instance_uid)
    if (header.get("SOPClassUID"), header.SOPInstanceUID) != announced:
        raise MismatchError("the data set is another instance than the request says")
    if delivery.sop_class_uid != delivery.abstract_syntax:
        raise MismatchError("the SOP class is another than the presentation context's")


def _facts(delivery: ReceivedInstance) -> dict[str, str]:
    """What every log record about a delivery carries: UIDs and the peer, no patient."""
    return {
        "sop_instance_uid": delivery.sop_instance_uid,
        "sop_class_uid": delivery.sop_class_uid,
        "calling_ae_title": delivery.association.calling_ae_title,
        "association_id": delivery.association.association_id,
    }
