"""A reading's objects for each profile, written into the archive."""

from hashlib import sha256

from secondread.findings.finding import StudyReading
from secondread.report.compose import compose, to_bytes
from secondread.report.result import ResultObject
from secondread.report.uids import ResultUids
from secondread.track.values import OutboxEntry
from secondread.workflow.lesions import Display
from secondread.workflow.material import Material, Priors
from secondread.workflow.occasion import occasion_of
from secondread.workflow.tools import Tools


def outbox_entries(
    tools: Tools, material: Material, priors: Priors, reading: StudyReading, display: Display
) -> tuple[OutboxEntry, ...]:
    """Make and write the objects of a reading; return where they lie.

    Parameters
    ----------
    tools
        Archive, identity and profiles.
    material, priors
        What the reading was made from.
    reading
        What is to be told.
    display
        Gives the pictures of its images and of its priors'.
    """
    # What is found in images of two patients is nobody's: it is recorded, and an alarm is up,
    # and nothing of it goes into a PACS under either name.
    profiles = () if material.is_mixed else tools.profiles
    return tuple(
        _written(tools, profile, result)
        for profile in profiles
        for result in _composed(tools, material, priors, reading, display, profile)
    )


def _composed(
    tools: Tools,
    material: Material,
    priors: Priors,
    reading: StudyReading,
    display: Display,
    profile: str,
) -> tuple[ResultObject, ...]:
    claimed = material.claimed
    uids = ResultUids(tools.installation_id, claimed.study_uid, claimed.number, profile)
    occasion = occasion_of(tools.tracker, claimed, profile, tools.zone)
    return compose(
        reading,
        {**material.headers, **priors.headers},
        display,
        tools.node,
        uids,
        occasion,
        tools.profiles[profile],
    )


def _written(tools: Tools, profile: str, result: ResultObject) -> OutboxEntry:
    data = to_bytes(result.dataset)
    file = tools.archive.put_bytes(data)
    return OutboxEntry(
        profile=profile,
        kind=result.kind,
        index=result.index,
        sop_class_uid=str(result.dataset.SOPClassUID),
        series_uid=str(result.dataset.SeriesInstanceUID),
        sop_instance_uid=result.sop_instance_uid,
        source_uid=result.source_uid,
        path=file.relative_path,
        sha256=sha256(data).hexdigest(),
        size_bytes=file.size,
    )
