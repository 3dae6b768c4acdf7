"""The promises of a node that hold whatever was killed, each as a function that lists its faults.

A fault is a sentence that says what was promised and what is so. None of these functions asks the
program under test for what it believes about itself where files, tables, another program's answers
or the trace of its steps say it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from sqlalchemy import create_engine, func, or_, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from secondread.track.states import DeliveryState, RevisionState, StudyState
from secondread.track.tables import (
    AlarmRow,
    DeliveryRow,
    FetchRequestRow,
    InstanceRow,
    OpenAssociationRow,
    OutboxObjectRow,
    RevisionRow,
    StudyRow,
)
from secondread.track.tracker import Tracker
from tests.kills.points import FOLDER, HARNESS, Step, find_kind

_AREAS = ("instances", "outbox", "crops", "answers")


def read_data_set(content: bytes) -> bytes:
    """Return the encoded data set of a DICOM file: what stands before it is each program's own."""
    # Group 0002 begins with its own length: 12 bytes of element, of which the last four say it.
    return content[144 + int.from_bytes(content[140:144], "little") :]


def hash_data_set(content: bytes) -> str:
    """Return the SHA-256 of a file's data set."""
    return hashlib.sha256(read_data_set(content)).hexdigest()


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image whose sender was answered Success."""

    study_uid: str
    sop_instance_uid: str
    digest: str
    """Of its data set as it was sent."""


def find_received_faults(
    session: Session, data_dir: Path, answered: Iterable[SentImage]
) -> list[str]:
    """Every instance that was answered Success is in SQL and in the archive, as it was sent."""
    faults = []
    for image in answered:
        uid = image.sop_instance_uid
        rows = session.scalars(select(InstanceRow).filter_by(sop_instance_uid=uid)).all()
        current = [row for row in rows if row.current]
        if len(current) != 1:
            faults.append(f"{uid} was answered Success, and {len(current)} rows count for it")
            continue
        (row,) = current
        if row.sha256 != image.digest:
            faults.append(f"{uid} was answered Success, and its row has another digest")
        file = data_dir / row.path
        if not file.is_file():
            faults.append(f"{uid} was answered Success, and its file is missing: {row.path}")
        elif hash_data_set(file.read_bytes()) != image.digest:
            faults.append(f"{uid} was answered Success, and its file is another: {row.path}")
    return faults


def find_result_faults(session: Session, answered: Iterable[SentImage]) -> list[str]:
    """Every study ends in one current set of results, of all its images."""
    images: dict[str, set[str]] = defaultdict(set)
    for image in answered:
        images[image.study_uid].add(image.sop_instance_uid)
    faults = []
    for study_uid, uids in images.items():
        study = session.get(StudyRow, study_uid)
        if study is None:
            faults.append(f"study {study_uid}: nothing is known of it")
            continue
        if study.state is not StudyState.REPORTED:
            faults.append(f"study {study_uid}: it is {study.state.value}, not reported")
        revisions = session.scalars(
            select(RevisionRow).filter_by(study_uid=study_uid).order_by(RevisionRow.number)
        ).all()
        faults += [f"study {study_uid}: {fault}" for fault in _judge(session, revisions, uids)]
    return faults


def _judge(session: Session, revisions: Sequence[RevisionRow], images: set[str]) -> list[str]:
    faults = []
    if [revision.number for revision in revisions] != list(range(1, len(revisions) + 1)):
        faults.append("its revisions are not counted from 1")
    inputs = [frozenset(uid for uid, *_ in revision.inputs) for revision in revisions]
    # A kill may delay an image beyond the quiet time: then the study is read once more with it.
    if len(set(inputs)) != len(inputs):
        faults.append("two revisions were made of the same images")
    for revision in revisions:
        if revision.state is not RevisionState.FINISHED:
            faults.append(f"revision {revision.number} is {revision.state.value}")
        outcome = revision.outcome
        if outcome is not None and outcome.value == "failed":
            faults.append(f"revision {revision.number} failed, though nothing was wrong with it")
        faults += _judge_objects(session, revision)
    if not revisions or inputs[-1] != images:
        faults.append("its latest results are not made of all its images")
    return faults


def _judge_objects(session: Session, revision: RevisionRow) -> list[str]:
    rows = session.scalars(select(OutboxObjectRow).filter_by(revision=revision.id)).all()
    if not rows:
        return [f"revision {revision.number} has no results"]
    about = Counter((row.profile, row.kind, row.source_uid) for row in rows)
    return [
        f"revision {revision.number} has {count} objects {kind.value} about one thing"
        for (_, kind, _), count in about.items()
        if count > 1
    ]


def find_pacs_faults(
    session: Session,
    data_dir: Path,
    study_uids: Iterable[str],
    held: Mapping[str, Mapping[str, bytes]],
) -> list[str]:
    """Each result is one object at the PACS, byte for byte that of the outbox, and nothing else is.

    Parameters
    ----------
    session, data_dir
        The node's.
    study_uids
        The studies.
    held
        What the PACS holds of each: files by SOP Instance UID.
    """
    faults = []
    for study_uid in study_uids:
        rows = session.execute(
            select(OutboxObjectRow, DeliveryRow)
            .join(DeliveryRow, DeliveryRow.outbox == OutboxObjectRow.id)
            .where(OutboxObjectRow.study_uid == study_uid)
        ).all()
        at_pacs = held.get(study_uid, {})
        for row, delivery in rows:
            uid = row.sop_instance_uid
            if delivery.state is not DeliveryState.DELIVERED:
                faults.append(f"result {uid}: it is {delivery.state.value}, not delivered")
            content = (data_dir / row.path).read_bytes() if (data_dir / row.path).is_file() else b""
            if hashlib.sha256(content).hexdigest() != row.sha256:
                faults.append(f"result {uid}: its file in the outbox is not what was recorded")
            if uid not in at_pacs:
                faults.append(f"result {uid}: the PACS does not hold it")
            elif read_data_set(at_pacs[uid]) != read_data_set(content):
                faults.append(f"result {uid}: the PACS holds other bytes than the outbox")
        ours = {row.sop_instance_uid for row, _ in rows}
        faults += [
            f"study {study_uid}: the PACS holds {uid}, which is in no outbox"
            for uid in sorted(at_pacs.keys() - ours)
        ]
    return faults


def find_open_ends(session: Session, study_uid: str) -> list[str]:
    """Return what of a study is still under way."""
    study = session.get(StudyRow, study_uid)
    if study is None or study.state is not StudyState.REPORTED or study.quiet_due_at is not None:
        return ["it is not reported"]
    rows = session.execute(
        select(OutboxObjectRow.sop_instance_uid, DeliveryRow.state)
        .join(DeliveryRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(OutboxObjectRow.study_uid == study_uid)
    ).all()
    waiting = [uid for uid, state in rows if state is not DeliveryState.DELIVERED]
    return waiting or ([] if rows else ["it has no results"])


def find_lease_faults(session: Session) -> list[str]:
    """Nothing is on loan, in a step, or announced as open, when nothing is under way any more."""
    faults = []
    tables: tuple[type[DeliveryRow] | type[FetchRequestRow], ...] = (DeliveryRow, FetchRequestRow)
    for table in tables:
        is_on_loan = or_(table.claim.is_not(None), table.lease_until.is_not(None))
        rows = session.execute(select(table.id, table.leased_by).where(is_on_loan)).all()
        faults += [f"{table.__tablename__} {key} is on loan to {by}" for key, by in rows]
    in_step = session.scalars(select(RevisionRow).where(RevisionRow.in_step))
    faults += [f"revision {r.number} of {r.study_uid} is in step {r.step}" for r in in_step]
    held_up = session.scalars(select(RevisionRow).where(RevisionRow.held_up_at.is_not(None)))
    faults += [
        f"revision {r.number} of {r.study_uid} counts as held up"
        for r in held_up
        if r.state is RevisionState.STARTED
    ]
    open_ones = session.scalar(select(func.count()).select_from(OpenAssociationRow)) or 0
    if open_ones:
        faults.append(f"{open_ones} associations are listed as open")
    alarms = session.scalars(select(AlarmRow).where(AlarmRow.cleared_at.is_(None)))
    faults += [f"alarm {row.kind} about {row.subject} stands: {row.detail}" for row in alarms]
    return faults


def find_engine_faults(engine_url: str) -> list[str]:
    """No workflow waits or runs in the durable engine's tables, and none broke."""
    schema = "" if make_url(engine_url).get_backend_name() == "sqlite" else "dbos."
    engine = create_engine(engine_url)
    query = f"SELECT workflow_uuid, status FROM {schema}workflow_status WHERE status <> 'SUCCESS'"
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(query)).all()
    finally:
        engine.dispose()
    return [f"workflow {name} is {status}" for name, status in rows]


