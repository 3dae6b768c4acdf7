"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from secondread import log, metrics
from secondread.assemble.identity import NEEDED_TO_FILE, NEEDED_TO_IDENTIFY
from secondread.detect.marks import Detection
from secondread.errors import TransientError, describe_without_quoting
from secondread.followup.comparison_json import decode_recheck, encode_recheck
from secondread.reasons import Reason
from secondread.track.operations import RESULT_NOT_MADE
from secondread.track.values import Severity
from secondread.workflow.prior_readings import (
    PriorReadings,
    compare_or_give_up,
    recheck_new_findings,
)
from secondread.workflow.record import make_bare_failure, store_reading, track_lesions
from secondread.workflow.revision_reader import ReadingTools, RevisionReader

_log = log.get_logger(__name__)


class ReadingSteps:
    """The steps of a reading. Their results are remembered, so they return small plain values."""

    def __init__(self, tools: ReadingTools) -> None:
        self._tools = tools

    def plan(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs to read, in reading order."""
        inputs = self._open(study_uid, revision).inputs
        return [mammogram.sop_instance_uid for mammogram in inputs.selection.to_read]

    def detect(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image read, and cache the answer and its display array; return its status."""
        return self._open(study_uid, revision).detect(instance_uid).status.value

    def plan_priors(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs of the priors' images to read, the latest prior first."""
        reader = self._open(study_uid, revision)
        return list(reader.priors.paths_to_read)

    def detect_prior(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image of a prior read, and cache the answer; return its status."""
        reader = self._open(study_uid, revision)
        if instance_uid not in reader.priors.paths_to_read:
            return "gone"
        return reader.detect_prior(instance_uid).status.value

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
            files, score_file = reader.priors.paths_to_read, self._tools.detector.score_places
            rechecked = recheck_new_findings(reading, priors, files, score_file)
            return [encode_recheck(answer) for answer in rechecked]
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
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
        except TransientError:
            raise
        except Exception as error:
            if not reader.priors.studies:
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
        an alarm, and nothing is sent. In no case does the study end without a result.
        """
        reader = self._open(study_uid, revision)
        for keywords in ((), NEEDED_TO_IDENTIFY, NEEDED_TO_FILE):
            if keywords:
                reader.reduce_headers(keywords)
            try:
                return self._finish_failed(reader, Reason.READING_FAILED)
            except TransientError:
                raise
            except Exception as error:  # noqa: BLE001  (whatever it is, the failure is recorded)
                why = describe_without_quoting(error)
                _log.error("failed_result_broke", study_uid=study_uid, revision=revision, error=why)
        tracker, now = self._tools.tracker, self._tools.clock()
        recorded = make_bare_failure(reader.inputs, Reason.READING_FAILED)
        tracker.results.record_reading(recorded, self._tools.destinations, now)
        words = "the reading failed, and no result about that could be made; nothing is sent"
        tracker.alarms.raise_alarm(RESULT_NOT_MADE, study_uid, words, now, Severity.CRITICAL)
        return recorded.outcome.value

    def tidy(self, study_uid: str, revision: int) -> None:
        """Remove what the reading left between its steps."""
        shutil.rmtree(self._tools.get_folder(study_uid, revision), ignore_errors=True)

    def _open(self, study_uid: str, revision: int) -> RevisionReader:
        return RevisionReader(self._tools, study_uid, revision)

    def _finish_failed(self, reader: RevisionReader, reason: Reason) -> str:
        return self._finish(reader, reader.fail_all(reason), PriorReadings())

    def _finish(
        self, reader: RevisionReader, detections: Mapping[str, Detection], priors: PriorReadings
    ) -> str:
        tools = self._tools
        reading = compare_or_give_up(reader.read_study(detections), priors)
        lesions = tools.tracker.lesions
        reading = track_lesions(reading, lesions, tools.installation_id, priors.from_reports)
        recorded = store_reading(tools, reader, reading, {**priors.detections, **detections})
        tools.tracker.results.record_reading(recorded, tools.destinations, tools.clock())
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
