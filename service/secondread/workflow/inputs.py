"""What a revision is made from, read again from the archive at each step: files are the truth."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from secondread import log
from secondread.accept.archive import Archive
from secondread.assemble.completed_headers import complete_headers
from secondread.assemble.header_values import read_text
from secondread.assemble.identity import (
    ClaimedIdentity,
    collect_identities,
    explain_identity_match,
    has_several_patients,
    judge_identities,
    names_several_ids,
)
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import IdentityMatch
from secondread.assemble.scope import ImageSelection, select_images
from secondread.assemble.study_patient import PatientRules, split_by_patient
from secondread.assemble.viewset import StudyViews
from secondread.dicom_files import read_header
from secondread.errors import DataSetError, HeaderError, InputError, TransientError
from secondread.findings.finding import LeftOutInstance, PriorStudy
from secondread.followup.header_treatments import read_header_treatments
from secondread.followup.treatment_status import find_mastectomy_sides
from secondread.reading import StudyContext
from secondread.reasons import Reason
from secondread.track.identities import KnownIdentities
from secondread.track.tracker import Tracker
from secondread.track.values import ClaimedRevision, PriorInputs
from secondread.workflow.treatment_records import decode_treatments

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RevisionInputs:
    """A revision's instances, and what follows from all of them together."""

    claimed: ClaimedRevision
    paths: Mapping[str, Path]
    digests: Mapping[str, str]
    """SHA-256 of each file, by SOP Instance UID."""
    headers: Mapping[str, Dataset]
    selection: ImageSelection
    invalid: tuple[str, ...]
    """Instances whose header makes no sense."""
    set_aside: tuple[LeftOutInstance, ...]
    """Images of other patients, of which nothing is read and nothing else is known here."""
    is_withdrawn: bool
    """Whether there were images, and a rejection note withdrew every one of them."""
    expired: frozenset[str]
    """SOP Instance UIDs of images whose retention has expired since an earlier revision."""
    claims: tuple[ClaimedIdentity, ...]
    """What the images state of whose they are, under the ID that they came with."""
    completed: tuple[Reason, ...]
    """What images were given of the study's other images."""
    known: KnownIdentities
    """What is known of the patient's IDs."""


def gather_inputs(
    tracker: Tracker, archive: Archive, study_uid: str, revision: int
) -> RevisionInputs:
    """Read the headers of a revision's instances."""
    paths: dict[str, Path] = {}
    digests: dict[str, str] = {}
    headers: dict[str, Dataset] = {}
    mammograms: list[Mammogram] = []
    invalid: list[str] = []
    instances = tracker.studies.list_inputs(study_uid, revision)
    for instance in instances:
        uid, path = instance.sop_instance_uid, archive.resolve_path(instance.path)
        try:
            header = _read_stored_header(archive, path)
            mammograms.append(Mammogram.from_dataset(header))
        except DataSetError as error:
            _log.warning("data_set_invalid", study_uid=study_uid, error=str(error))
            invalid.append(uid)
            continue
        except HeaderError as error:
            # The value itself may identify the patient.
            _log.warning("header_invalid", study_uid=study_uid, keyword=error.keyword)
            invalid.append(uid)
            continue
        paths[uid], digests[uid], headers[uid] = path, instance.sha256, header
    known = tracker.patients.load_known_identities(study_uid)
    rules = PatientRules(_find_canonical_keys(tracker, mammograms), known.confirmed)
    mammograms, others = _split_by_patient(mammograms, rules)
    for mammogram in others:
        for by_uid in (paths, digests, headers):
            del by_uid[mammogram.sop_instance_uid]
    headers, mammograms, completed = complete_headers(headers, mammograms)
    merged = _merge_patients(mammograms, _find_canonical_keys(tracker, mammograms))
    return RevisionInputs(
        claimed=tracker.studies.get_claimed(study_uid, revision),
        paths=paths,
        digests=digests,
        headers=headers or _find_any_header(tracker, archive, study_uid),
        selection=select_images(merged),
        invalid=tuple(invalid),
        set_aside=(
            *(LeftOutInstance(m.sop_instance_uid, m.label, Reason.OTHER_PATIENT) for m in others),
            *_list_set_aside(tracker, archive, study_uid, revision),
        ),
        is_withdrawn=not mammograms and not invalid and _is_withdrawn(tracker, study_uid),
        expired=frozenset(i.sop_instance_uid for i in instances if i.is_expired),
        claims=collect_identities(mammograms),
        completed=completed,
        known=known,
    )