def find_file_faults(tracker: Tracker, data_dir: Path) -> list[str]:
    """Every file of the archive has a row, and nothing is left in spool and work folders."""
    named = {row.path for row in tracker.archive_rows.list_files()}
    faults = []
    for area in _AREAS:
        for path in (data_dir / area).rglob("*"):
            relative = path.relative_to(data_dir).as_posix()
            if path.is_file() and relative not in named:
                faults.append(f"no row names {relative}")
    for folder in ("spool", "work"):
        for path in (data_dir / folder).rglob("*"):
            if path.is_file() and path.suffix != ".fault":
                faults += [f"left behind: {path.relative_to(data_dir)}"]
    return faults


def find_process_faults(folder: Path, expected: Iterable[int] = ()) -> list[str]:
    """No process of the node lives but those that are expected.

    Parameters
    ----------
    folder
        The folder of its steps, which its processes have in their environment.
    expected
        Process ids.
    """
    pids = list_processes(folder).keys() - set(expected)
    return [f"process {pid} of the node still lives" for pid in sorted(pids)]


def list_processes(folder: Path) -> dict[int, str]:
    """Return the kinds of a node's living processes by process id."""
    mark = f"{FOLDER}={folder}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            kind = find_kind((entry / "cmdline").read_bytes().decode().split("\0"))
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # gone meanwhile, or somebody else's
        if kind and state not in "ZX":
            found[int(entry.name)] = kind
    return found


