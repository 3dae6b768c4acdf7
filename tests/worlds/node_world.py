"""A node in a folder, whose detector gives the answers that a test has prepared."""

from collections import abc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.accept.dispositions import Disposition
from secondread.accept.instance_file import hash_data_set
from secondread.accept.ledger import PeerAssociation, StoredInstance
from secondread.app.node import Node, open_node
from secondread.app.reader import make_node_identity
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.codes import View
from secondread.detect.marks import Detection
from secondread.engine import Result
from secondread.findings.finding import ModelIdentity
from secondread.findings.operating_point import OperatingPoint
from secondread.followup.constellation import Scores
from secondread.followup.timeline import LesionHistory
from secondread.geometry import PointPx
from secondread.reading import Reader
from secondread.reasons import Outcome, Reason
from secondread.settings import ObjectKind, Settings, load_settings
from secondread.track.change_rights import Sender
from secondread.track.migrate import upgrade_database
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import StudyState
from secondread.track.studies import Digests
from secondread.track.values import (
    ClaimedRevision,
    RecordedFinding,
    RecordedObject,
)
from secondread.workflow.order import run_reading
from secondread.workflow.revision_reader import ReadingTools
from secondread.workflow.steps import ReadingSteps
from tests.unit.followup import breasts
from tests.unit.followup.breasts import Lie, Spot, group
from tests.worlds.builders import coded, detection, header, mark, view_sequence

Points = abc.Sequence[PointPx]
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
UNIT = Sender("MG1", "127.0.0.1")
CLUSTER = [mark(300, 400), mark(320, 400), mark(310, 430)]
LAST_YEAR = Lie(study="1.2.9", date="20250105", nipple_mm=(83.0, 113.0))
YEARS_AGO = Lie(study="1.2.8", date="20230105", nipple_mm=(86.0, 108.0))
NOW = Lie()
OLD, OTHER = group(45.0, 20.0), group(45.0, -30.0, seed=1)
PATIENT = PatientKey("P1", "HOSPITAL")


def run_step(name: str, step: Callable[..., Result], *arguments: object) -> Result:
    return step(*arguments)


class CrashError(Exception):
    pass