def _read_stored_header(archive: Archive, path: Path) -> Dataset:
    """Return the header of an archived file; a single one that was lost is an invalid one.

    Raises
    ------
    DataSetError
        It is lost, or cannot be read as DICOM.
    TransientError
        The archive as a whole cannot be read at the moment.
    """
    try:
        return read_header(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and archive.is_reachable():
            raise DataSetError("the file is no longer in the archive") from None
        raise TransientError(f"archive: {error.strerror}") from error


def _split_by_patient(
    mammograms: Sequence[Mammogram], rules: PatientRules
) -> tuple[list[Mammogram], list[Mammogram]]:
    """Return the images of the study's patient and those of others, as the files have them.

    The tracker has set aside those of others by now; files have the last word.
    """
    claims = [ClaimedIdentity(m.patient, m.person) for m in mammograms]
    split = split_by_patient(claims, rules=rules)
    return [mammograms[i] for i in split.own], [mammograms[i] for i in split.others]


def _list_set_aside(
    tracker: Tracker, archive: Archive, study_uid: str, revision: int
) -> Iterator[LeftOutInstance]:
    for instance in tracker.studies.list_set_aside(study_uid, revision):
        label = "?"
        with suppress(InputError):
            header = _read_stored_header(archive, archive.resolve_path(instance.path))
            label = Mammogram.from_dataset(header).label
        yield LeftOutInstance(instance.sop_instance_uid, label, Reason.OTHER_PATIENT)


def find_paired_processing(tracker: Tracker, archive: Archive, study_uid: str) -> frozenset[str]:
    """Return the For Processing images of a study that a reading would leave out, by UID.

    A file that cannot be read is taken for one that is read: the reading will say so.
    """
    instances = tracker.studies.list_current_inputs(study_uid)
    if all(i.sop_class_uid != DigitalMammographyXRayImageStorageForProcessing for i in instances):
        return frozenset()
    mammograms = []
    for instance in instances:
        path = archive.resolve_path(instance.path)
        with suppress(InputError, OSError):
            mammograms.append(Mammogram.from_dataset(read_header(path)))
    left_out = select_images(mammograms).left_out
    return frozenset(m.sop_instance_uid for m, why in left_out if why is Reason.PAIRED_PROCESSING)


def _find_canonical_keys(
    tracker: Tracker, mammograms: Sequence[Mammogram]
) -> dict[PatientKey, PatientKey]:
    """Return for each ID of images the one that it was merged into, or itself."""
    keys = {mammogram.patient for mammogram in mammograms}
    return {key: tracker.patients.find_canonical_key(key) for key in keys}


def _merge_patients(
    mammograms: Sequence[Mammogram], canonical: Mapping[PatientKey, PatientKey]
) -> list[Mammogram]:
    """Return the headers with one ID for a patient whose IDs were merged."""
    return [replace(m, patient=canonical[m.patient]) for m in mammograms]


def _is_withdrawn(tracker: Tracker, study_uid: str) -> bool:
    detail = tracker.study_queries.find_detail(study_uid)
    return detail is not None and any(image.rejected for image in detail.images)


def _find_any_header(tracker: Tracker, archive: Archive, study_uid: str) -> dict[str, Dataset]:
    """Return a header that identifies the study, where no image is left to be read.

    Every image may have been withdrawn, or have a header that makes no sense. The result that
    reports this belongs to the same patient and study all the same.
    """
    detail = tracker.study_queries.find_detail(study_uid)
    for image in detail.images if detail is not None else ():
        if image.set_aside or image.withheld is not None:
            continue
        path = archive.resolve_path(image.path)
        with suppress(InputError):
            header = read_header(path)
            if read_text(header, "StudyInstanceUID") == study_uid:
                return {image.sop_instance_uid: header}
    return {}


@dataclass(frozen=True, slots=True)
class PriorImages:
    """One prior of a revision: its images, or why there is nothing of it to compare with."""

    study_uid: str
    study_date: date | None
    reason: Reason | None
    """None where there are images in the detector's scope."""
    archive_reasons: tuple[tuple[str, Reason], ...]
    """What each archive answered, where none of several sent it."""
    paths: Mapping[str, Path]
    """In the archive, by SOP Instance UID."""
    digests: Mapping[str, str]
    """SHA-256 of each of these files."""
    headers: Mapping[str, Dataset]
    """By SOP Instance UID."""
    to_read: tuple[Mammogram, ...]
    """In reading order, those in the detector's scope whose view the study has too. Others would
    take their time and be compared with nothing."""
    remark: Reason | None = None
    """What differs in the person whom they state, where that costs no comparison."""

    def describe(self) -> PriorStudy:
        """Return the prior as the reading lists it before anything was compared."""
        not_yet = Reason.NO_COMPARISON if self.to_read else Reason.PRIOR_OUT_OF_SCOPE
        return PriorStudy(
            self.study_uid,
            self.study_date,
            compared=False,
            reason=self.reason or not_yet,
            archive_reasons=self.archive_reasons,
        )


@dataclass(frozen=True, slots=True)
class GatheredPriors:
    """The priors of a revision, latest first, those that could not be had last."""

    studies: tuple[PriorImages, ...]
    reason: Reason | None
    """Why there are none; None where there are some."""

    @property
    def usable(self) -> tuple[PriorImages, ...]:
        """Those with images to compare with."""
        return tuple(prior for prior in self.studies if prior.reason is None)

    @property
    def paths_to_read(self) -> dict[str, Path]:
        """The files of the images that are to be compared, by SOP Instance UID."""
        return {
            m.sop_instance_uid: prior.paths[m.sop_instance_uid]
            for prior in self.usable
            for m in prior.to_read
        }

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of their images' files, by SOP Instance UID."""
        return {uid: sha256 for prior in self.usable for uid, sha256 in prior.digests.items()}

    @property
    def headers(self) -> dict[str, Dataset]:
        """The headers of their images, by SOP Instance UID."""
        return {uid: ds for prior in self.usable for uid, ds in prior.headers.items()}


def gather_priors(tracker: Tracker, archive: Archive, inputs: RevisionInputs) -> GatheredPriors:
    """Read the headers of a revision's priors, as they were chosen when it was claimed.

    Files have the last word on whose images they are: a prior that names another patient, or
    another issuer of the patient's ID, than the revision's images do is not used, nor one of which
    it is in doubt that it is the same woman's.
    """
    claimed = inputs.claimed
    recorded = tracker.studies.get_priors(claimed.study_uid, claimed.number)
    studies = tuple(_gather_prior(tracker, archive, prior, inputs) for prior in recorded.studies)
    return GatheredPriors(studies, recorded.reason)


def _gather_prior(
    tracker: Tracker, archive: Archive, recorded: PriorInputs, current: RevisionInputs
) -> PriorImages:
    paths: dict[str, Path] = {}
    headers: dict[str, Dataset] = {}
    mammograms: list[Mammogram] = []
    for instance in recorded.instances:
        path = archive.resolve_path(instance.path)
        try:
            header = read_header(path)
            mammograms.append(Mammogram.from_dataset(header))
        except (InputError, OSError):
            # Named by its study alone: a header's value may identify the patient.
            _log.warning("prior_not_readable", prior_study_uid=recorded.study_uid)
            continue
        paths[instance.sop_instance_uid] = path
        headers[instance.sop_instance_uid] = header
    canonical = _find_canonical_keys(tracker, mammograms)
    merged = _merge_patients(mammograms, canonical)
    in_scope = select_images(merged).to_read
    own, known = current.selection, current.known
    reason, remark = recorded.reason, None
    if reason is None and (
        names_several_ids([*own.to_read, *merged])
        or has_several_patients(mammograms, canonical, known.confirmed)
    ):
        reason = Reason.PRIOR_FOREIGN
    if reason is None:
        claims = collect_identities(mammograms)
        match = judge_identities(current.claims, claims, known.shared_ids, known.confirmed)
        remark = explain_identity_match(match)
        reason = remark if match is IdentityMatch.IN_DOUBT else None
    if reason is None and not in_scope:
        is_lost = len(mammograms) < len(recorded.instances)
        reason = Reason.PRIOR_FILES_LOST if is_lost else Reason.PRIOR_OUT_OF_SCOPE
    return PriorImages(
        recorded.study_uid,
        recorded.study_date,
        reason,
        recorded.archive_reasons,
        paths,
        {instance.sop_instance_uid: instance.sha256 for instance in recorded.instances},
        headers,
        tuple(m for m in in_scope if m.view_key in own.views),
        remark,
    )


def gather_context(
    tracker: Tracker, inputs: RevisionInputs, priors: GatheredPriors
) -> StudyContext:
    """Return what is known of a revision besides its images: from record, headers and priors."""
    claimed = inputs.claimed
    recorded_views = tracker.studies.find_views(claimed.study_uid)
    recorded = decode_treatments(tracker.treatments.list_for_study(claimed.study_uid))
    in_header = read_header_treatments(inputs.headers.values())
    days = [m.study_date for m in inputs.selection.to_read if m.study_date]
    removed = find_mastectomy_sides(in_header, max(days, default=None))
    views = StudyViews(
        inputs.selection.views,
        recorded_views.priors,
        {*recorded_views.mastectomy_sides, *removed},
    )
    return StudyContext(
        revision=claimed.number,
        cause=claimed.cause.value,
        missing_views=views.find_missing_slots(),
        priors=tuple(prior.describe() for prior in priors.studies),
        no_prior_reason=priors.reason,
        identity=_list_identity_reasons(inputs, priors),
        treatments=(*recorded, *in_header),
        invalid_instances=inputs.invalid,
        set_aside=inputs.set_aside,
        is_withdrawn=inputs.is_withdrawn,
        expired=inputs.expired,
    )


def _list_identity_reasons(inputs: RevisionInputs, priors: GatheredPriors) -> tuple[Reason, ...]:
    """Return what is to be told of whose images these and the priors' are."""
    is_shared = any(claim.patient in inputs.known.shared_ids for claim in inputs.claims)
    remarks = [prior.remark or prior.reason for prior in priors.studies]
    reasons = [
        *([Reason.IDENTITY_IN_DOUBT] if is_shared else []),
        *(remark for remark in remarks if remark in _IDENTITY_REMARKS),
        *inputs.completed,
    ]
    return tuple(dict.fromkeys(reasons))


_IDENTITY_REMARKS = {Reason.IDENTITY_IN_DOUBT, Reason.SURNAME_DIFFERS, Reason.NAME_DIFFERS}
