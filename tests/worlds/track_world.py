"""A small world around the tracker: a peer that sends mammograms, a worker, a clock by hand."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    MammographyCADSRStorage,
)
from sqlalchemy.orm import Session

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import Ledger, PeerAssociation, RecordOutcome, StoredInstance
from secondread.assemble.device import Device
from secondread.assemble.patient_key import PatientKey
from secondread.reasons import Outcome
from secondread.settings import AssembleSettings, DestinationMode, ObjectKind
from secondread.track.change_rights import OWN_ALONE, ChangeRights, Sender
from secondread.track.database import Database
from secondread.track.results import Results
from secondread.track.studies import Digests
from secondread.track.summaries import StudyFilter
from secondread.track.tracker import Tracker
from secondread.track.values import (
    ClaimedRevision,
    RecordedFinding,
    RecordedImage,
    RecordedObject,
    RecordedReading,
)

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
STUDY = "1.2.826.0.1.3680043.10.1"
FOUR_VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
SETTINGS = AssembleSettings(settle_seconds=20, quiet_seconds=120, late_window_days=7)
MODALITY = Sender("MODALITY", "127.0.0.1")
DIGESTS = Digests(settings="5e" * 32, model="60" * 32)


def association(number: int = 1, at: datetime = START) -> PeerAssociation:
    return PeerAssociation(f"receive-0.{number}", "MODALITY", "127.0.0.1", at)


def association_of(sender: Sender) -> PeerAssociation:
    return PeerAssociation(f"receive-0.{sender.peer}-{sender.address}", *sender, START)


def mammogram(
    view: str, study: str = STUDY, *, patient: str = "P1", date: str = "20261122"
) -> Dataset:
    """The header of one For Presentation view, named as RCC or LMLO."""
    ds = Dataset()
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = f"{study}.{1 + sum(map(ord, view))}"
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = f"{study}.0"
    ds.PatientID = patient
    ds.StudyDate = date
    ds.Modality = "MG"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = view[0]
    ds.ViewPosition = view[1:]
    ds.Rows, ds.Columns, ds.BitsStored = 4096, 3328, 12
    return ds


def rejection_note(
    uids: Sequence[str], study: str = STUDY, number: int = 1, title: str = "113001"
) -> Dataset:
    """A Key Object Selection that withdraws instances."""
    ds = Dataset()
    ds.SOPClassUID = KeyObjectSelectionDocumentStorage
    ds.SOPInstanceUID = f"{study}.9.{number}"
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = f"{study}.9"
    ds.PatientID = "P1"
    ds.Modality = "KO"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = title, "DCM", "Rejected"
    ds.ConceptNameCodeSequence = DicomSequence([code])
    series, evidence = Dataset(), Dataset()
    series.ReferencedSOPSequence = DicomSequence([_reference(uid) for uid in uids])
    evidence.ReferencedSeriesSequence = DicomSequence([series])
    ds.CurrentRequestedProcedureEvidenceSequence = DicomSequence([evidence])
    return ds


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid
    return item


def other_cad_sr(study: str = STUDY) -> Dataset:
    ds = mammogram("RCC", study)
    ds.SOPClassUID = MammographyCADSRStorage
    ds.SOPInstanceUID = f"{study}.8.1"
    ds.Modality = "SR"
    return ds


def stored(
    header: Dataset,
    at: datetime,
    disposition: Disposition = Disposition.MAMMOGRAM,
    *,
    content: str = "first",
    sent_over: PeerAssociation | None = None,
) -> StoredInstance:
    digest = hashlib.sha256(f"{header.SOPInstanceUID}{content}".encode()).hexdigest()
    return StoredInstance(
        sop_instance_uid=header.SOPInstanceUID,
        sop_class_uid=header.SOPClassUID,
        transfer_syntax=ExplicitVRLittleEndian,
        study_uid=header.StudyInstanceUID,
        series_uid=header.SeriesInstanceUID,
        sha256=digest,
        size=27_300_000,
        relative_path=f"{digest[:2]}/{digest}.dcm",
        received_at=at,
        disposition=disposition,
        association=sent_over or association(),
    )


def outbox_entry(
    study: str, revision: int, profile: str = "default", index: int = 0
) -> RecordedObject:
    return RecordedObject(
        profile=profile,
        kind=ObjectKind.CAPTURE,
        index=index,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        series_uid=f"{study}.7.{revision}",
        sop_instance_uid=f"{study}.7.{revision}.{sum(map(ord, profile))}.{index}",
        source_uid=None,
        path=f"{study}/{revision}/{profile}-{index}.dcm",
        sha256="ab" * 32,
        size_bytes=1000,
    )


def finding(
    number: int = 1, *, shown: bool = True, tracking_uid: str | None = None
) -> RecordedFinding:
    return RecordedFinding(
        finding_id=f"LCC-{number}",
        sop_instance_uid=f"{STUDY}.1",
        kind="cluster",
        certainty=80.0 - number,
        suspicion=12.5,
        priority=round((80.0 - number) * 0.125, 1),
        shown=shown,
        document={"center": [10.5, 20.5], "morphology": [["round", 0.7]]},
        tracking_uid=tracking_uid,
    )


def reading(
    claimed: ClaimedRevision,
    *,
    entries: Sequence[RecordedObject] | None = None,
    findings: Sequence[RecordedFinding] = (),
    images: Sequence[RecordedImage] = (),
    outcome: Outcome = Outcome.NO_FINDINGS,
    device: Device | None = None,
    exam_score: float | None = None,
) -> RecordedReading:
    study, number = claimed.study_uid, claimed.number
    made = [outbox_entry(study, number)] if entries is None else entries
    return RecordedReading(
        study_uid=study,
        revision=number,
        outcome=outcome,
        reasons=(),
        images=tuple(images),
        findings=tuple(findings),
        shown_lesions=sum(finding.shown for finding in findings),
        objects=tuple(made),
        device=device,
        exam_score=exam_score,
    )


@dataclass
class World:
    """The tracker, and a clock that is moved by hand."""

    tracker: Tracker
    now: datetime = START
    profiles: dict[str, str] = field(default_factory=dict)
    rights: ChangeRights = OWN_ALONE

    @property
    def ledger(self) -> Ledger:
        return self.tracker.open_ledger("receive-0", SETTINGS, self.rights)

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def destination(self, name: str, mode: DestinationMode, profile: str = "default") -> None:
        self.tracker.destinations.seed_modes({name: mode}, self.now)
        self.profiles[name] = profile

    def arrive(
        self, header: Dataset, *, content: str = "first", sender: Sender = MODALITY
    ) -> RecordOutcome:
        """An instance comes over an association that stays open."""
        over = None if sender == MODALITY else association_of(sender)
        instance = stored(header, self.now, content=content, sent_over=over)
        return self.ledger.record_instance(instance, header)

    def arrive_note(self, note: Dataset, sender: Sender = MODALITY) -> RecordOutcome:
        kind = Disposition.REJECTION_NOTE
        over = None if sender == MODALITY else association_of(sender)
        return self.ledger.record_instance(stored(note, self.now, kind, sent_over=over), note)

    def hang_up(self, sender: Sender = MODALITY) -> None:
        over = association() if sender == MODALITY else association_of(sender)
        self.ledger.record_association_end(over.association_id, self.now)

    def send_study(
        self,
        views: Sequence[str] = FOUR_VIEWS,
        study: str = STUDY,
        *,
        date: str = "20261122",
        sender: Sender = MODALITY,
    ) -> None:
        """A whole study comes, and its association ends."""
        for view in views:
            self.arrive(mammogram(view, study, date=date), sender=sender)
        self.hang_up(sender)

    def due(self) -> list[str]:
        return [study.study_uid for study in self.tracker.studies.list_due(self.now, limit=50)]

    def claim(self, study: str = STUDY, worker: str = "worker-0") -> ClaimedRevision | None:
        return self.tracker.studies.claim_study(study, worker, DIGESTS, self.now)

    def claimed(self, study: str = STUDY) -> ClaimedRevision:
        claimed = self.claim(study)
        assert claimed is not None
        return claimed

    def record(self, result: RecordedReading) -> tuple[RecordedObject, ...]:
        return self.tracker.results.record_reading(result, self.profiles, self.now)

    def read_study(self, study: str = STUDY) -> ClaimedRevision:
        """Wait until a study that has come is due, and read it."""
        self.later(150)
        claimed = self.claimed(study)
        self.record(reading(claimed))
        return claimed

    def studies_of(self, patient: PatientKey) -> set[str]:
        matching = StudyFilter(patient=patient)
        return {row.study_uid for row in self.tracker.study_queries.list_studies(matching=matching)}

    def state(self, study: str = STUDY) -> str:
        detail = self.tracker.study_queries.find_detail(study)
        assert detail is not None
        return detail.summary.state.value


def claim_all(url: str, worker: str) -> list[str]:
    """Claim whatever is due until nothing is; runs in a process of its own."""
    tracker = Tracker(url, Path())
    mine: list[str] = []
    now = START + timedelta(hours=1)
    while due := tracker.studies.list_due(now, limit=50):
        for study in due:
            claimed = tracker.studies.claim_study(study.study_uid, worker, DIGESTS, now)
            if claimed is not None:
                mine.append(f"{claimed.study_uid}:{claimed.number}")
    tracker.close()
    return mine


def record_and_hang(url: str, result: RecordedReading, written: Event) -> None:
    """Record results in a process of its own that never comes to the end of its transaction."""

    class Hanging(Database):
        @contextmanager
        def begin_write(self) -> Iterator[Session]:
            with super().begin_write() as session:
                yield session
                session.flush()
                written.set()
                time.sleep(600)

    Results(Hanging(url)).record_reading(result, {"pacs": "default"}, START)