@cache
def _read_empty_database() -> bytes:
    """Return a migrated SQLite file without rows: migrating takes longer than most tests here."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tracker.sqlite"
        upgrade_database(f"sqlite:///{file}")
        return file.read_bytes()


class NodeWorld:
    """A node in a folder, its clock, and a detector with given answers.

    With the URL of a database, several processes may open the same node.
    """

    def __init__(self, folder: Path, database_url: str = "") -> None:
        settings_file = folder / "secondread.toml"
        if not settings_file.exists():
            settings_file.write_text(
                "[[destinations]]\n"
                'name = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
                'initial_mode = "live"\n'
            )
        environment = {"SECONDREAD__DATABASE__URL": database_url} if database_url else {}
        self.settings: Settings = load_settings(settings_file, environment)
        self.settings.node.data_dir.mkdir(exist_ok=bool(database_url))
        if not database_url:
            (self.settings.node.data_dir / "tracker.sqlite").write_bytes(_read_empty_database())
        self.node: Node = open_node(self.settings)
        self.now = START
        self.answers: dict[str, Detection | Exception] = {}
        self.detected_paths: list[Path] = []
        self.displayed_paths: list[Path] = []
        self.rechecked_paths: list[Path] = []
        self.score: Callable[[Points], Scores | None] = lambda _: None
        self.tools = ReadingTools(
            tracker=self.node.tracker,
            archive=self.node.archive,
            detector=self,
            settings_digest=self.settings.reading_digest,
            reader=Reader(
                ModelIdentity("Test", "1", "0" * 64, 1, calibrated=False),
                lambda _, score: 100 * score,
                OperatingPoint(1, "test", 50.0),
            ),
            node=make_node_identity(self.node.installation_id, "test", ""),
            installation_id=self.node.installation_id,
            profiles=self.settings.profiles,
            destinations={d.name: d.profile.key for d in self.settings.destinations},
            overrides=frozenset(),
            attempts=3,
            work_dir=folder / "work",
            clock=lambda: self.now,
            zone=ZoneInfo("Europe/Athens"),
        )
        self.steps = ReadingSteps(self.tools)

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        self.detected_paths.append(path)
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        answer = self.answers.get(uid, detection(uid))
        if isinstance(answer, Exception):
            raise answer
        np.save(display_to, np.full((1000, 800), 40, np.uint8))
        return answer

    def write_display(self, path: Path, display_to: Path) -> None:
        self.displayed_paths.append(path)
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        answer = self.answers.get(uid)
        if isinstance(answer, Exception):
            raise answer
        np.save(display_to, np.full((1000, 800), 40, np.uint8))

    def score_places(self, path: Path, points: Points) -> Scores | None:
        self.rechecked_paths.append(path)
        return self.score(points)

    def deliver(
        self,
        ds: Dataset,
        disposition: Disposition = Disposition.MAMMOGRAM,
        sender: Sender = UNIT,
        *,
        ends: bool = True,
    ) -> str:
        """Put an instance in as the receiver would, over an association that then ends."""
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        spooled = self.node.archive.spool / f"{ds.SOPInstanceUID}.dcm"
        ds.save_as(spooled, enforce_file_format=True)
        digest = hash_data_set(spooled)
        file = self.node.archive.commit(spooled, digest)
        association = PeerAssociation("a1", *sender, self.now)
        instance = StoredInstance(
            sop_instance_uid=str(ds.SOPInstanceUID),
            sop_class_uid=str(ds.SOPClassUID),
            transfer_syntax=str(ds.file_meta.TransferSyntaxUID),
            study_uid=str(ds.StudyInstanceUID),
            series_uid=str(ds.get("SeriesInstanceUID", "1.2.3.4")),
            sha256=digest,
            size=file.size,
            relative_path=file.relative_path,
            received_at=self.now,
            disposition=disposition,
            association=association,
        )
        ledger = self.node.tracker.open_ledger("receive", self.settings.assemble)
        ledger.record_association_start(association)
        ledger.record_instance(instance, ds)
        if ends:
            ledger.record_association_end("a1", self.now)
        return str(ds.SOPInstanceUID)

    def reject(self, sop_instance_uid: str) -> None:
        """Withdraw an instance by a rejection note, as a quality check would."""
        note = header(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59", Modality="KO")
        note.ConceptNameCodeSequence = Sequence(
            [coded("113001", "DCM", "Rejected for Quality Reasons")]
        )
        reference, series, study = Dataset(), Dataset(), Dataset()
        reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
        reference.ReferencedSOPInstanceUID = sop_instance_uid
        series.SeriesInstanceUID, study.StudyInstanceUID = "1.2.3.4", "1.2.3"
        series.ReferencedSOPSequence = Sequence([reference])
        study.ReferencedSeriesSequence = Sequence([series])
        note.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
        self.deliver(note, Disposition.REJECTION_NOTE)

    def deliver_exam(self) -> list[str]:
        return [
            self.deliver(header(ImageLaterality=side, ViewCodeSequence=view_sequence(view)))
            for side in "RL"
            for view in (View.CC, View.MLO)
        ]

    def claim(self) -> ClaimedRevision:
        self.now += timedelta(seconds=300)
        (due,) = self.node.tracker.studies.list_due(self.now, 10)
        claimed = self.node.tracker.studies.claim_study(
            due.study_uid, "w0", Digests("s", "m"), self.now
        )
        assert claimed is not None
        return claimed

    def read_due(self) -> ClaimedRevision:
        claimed = self.claim()
        run_reading(self.steps, run_step, claimed.study_uid, claimed.number)
        return claimed

    def list_objects(self, revision: int) -> tuple[RecordedObject, ...]:
        return self.node.tracker.results.list_outbox("1.2.3", revision)

    def read_cad_sr(self, revision: int) -> Dataset:
        (entry,) = [e for e in self.list_objects(revision) if e.kind is ObjectKind.CAD_SR]
        return pydicom.dcmread(self.node.archive.resolve_path(entry.path))

    def get_outcome(self) -> tuple[StudyState, Outcome | None, tuple[Reason, ...]]:
        detail = self.node.tracker.study_queries.find_detail("1.2.3")
        assert detail is not None
        return detail.summary.state, detail.summary.outcome, detail.revisions[0].reasons


class PatientWorld(NodeWorld):
    """A node that exams of one woman come to."""

    def deliver_view(self, lie: Lie, spots: list[Spot]) -> str:
        """Deliver one view, and set what the detector finds in it."""
        ds = make_dataset(lie)
        uid = self.deliver(ds)
        self.answers[uid] = breasts.detection(lie, Mammogram.from_dataset(ds), spots)
        return uid

    def hold_prior(self, *lies: tuple[Lie, list[Spot]]) -> list[str]:
        """Deliver an exam that is held as a prior and not read."""
        uids = [self.deliver_view(lie, spots) for lie, spots in lies]
        self.now += timedelta(seconds=300)
        reason, study = Reason.PRIOR_ONLY_BY_AGE, lies[0][0].study
        assert self.node.tracker.studies.hold_study(study, reason, self.now, FETCH_NOTHING)
        return uids

    def read_view(self, lie: Lie, spots: list[Spot]) -> str:
        """Deliver one view and read its study."""
        uid = self.deliver_view(lie, spots)
        self.read_due()
        return uid

    def list_findings(self, study_uid: str = "1.2.3") -> list[RecordedFinding]:
        detail = self.node.tracker.study_queries.find_detail(study_uid)
        assert detail is not None
        return [finding for finding in detail.findings if finding.shown]

    def list_changes(self) -> list[str]:
        return sorted(str(finding.document["change"]) for finding in self.list_findings())

    def list_lesions(self, study_uid: str = "1.2.3") -> set[str]:
        found = {finding.tracking_uid for finding in self.list_findings(study_uid)}
        assert None not in found
        return {str(uid) for uid in found}

    def list_histories(self) -> tuple[LesionHistory, ...]:
        return tuple(h for h in self.node.tracker.lesions.list_for_patient(PATIENT) if h.was_shown)

    def list_reasons(self) -> tuple[Reason, ...]:
        return self.get_outcome()[2]


def make_dataset(lie: Lie) -> Dataset:
    return header(
        StudyInstanceUID=lie.study,
        SeriesInstanceUID=f"{lie.study}.1",
        StudyDate=lie.date,
        AcquisitionDate=lie.date,
        ImageLaterality="R" if lie.right else "L",
        ViewCodeSequence=view_sequence(lie.view),
        PatientOrientation=["A", "R" if lie.view is View.CC else "FR"],
        Rows=550,
        Columns=425,
        ImagerPixelSpacing=[lie.pitch_mm, lie.pitch_mm],
        Manufacturer=lie.manufacturer,
    )
