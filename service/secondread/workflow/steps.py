"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from secondread import log, metrics
from secondread.assemble.completed_headers import NEEDED_TO_FILE, NEEDED_TO_IDENTIFY
from secondread.assemble.mammogram import Mammogram
from secondread.detect.marks import Detection
from secondread.errors import LeaseLostError, describe_without_quoting, is_outage
from secondread.followup.comparison import compare_with_priors
from secondread.followup.comparison_json import decode_recheck, encode_recheck
from secondread.followup.recheck import score_files
from secondread.reading import read_study
from secondread.reasons import Reason
from secondread.track.operations import READING_BROKE, RESULT_NOT_MADE
from secondread.track.reading_runs import NOT_RUN, ReadingRun
from secondread.track.values import RecordedReading, Severity
from secondread.workflow.prior_readings import (
    PriorReadings,
    compare_or_give_up,
    recheck_new_findings,
)
from secondread.workflow.record import make_bare_failure, store_reading, track_lesions
from secondread.workflow.remembered import Remembered
from secondread.workflow.revision_reader import ReadingTools, RevisionReader
from secondread.workflow.side_by_side import SideBySide

RECORD_FAILURE = "record failure"
"""Name of the step that reports a reading that broke."""

_log = log.get_logger(__name__)


MOST_FAULTS = 3
"""In how many workers in a row one step may run into a fault (a crash, no end) until its reading is
given up."""

MOST_DEATHS = 10
"""How many workers in a row may be lost in one step for a reason that nobody knows. Most are killed
from outside, and no reading is to blame for that; but what the kernel kills for want of memory
looks the same, and such a reading must not cost workers for ever."""


def is_deadly(run: ReadingRun, step: str | None = None) -> bool:
    """Whether a reading has cost too many workers, in any step or in that of a name."""
    too_often = run.faults >= MOST_FAULTS or run.deaths >= MOST_DEATHS
    return too_often and step in {None, run.step}


def must_not_be_handled(error: Exception) -> bool:
    """Whether an error says nothing about a study: an outage, or that another run has begun."""
    return isinstance(error, LeaseLostError) or is_outage(error)