# What the trace of the steps shows.


def find_order_faults(steps: Sequence[Step], data_dir: Path) -> list[str]:
    """Success is sent only when file, name and row are durable, in this order.

    For each C-STORE that is answered Success, the thread that answers has flushed the spool's file,
    renamed it to its place, flushed the folder, and committed the row, before it sends the answer.
    """
    faults: list[str] = []
    by_thread: dict[tuple[int, int], list[Step]] = defaultdict(list)
    for step in steps:
        if step.kind == "receive":
            by_thread[step.pid, step.thread].append(step)
    for of_thread in by_thread.values():
        since: list[Step] = []
        for step in of_thread:
            if step.point == "store-instance" and step.phase == "before":
                since = []
            since.append(step)
            words = step.detail.split()
            is_answer = step.point.endswith("send-message") and step.phase == "before"
            if is_answer and words[0] == "C_STORE" and words[-1:] == ["0000"]:
                why = _find_disorder(since, data_dir)
                if why:
                    faults.append(f"Success was answered for {words[1]}, and {why}")
    return faults


def _find_disorder(steps: Sequence[Step], data_dir: Path) -> str:
    """Return what had not happened before an answer, among the steps of its request."""
    spool, instances = f"{data_dir}/spool/", f"{data_dir}/instances/"
    target, is_flushed, is_durable, is_committed = "", set[str](), False, False
    for step in steps:
        if step.phase != "after":
            continue
        match step.point.rpartition(">")[2]:
            case "fsync":
                is_flushed.add(step.detail)
                is_durable = is_durable or (
                    bool(target) and step.detail == str(Path(target).parent)
                )
            case "rename":
                source, target = step.detail.split()
                if not (source.startswith(spool) and target.startswith(instances)):
                    continue
                if source not in is_flushed:
                    return "its file was not flushed before it was renamed"
            case "commit" if step.point.startswith("record-instance"):
                if not _is_kept(steps, target, is_durable=is_durable):
                    return "its file's name was not flushed before its row was committed"
                is_committed = True
            case _:
                pass
    return "" if is_committed else "its row was not committed before"


def _is_kept(steps: Sequence[Step], target: str, *, is_durable: bool) -> bool:
    """Whether a name is durable; one that was there before is flushed once more, too."""
    if target:
        return is_durable
    folders = [step.detail for step in steps if step.point == "archive-commit>flush-folder"]
    return bool(folders)


def find_sent_faults(steps: Sequence[Step]) -> list[str]:
    """A result is sent again only where something was killed since, or an attempt had failed."""
    excuses = 0
    sent: Counter[str] = Counter()
    excuses_before: dict[str, int] = {}
    faults = []
    for step in steps:
        has_failed = (step.point, step.phase) == ("record-failed", "after")
        if has_failed or step.phase == "fired" or step.kind == HARNESS:
            excuses += 1
        elif step.point.endswith("send-object") and step.phase == "before":
            uid = step.detail
            sent[uid] += 1
            if sent[uid] > 1 + excuses - excuses_before.setdefault(uid, excuses):
                faults.append(f"result {uid} was sent {sent[uid]} times without a reason")
    return faults


def find_fence_faults(steps: Sequence[Step]) -> list[str]:
    """A run of a reading records nothing once a later run has begun."""
    begun: dict[tuple[str, str], int] = {}
    latest: dict[tuple[int, int], dict[tuple[str, str], int]] = {}
    faults = []
    for step in steps:
        thread, name = (step.pid, step.thread), step.point.rpartition(">")[2]
        if name == "begin-run" and step.phase == "after":
            study, revision, run = step.detail.split()
            begun[study, revision] = max(begun.get((study, revision), 0), int(run))
        elif (step.point, step.phase) == ("record-reading>commit", "before"):
            latest[thread] = dict(begun)
        elif name == "record-reading" and step.phase == "after":
            study, revision, run = step.detail.split()
            later = latest.get(thread, {}).get((study, revision), 0)
            if int(run) < later:
                faults.append(f"run {run} of {study} recorded results when run {later} had begun")
    return faults


def find_unflushed(steps: Sequence[Step], data_dir: Path) -> list[Path]:
    """Return the files of the archive that a power cut at the end of the trace may take.

    Those whose content was not flushed before they were renamed, or whose folder was not since.
    """
    flushed: set[str] = set()
    open_names: dict[str, str] = {}
    doubtful: set[str] = set()
    for step in steps:
        name = step.point.rpartition(">")[2]
        if name == "fsync":
            flushed.add(step.detail)
            for target in [t for t in open_names if str(Path(t).parent) == step.detail]:
                del open_names[target]
        elif name == "rename" and step.phase == "after":
            source, target = step.detail.split()
            if any(target.startswith(f"{data_dir}/{area}/") for area in _AREAS):
                open_names[target] = source
                if source not in flushed:
                    doubtful.add(target)
    return sorted(Path(path) for path in doubtful | open_names.keys())


def read_identity(path: Path) -> tuple[str, str]:
    """Return the study and SOP Instance UID of a file."""
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SOPInstanceUID)
