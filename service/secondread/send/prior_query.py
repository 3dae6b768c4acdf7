"""C-FIND as SCU for priors: which earlier mammograms of a patient an archive has (PS3.4 C)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from pydicom.dataset import Dataset

from secondread.assemble.header_person import read_person
from secondread.assemble.identity import ClaimedIdentity
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.scope import find_exclusion_reason
from secondread.errors import HeaderError
from secondread.followup.priors import EarlierStudy, PriorRule, choose_priors
from secondread.send.association import Call, open_association
from secondread.send.call_error import CallError
from secondread.send.fetch_queue import FetchRequest, OfferedStudy
from secondread.send.find import FIND_CONTEXT, collect_matches, make_identifier
from secondread.send.outbox import AnswerKind, Callee, Cancelled
from secondread.uids import is_uid

_WILDCARDS = frozenset("*?\\")

_MOST_STUDIES = 200
_MOST_SERIES = 40
_MOST_IMAGES = 60
"""An archive that gives more matches than this is not answering the question."""

_MOST_ASKED_FOR_VIEWS = 8
"""Studies whose images are asked for; the views of further ones stay unknown."""


@dataclass(frozen=True, slots=True)
class PriorWindow:
    """Which studies are asked for, and how many of them are chosen."""

    rule: PriorRule
    maximum_age: timedelta


def find_priors(
    callee: Callee,
    calling_ae_title: str,
    request: FetchRequest,
    window: PriorWindow,
    cancelled: Cancelled,
) -> tuple[OfferedStudy, ...]:
    """Ask an archive for a patient's earlier mammograms, and choose those to fetch.

    Studies are asked for by Patient ID and its issuer, within a window of dates. Which views they
    have is asked only of those that would be chosen, because archives take their time with it;
    where an archive does not name them, the views stay unknown until the images are here. What may
    be another woman's, by name or birth date, is offered as doubtful.

    Raises
    ------
    CallError
        The archive was not reached, or did not answer the query for studies as it should.
    """
    with open_association(callee, calling_ae_title, [FIND_CONTEXT], cancelled=cancelled) as call:
        seconds = 4 * callee.timeout_seconds
        answers = collect_matches(call, identify_studies(request, window), _MOST_STUDIES, seconds)
        # What is held without a view in scope, a report for example, does not count as held.
        held = {study.study_uid: study for study in request.held_studies}
        read = [_read_study(answer, request, window) for answer in answers]
        new = [offer for offer in read if offer and offer.study.study_uid not in held]
        offered = {offer.study.study_uid: offer for offer in new if not offer.is_doubtful}
        doubtful = _choose_doubtful(new, request, window)
        asked_uids: set[str] = set()
        while True:
            candidates = [*request.held_studies, *(offer.study for offer in offered.values())]
            chosen = choose_priors(request.study_date, request.views, candidates, window.rule)
            wanted = [offered[study.study_uid] for study in chosen if study.study_uid in offered]
            unasked = [offer for offer in wanted if offer.study.study_uid not in asked_uids]
            if not unasked or cancelled() or len(asked_uids) >= _MOST_ASKED_FOR_VIEWS:
                return (*wanted, *doubtful)
            uid = unasked[0].study.study_uid
            asked_uids.add(uid)
            offered[uid] = _ask_for_views(call, unasked[0], seconds)


def _choose_doubtful(
    offers: Sequence[OfferedStudy], request: FetchRequest, window: PriorWindow
) -> list[OfferedStudy]:
    """Return the offers that would be fetched if it were sure that they are the same woman's."""
    candidates = [offer.study for offer in offers if offer.is_doubtful]
    chosen = choose_priors(request.study_date, request.views, candidates, window.rule)
    return [OfferedStudy(study, is_doubtful=True) for study in chosen]


