"""C-FIND as SCU for priors: which earlier mammograms of a patient an archive has (PS3.4 C)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram, PatientKey
from secondread.assemble.scope import find_exclusion_reason
from secondread.errors import HeaderError
from secondread.followup.priors import EarlierStudy, PriorRule, choose_priors
from secondread.send.association import Call, CallError, open_association
from secondread.send.fetch_queue import FetchRequest, OfferedStudy
from secondread.send.find import FIND_CONTEXT, collect_matches
from secondread.send.outbox import AnswerKind, Callee

_UID = re.compile(r"[0-9.]{1,64}")
_WILDCARDS = frozenset("*?\\")

_MOST_STUDIES = 200
_MOST_SERIES = 40
_MOST_IMAGES = 60
"""An archive that gives more matches than this is not answering the question."""

_MOST_LOOKED_INTO = 8
"""Studies whose images are asked for; of further ones the views stay unknown."""


@dataclass(frozen=True, slots=True)
class PriorWindow:
    """Which studies are asked for, and how many of them are chosen."""

    rule: PriorRule
    maximum_age: timedelta


def find_priors(
    callee: Callee,
    calling_ae_title: str,
    errand: FetchRequest,
    window: PriorWindow,
    cancelled: Callable[[], bool],
) -> tuple[OfferedStudy, ...]:
    """Ask an archive for a patient's earlier mammograms, and choose those to fetch.

    Studies are asked for by Patient ID and its issuer, within a window of dates. Which views they
    have is asked only of those that would be chosen, because archives take their time with it;
    of one that does not say, it stays open until its images are here.

    Raises
    ------
    CallError
        The archive was not reached, or did not answer the query for studies as it should.
    """
    with open_association(callee, calling_ae_title, [FIND_CONTEXT]) as call:
        seconds = 4 * callee.timeout_seconds
        answers = collect_matches(call, _study_keys(errand, window), _MOST_STUDIES, seconds)
        # What is held without a view in scope, a report for example, does not count as held.
        held = {study.study_uid: study for study in errand.held_studies}
        offered = {
            study.study_uid: OfferedStudy(study)
            for study in (_study(answer, errand, window) for answer in answers)
            if study is not None and study.study_uid not in held
        }
        looked_into: set[str] = set()
        while True:
            candidates = [*errand.held_studies, *(one.study for one in offered.values())]
            chosen = choose_priors(errand.study_date, errand.views, candidates, window.rule)
            wanted = [offered[one.study_uid] for one in chosen if one.study_uid in offered]
            new = [one for one in wanted if one.study.study_uid not in looked_into]
            if not new or cancelled() or len(looked_into) >= _MOST_LOOKED_INTO:
                return tuple(wanted)
            uid = new[0].study.study_uid
            looked_into.add(uid)
            offered[uid] = _look_into(call, new[0], seconds)


def _study_keys(errand: FetchRequest, window: PriorWindow) -> Dataset:
    latest = errand.study_date - window.rule.minimum_age
    earliest = errand.study_date - window.maximum_age
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    keys.PatientID = errand.patient.patient_id
    # Empty where it is not known: the archive then says it, if it can.
    keys.IssuerOfPatientID = errand.patient.issuer
    if not (errand.patient.patient_id + errand.patient.issuer).isascii():
        keys.SpecificCharacterSet = "ISO_IR 192"
    keys.StudyDate = f"{earliest:%Y%m%d}-{latest:%Y%m%d}"
    keys.ModalitiesInStudy = "MG"
    keys.StudyInstanceUID = ""
    return keys


def _study(answer: Dataset, errand: FetchRequest, window: PriorWindow) -> EarlierStudy | None:
    """Return a match as a candidate; None where it is not what was asked for.

    Archives ignore keys that they do not know, so the answer is held against the question.
    """
    uid, day = _text(answer, "StudyInstanceUID"), _day(_text(answer, "StudyDate"))
    if not _UID.fullmatch(uid) or uid == errand.study_uid or day is None:
        return None
    modalities = {str(one).strip() for one in _values(answer, "ModalitiesInStudy")}
    if modalities and "MG" not in modalities:
        return None
    if not _is_patient(answer, errand.patient):
        return None
    age = errand.study_date - day
    if not window.rule.minimum_age <= age <= window.maximum_age:
        return None
    return EarlierStudy(uid, day, None)


def _is_patient(answer: Dataset, patient: PatientKey) -> bool:
    named, issuer = _text(answer, "PatientID"), _text(answer, "IssuerOfPatientID")
    if not named and not _WILDCARDS.intersection(patient.patient_id):
        named = patient.patient_id  # checked again when the images are here
    return named == patient.patient_id and (not issuer or issuer == patient.issuer)


def _look_into(call: Call, offered: OfferedStudy, seconds: float) -> OfferedStudy:
    """Return a study with its views and the series that have them, where the archive says so."""
    try:
        images = _images(call, offered.study.study_uid, seconds)
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


def _images(call: Call, study_uid: str, seconds: float) -> list[Mammogram]:
    """Return what an archive says of a study's images; nothing where it leaves gaps."""
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study_uid
    keys.SeriesInstanceUID = ""
    keys.Modality = "MG"
    found: list[Mammogram] = []
    for series in collect_matches(call, keys, _MOST_SERIES, seconds):
        uid = _text(series, "SeriesInstanceUID")
        if _text(series, "Modality") not in {"MG", ""} or not _UID.fullmatch(uid):
            continue
        for image in collect_matches(call, _image_keys(study_uid, uid), _MOST_IMAGES, seconds):
            image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, uid
            try:
                found.append(Mammogram.from_dataset(image))
            except HeaderError:
                return []
    return found


def _image_keys(study_uid: str, series_uid: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "IMAGE"
    keys.StudyInstanceUID = study_uid
    keys.SeriesInstanceUID = series_uid
    for keyword in (
        *("SOPInstanceUID", "SOPClassUID", "ImageLaterality", "ViewPosition", "ImageType"),
        *("NumberOfFrames", "PresentationIntentType"),
    ):
        setattr(keys, keyword, None)
    keys.ViewCodeSequence = []
    return keys


def _text(answer: Dataset, keyword: str) -> str:
    return str(answer.get(keyword, None) or "").strip()


def _values(answer: Dataset, keyword: str) -> list[object]:
    value = answer.get(keyword, None)
    if value is None or isinstance(value, str):
        return [value] if value else []
    return list(value)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
