"""A reading's objects for each profile, written into the archive."""

from hashlib import sha256

from secondread.findings.finding import StudyReading
from secondread.report.compose import compose_results, encode_file
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.uids import ResultUids
from secondread.track.values import RecordedObject
from secondread.workflow.inputs import GatheredPriors, RevisionInputs
from secondread.workflow.lesions import Display
from secondread.workflow.occasion import find_occasion
from secondread.workflow.tools import ReadingTools


def write_objects(
    tools: ReadingTools,
    material: RevisionInputs,
    priors: GatheredPriors,
    reading: StudyReading,
    display: Display,
) -> tuple[RecordedObject, ...]:
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
    tools: ReadingTools,
    material: RevisionInputs,
    priors: GatheredPriors,
    reading: StudyReading,
    display: Display,
    profile: str,
) -> tuple[ResultObject, ...]:
    claimed = material.claimed
    uids = ResultUids(tools.installation_id, claimed.study_uid, claimed.number, profile)
    occasion = find_occasion(tools.tracker, claimed, profile, tools.zone)
    return compose_results(
        reading,
        {**material.headers, **priors.headers},
        display,
        Authorship(tools.node, uids, occasion, tools.profiles[profile]),
    )


def _written(tools: ReadingTools, profile: str, result: ResultObject) -> RecordedObject:
    data = encode_file(result.dataset)
    file = tools.archive.write_bytes(data)
    return RecordedObject(
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
