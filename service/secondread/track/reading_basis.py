"""What a reading depends on, as one digest: while that stays as it is, a report needs no revision.

Two readings of a study with one basis, by one program with one model and the same settings, give
the same result. So a basis leaves out what a report only names (tomosynthesis and other instances
outside the detector's scope) and what it never uses: images of priors in views that the study does
not have, treatments of a breast that it has no image of, or from after its day.
"""

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from secondread.assemble.viewset import StudyViews
from secondread.reasons import Reason
from secondread.track.identities import load_known_identities
from secondread.track.study_rows import find_earlier_views, find_mastectomy_sides
from secondread.track.tables import InstanceRow, StudyRow, TreatmentRow


def digest_basis(
    session: Session,
    study: StudyRow,
    inputs: Collection[Collection[str]],
    priors: Mapping[str, Any],
    unread: Collection[str] = (),
) -> str:
    """Return the SHA-256 of what a reading of a study would depend on now.

    Parameters
    ----------
    session, study
        The study's row is locked.
    inputs
        UID and SHA-256 of the images that it would be made from, for `RevisionRow.inputs`.
    priors
        What it would be compared with, for `RevisionRow.priors`.
    unread
        UIDs of images in the detector's scope that are not read all the same: For Processing
        images of exposures whose For Presentation image is there.
    """
    keys = {tuple(image) for image in inputs}
    images = [
        row
        for row in _load_in_scope(session, [study.study_uid])
        if (row.sop_instance_uid, row.sha256) in keys and row.sop_instance_uid not in unread
    ]
    views = {(row.laterality, row.view) for row in images if row.laterality and row.view}
    expected = StudyViews(
        [(side, view) for side, view in views if side and view],
        [earlier for _, earlier in find_earlier_views(session, study)],
        find_mastectomy_sides(session, study),
    )
    basis = {
        "images": sorted((row.sop_instance_uid, row.sha256) for row in images),
        "priors": _describe_priors(session, priors, views),
        "treatments": _list_treatments(session, study, {side for side, _ in views}),
        "missing views": expected.find_missing_slots(),
    }
    return sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def _load_in_scope(session: Session, studies: Collection[str]) -> list[InstanceRow]:
    """Return the images of studies that are to be read, or whose header makes no sense."""
    is_read = InstanceRow.scope_reason.is_(None)
    is_invalid = InstanceRow.scope_reason == Reason.HEADER_INVALID
    rows = select(InstanceRow).where(InstanceRow.study_uid.in_(studies), or_(is_read, is_invalid))
    return list(session.scalars(rows))


def _describe_priors(
    session: Session, priors: Mapping[str, Any], views: Collection[tuple[str | None, str | None]]
) -> list[Any]:
    """Return each prior with its images that are compared; those without any by their report."""
    entries = {entry["study_uid"]: entry for entry in priors["studies"]}
    compared = {
        (row.sop_instance_uid, row.sha256)
        for row in _load_in_scope(session, entries)
        if (row.laterality, row.view) in views
    }
    described = []
    for study_uid, entry in sorted(entries.items()):
        images = sorted({tuple(image) for image in entry["inputs"]} & compared)
        if images or entry["reason"] == Reason.PRIOR_EXPIRED.value:
            described.append([study_uid, images])
    return described


def _list_treatments(
    session: Session, study: StudyRow, sides: Collection[str | None]
) -> list[tuple[str, ...]]:
    """Return the treatments of the breasts that the study shows, as of its day."""
    if load_known_identities(session, study.patient).shared_ids:
        return []
    rows = session.scalars(
        select(TreatmentRow).where(
            TreatmentRow.patient == study.patient,
            TreatmentRow.side.in_([side for side in sides if side]),
        )
    )
    return sorted(
        (row.side, row.procedure, str(row.started_on), str(row.ended_on), row.site)
        for row in rows
        if not (row.started_on and study.study_date and row.started_on > study.study_date)
    )