def identify_studies(request: FetchRequest, window: PriorWindow) -> Dataset:
    """Return the identifier of the query for a patient's earlier mammograms."""
    latest = request.study_date - window.rule.minimum_age
    earliest = request.study_date - window.maximum_age
    patient = request.patient
    identifier = make_identifier(
        "STUDY",
        PatientID=patient.patient_id,
        # Empty where it is not known: the archive then returns it, if it can.
        IssuerOfPatientID=patient.issuer,
        StudyDate=f"{earliest:%Y%m%d}-{latest:%Y%m%d}",
        ModalitiesInStudy="MG",
        StudyInstanceUID="",
        # Not matched by, for names are written in many ways: the answers are judged here.
        PatientName="",
        PatientBirthDate="",
    )
    if not (patient.patient_id + patient.issuer).isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def _read_study(answer: Dataset, request: FetchRequest, window: PriorWindow) -> OfferedStudy | None:
    """Return a match as a candidate; None where it is not what was asked for.

    Archives ignore keys that they do not know, so each key is checked in the answer.
    """
    uid, day = _get_text(answer, "StudyInstanceUID"), _parse_day(_get_text(answer, "StudyDate"))
    if not is_uid(uid) or uid == request.study_uid or day is None:
        return None
    modalities = {str(value).strip() for value in _get_values(answer, "ModalitiesInStudy")}
    if modalities and "MG" not in modalities:
        return None
    if not _is_patient(answer, request.patient):
        return None
    age = request.study_date - day
    if not window.rule.minimum_age <= age <= window.maximum_age:
        return None
    claimed = ClaimedIdentity(request.patient, read_person(answer, day))
    is_doubtful = request.identity.is_doubtful(claimed)
    return OfferedStudy(EarlierStudy(uid, day, None), is_doubtful=is_doubtful)


def _is_patient(answer: Dataset, patient: PatientKey) -> bool:
    patient_id, issuer = _get_text(answer, "PatientID"), _get_text(answer, "IssuerOfPatientID")
    if not patient_id and not _WILDCARDS.intersection(patient.patient_id):
        patient_id = patient.patient_id  # checked again when the images are here
    return patient_id == patient.patient_id and (not issuer or issuer == patient.issuer)


def _ask_for_views(call: Call, offered: OfferedStudy, seconds: float) -> OfferedStudy:
    """Return a study with its views and the series that have them, where the archive names them."""
    try:
        images = _read_images(call, offered.study.study_uid, seconds)
    except CallError as error:
        if error.kind is not AnswerKind.STATUS:
            raise
        return offered  # it does not answer at this level, which is its right
    if not images:
        return offered
    mammograms = [image for image in images if find_exclusion_reason(image) is None]
    views = frozenset(
        (image.laterality.letter, image.view.name)
        for image in mammograms
        if image.laterality and image.view
    )
    are_all_known = all(image.laterality and image.view for image in mammograms)
    return replace(
        offered,
        study=replace(offered.study, views=views if are_all_known else None),
        series=tuple(sorted({image.series_uid for image in mammograms})),
    )


def _read_images(call: Call, study_uid: str, seconds: float) -> list[Mammogram]:
    """Return the headers of a study's images, as an archive answers; none where it leaves gaps."""
    identifier = make_identifier(
        "SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="MG"
    )
    mammograms: list[Mammogram] = []
    for series in collect_matches(call, identifier, _MOST_SERIES, seconds):
        uid = _get_text(series, "SeriesInstanceUID")
        if _get_text(series, "Modality") not in {"MG", ""} or not is_uid(uid):
            continue
        for image in collect_matches(call, _identify_images(study_uid, uid), _MOST_IMAGES, seconds):
            image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, uid
            try:
                mammograms.append(Mammogram.from_dataset(image))
            except HeaderError:
                return []
    return mammograms


def _identify_images(study_uid: str, series_uid: str) -> Dataset:
    identifier = make_identifier("IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid)
    for keyword in (
        *("SOPInstanceUID", "SOPClassUID", "ImageLaterality", "ViewPosition", "ImageType"),
        *("NumberOfFrames", "PresentationIntentType"),
    ):
        setattr(identifier, keyword, None)
    identifier.ViewCodeSequence = []
    return identifier


def _get_text(answer: Dataset, keyword: str) -> str:
    return str(answer.get(keyword, None) or "").strip()


def _get_values(answer: Dataset, keyword: str) -> list[object]:
    value = answer.get(keyword, None)
    if value is None or isinstance(value, str):
        return [value] if value else []
    return list(value)


def _parse_day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