class ReadingSteps:
    """The steps of a reading. Their results are remembered, so they return small plain values.

    Parameters
    ----------
    tools
        What they work with.
    run
        The run that they are part of.
    """

    def __init__(self, tools: ReadingTools, run: ReadingRun = NOT_RUN) -> None:
        self._tools = tools
        self._run = run
        self._images = SideBySide[Detection](tools.images_at_once)
        self._image_reader: RevisionReader | None = None
        # Two steps need the same readings and comparisons, registration and all.
        self._read_study = Remembered(read_study)
        self._compare = Remembered(compare_with_priors)

    def plan(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs to read, in reading order."""
        inputs = self._open(study_uid, revision).inputs
        return [mammogram.sop_instance_uid for mammogram in inputs.selection.to_read]

    def detect(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image read, and cache the answer and its display array; return its status.

        Meanwhile others of the reading are read beside it, priors' images last.
        """
        reader = self._open_for_images(study_uid, revision)
        read = partial(reader.detect, instance_uid)
        return self._images.finish(instance_uid, read).status.value

    def plan_priors(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs of the priors' images to read, the latest prior first."""
        reader = self._open(study_uid, revision)
        return list(reader.priors.paths_to_read)

    def detect_prior(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image of a prior read, and cache the answer; return its status."""
        reader = self._open_for_images(study_uid, revision)
        if instance_uid not in reader.priors.paths_to_read:
            return "gone"
        read = partial(reader.detect_prior, instance_uid)
        return self._images.finish(instance_uid, read).status.value

    def close(self) -> None:
        """Wait for the images that are being read; no others are begun."""
        self._images.close()

    def recheck_priors(self, study_uid: str, revision: int) -> list[dict[str, Any]]:
        """Look in the priors' pixels for what is new; return what `record` takes as `rechecked`.

        Empty where anything breaks: `record` finds out what else that costs, and reports it.
        """
        reader = self._open(study_uid, revision)
        try:
            if not reader.priors.usable:
                return []
            priors = reader.read_priors()
            reading = reader.read_study(reader.detect_all())
            comparisons = self._compare(reading, priors.from_images)
            files, score_file = reader.priors.paths_to_read, self._tools.detector.score_places
            rechecked = recheck_new_findings(
                comparisons, score_files(score_file, files), self._tools.images_at_once
            )
            return [encode_recheck(answer) for answer in rechecked]
        except Exception as error:
            # Whatever else it is, it must not cost the reading.
            if must_not_be_handled(error):
                raise
            why = describe_without_quoting(error)
            _log.error("recheck_broke", study_uid=study_uid, revision=revision, error=why)
            return []

    def record(self, study_uid: str, revision: int, rechecked: Sequence[dict[str, Any]]) -> str:
        """Make the results, write them to the outbox, record everything; return the outcome.

        Parameters
        ----------
        study_uid, revision
            Which reading.
        rechecked
            What `recheck_priors` returned.
        """
        reader = self._open(study_uid, revision)
        detections = reader.detect_all()
        try:
            answers = tuple(decode_recheck(values) for values in rechecked)
            priors = replace(reader.read_priors(), rechecked=answers)
            return self._finish(reader, detections, priors)
        except Exception as error:
            if must_not_be_handled(error) or not reader.priors.studies:
                raise
            # Whatever breaks over a prior must not cost the reading. What breaks without one too
            # does so again, and ends in the failed result.
            why = describe_without_quoting(error)
            _log.error("follow_up_broke", study_uid=study_uid, revision=revision, error=why)
            given_up = tuple(prior.study_uid for prior in reader.priors.usable)
            return self._finish(reader, detections, PriorReadings(given_up=given_up))

    def record_failure(self, study_uid: str, revision: int) -> str:
        """Record that the reading broke, as a failed result; return the outcome.

        What broke the reading may break its failed result too. Then headers are reduced to what
        the result must have of them; and if even that is of no use, the failure is recorded, with
        an alarm, and nothing is sent. In no case does the study end without a result, not even
        where making the failed one costs the worker its life.
        """
        if is_deadly(self._run, RECORD_FAILURE):
            return self._record_bare_failure(study_uid, revision)
        reader = self._open(study_uid, revision)
        for keywords in ((), NEEDED_TO_IDENTIFY, NEEDED_TO_FILE):
            if keywords:
                reader.reduce_headers(keywords)
            try:
                return self._finish_broken(reader)
            except Exception as error:
                # Whatever else it is, the failure is recorded.
                if must_not_be_handled(error):
                    raise
                why = describe_without_quoting(error)
                _log.error("failed_result_broke", study_uid=study_uid, revision=revision, error=why)
        return self._record_bare_failure(study_uid, revision, reader.inputs.selection.to_read)

    def _finish_broken(self, reader: RevisionReader) -> str:
        outcome = self._finish_failed(reader, Reason.READING_FAILED)
        words = "the reading broke; its failed result is sent; see the log, then have it read again"
        now, uid = self._tools.clock(), reader.inputs.claimed.study_uid
        self._tools.tracker.alarms.raise_alarm(READING_BROKE, uid, words, now)
        return outcome

    def _record_bare_failure(
        self, study_uid: str, revision: int, images: Sequence[Mammogram] = ()
    ) -> str:
        tracker, now = self._tools.tracker, self._tools.clock()
        recorded = make_bare_failure(study_uid, revision, images, Reason.READING_FAILED)
        self._record(recorded)
        words = "the reading failed, and no result about that could be made; nothing is sent"
        tracker.alarms.raise_alarm(RESULT_NOT_MADE, study_uid, words, now, Severity.CRITICAL)
        return recorded.outcome.value

    def tidy(self, study_uid: str, revision: int) -> None:
        """Remove what the reading left between its steps."""
        shutil.rmtree(self._tools.get_folder(study_uid, revision), ignore_errors=True)

    def _open(self, study_uid: str, revision: int) -> RevisionReader:
        return RevisionReader(self._tools, study_uid, revision, self._read_study)

    def _open_for_images(self, study_uid: str, revision: int) -> RevisionReader:
        """Return what the steps of the images start from; the first has all images begun."""
        if self._tools.images_at_once == 1:
            return self._open(study_uid, revision)
        if self._image_reader is None:
            reader = self._open(study_uid, revision)
            for mammogram in reader.inputs.selection.to_read:
                uid = mammogram.sop_instance_uid
                self._images.begin(uid, partial(reader.detect, uid))
            for uid in reader.priors.paths_to_read:
                self._images.begin(uid, partial(reader.detect_prior, uid))
            self._image_reader = reader
        return self._image_reader

    def _finish_failed(self, reader: RevisionReader, reason: Reason) -> str:
        return self._finish(reader, reader.fail_all(reason), PriorReadings())

    def _finish(
        self, reader: RevisionReader, detections: Mapping[str, Detection], priors: PriorReadings
    ) -> str:
        tools = self._tools
        reading = compare_or_give_up(reader.read_study(detections), priors, self._compare)
        lesions = tools.tracker.lesions
        reading = track_lesions(reading, lesions, tools.installation_id, priors.from_reports)
        recorded = store_reading(tools, reader, reading, {**priors.detections, **detections})
        self._record(recorded)
        metrics.READINGS.labels(reading.outcome.value).inc()
        _log.info(
            "study_read",
            study_uid=recorded.study_uid,
            revision=recorded.revision,
            outcome=reading.outcome.value,
            shown=recorded.shown_lesions,
            objects=len(recorded.objects),
        )
        return reading.outcome.value

    def _record(self, reading: RecordedReading) -> None:
        tools = self._tools
        tools.tracker.results.record_reading(
            reading, tools.destinations, tools.clock(), self._run.number
        )
