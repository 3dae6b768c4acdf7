"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from secondread import log, metrics
from secondread.detect.marks import Detection
from secondread.errors import TransientError, describe_without_quoting
from secondread.findings.finding import StudyReading
from secondread.followup.comparison_json import decode_recheck, encode_recheck
from secondread.reading import read_study
from secondread.reasons import Reason
from secondread.track.operations import PATIENT_MISMATCH
from secondread.track.values import RecordedReading, Severity
from secondread.workflow.answers import (
    digest_maker,
    find_answer,
    read_reported_priors,
    store_answers,
)
from secondread.workflow.cache import ReadingCache
from secondread.workflow.circumstances import gather_context
from secondread.workflow.inputs import (
    GatheredPriors,
    RevisionInputs,
    gather_inputs,
    gather_priors,
)
from secondread.workflow.lesions import Display, store_crops, track_lesions
from secondread.workflow.looking import recheck_and_log
from secondread.workflow.outbox_objects import write_objects
from secondread.workflow.prior_readings import (
    PriorReadings,
    compare_safely,
    read_priors,
    select_prior_images,
)
from secondread.workflow.record import (
    make_answer_entries,
    make_finding_entries,
    make_image_entries,
    make_prior_finding_entries,
)
from secondread.workflow.tools import ReadingTools

_log = log.get_logger(__name__)


Rechecks = Sequence[dict[str, Any]]
"""Second looks as plain values."""


class ReadingSteps:
    """The steps of a reading. Their results are remembered, so they return small plain values."""

    def __init__(self, tools: ReadingTools) -> None:
        self._tools = tools

    def plan(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs to read, in reading order."""
        material = self._material(study_uid, revision)
        if material.is_mixed:
            return []
        return [mammogram.sop_instance_uid for mammogram in material.selection.to_read]

    def detect(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image read, and keep the answer beside its display array; return its status."""
        material = self._material(study_uid, revision)
        return self._detection(material, instance_uid).status.value

    def plan_priors(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs of the priors' images to read, the latest prior first."""
        material = self._material(study_uid, revision)
        if material.is_mixed:
            return []
        return list(select_prior_images(material, self._priors(material)))

    def detect_prior(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image of a prior read, and keep the answer; return its status."""
        material = self._material(study_uid, revision)
        priors = self._priors(material)
        path = select_prior_images(material, priors).get(instance_uid)
        if path is None:
            return "gone"
        return self._prior_detection(material, priors, instance_uid, path).status.value

    def recheck_priors(self, study_uid: str, revision: int) -> list[dict[str, Any]]:
        """Look in the priors' pixels for what is new; return what `record` takes as `rechecks`.

        Empty where anything breaks: `record` finds out what that costs besides, and says it.
        """
        material = self._material(study_uid, revision)
        try:
            priors = self._priors(material)
            if material.is_mixed or not priors.usable:
                return []
            known = self._read_priors(material, priors)
            reading = self._reading(material, self._detections(material), priors)
            files = select_prior_images(material, priors)
            looks = recheck_and_log(reading, known.read, files, self._tools.scores_at)
            return [encode_recheck(one) for one in looks]
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
            _log.error(
                "second_look_broke",
                study_uid=study_uid,
                revision=revision,
                error=describe_without_quoting(error),
            )
            return []

    def record(self, study_uid: str, revision: int, rechecks: Rechecks | None = None) -> str:
        """Make the results, write them to the outbox, record everything; return the outcome.

        Parameters
        ----------
        study_uid, revision
            Which reading.
        looks
            What `recheck_priors` returned; None in a reading that has no such step.
        """
        material = self._material(study_uid, revision)
        if material.is_mixed:
            words = "images of more than one patient; nothing of it is sent"
            self._tools.tracker.alarms.raise_alarm(
                PATIENT_MISMATCH, study_uid, words, self._tools.clock(), Severity.CRITICAL
            )
            return self._finish_failed(material, Reason.PATIENT_MISMATCH)
        detections = self._detections(material)
        priors = self._priors(material)
        try:
            looked = None if rechecks is None else tuple(decode_recheck(one) for one in rechecks)
            known = replace(self._read_priors(material, priors), rechecks=looked)
            return self._finish(material, detections, priors, known)
        except TransientError:
            raise
        except Exception as error:
            if not priors.studies:
                raise
            # Whatever breaks over a prior must not cost the reading. What breaks without one too
            # does so again, and ends in the failed result.
            _log.error(
                "follow_up_broke",
                study_uid=study_uid,
                revision=revision,
                error=describe_without_quoting(error),
            )
            given_up = tuple(prior.study_uid for prior in priors.usable)
            return self._finish(material, detections, priors, PriorReadings(given_up=given_up))

    def record_failure(self, study_uid: str, revision: int) -> str:
        """Record that the reading broke, as a failed result; return the outcome."""
        return self._finish_failed(self._material(study_uid, revision), Reason.READING_FAILED)

    def tidy(self, study_uid: str, revision: int) -> None:
        """Remove what the reading left between its steps."""
        shutil.rmtree(self._folder(study_uid, revision), ignore_errors=True)

    def _material(self, study_uid: str, revision: int) -> RevisionInputs:
        return gather_inputs(self._tools.tracker, self._tools.archive, study_uid, revision)

    def _folder(self, study_uid: str, revision: int) -> Path:
        name = sha256(f"{study_uid}:{revision}".encode()).hexdigest()[:32]
        return self._tools.work_dir / name

    def _priors(self, material: RevisionInputs) -> GatheredPriors:
        return gather_priors(self._tools.tracker, self._tools.archive, material)

    def _kept(self, material: RevisionInputs) -> ReadingCache:
        tools, claimed = self._tools, material.claimed
        folder = self._folder(claimed.study_uid, claimed.number)
        return ReadingCache(folder, tools.detect, tools.show, tools.overrides, tools.attempts)

    def _detection(self, material: RevisionInputs, instance_uid: str) -> Detection:
        return self._kept(material).get_detection(instance_uid, material.paths[instance_uid])

    def _detections(self, material: RevisionInputs) -> dict[str, Detection]:
        return {
            m.sop_instance_uid: self._detection(material, m.sop_instance_uid)
            for m in material.selection.to_read
        }

    def _reading(
        self, material: RevisionInputs, detections: Mapping[str, Detection], priors: GatheredPriors
    ) -> StudyReading:
        tools = self._tools
        return read_study(
            material.claimed.study_uid,
            material.selection,
            detections,
            tools.reader,
            gather_context(tools.tracker, material, priors),
        )

    def _prior_detection(
        self, material: RevisionInputs, priors: GatheredPriors, instance_uid: str, path: Path
    ) -> Detection:
        tools = self._tools
        maker = digest_maker(tools.settings_digest, tools.reader)
        digest = priors.digests[instance_uid]
        known = find_answer(tools.tracker, tools.archive, digest, maker)
        return self._kept(material).get_prior_detection(instance_uid, path, known)

    def _read_priors(self, material: RevisionInputs, priors: GatheredPriors) -> PriorReadings:
        tools = self._tools
        detections = {
            uid: self._prior_detection(material, priors, uid, path)
            for uid, path in select_prior_images(material, priors).items()
        }
        return PriorReadings(
            detections=detections,
            read=read_priors(material, priors, detections, tools.reader),
            reported=read_reported_priors(tools.tracker, tools.archive, priors, tools.reader),
        )

    def _finish_failed(self, material: RevisionInputs, reason: Reason) -> str:
        failed = {
            m.sop_instance_uid: Detection.from_failure(m.sop_instance_uid, reason)
            for m in material.selection.to_read
        }
        return self._finish(material, failed, self._priors(material), PriorReadings())

    def _finish(
        self,
        material: RevisionInputs,
        detections: Mapping[str, Detection],
        priors: GatheredPriors,
        known: PriorReadings,
    ) -> str:
        tools, claimed = self._tools, material.claimed
        reading = compare_safely(self._reading(material, detections, priors), known)
        reading = track_lesions(
            reading, tools.tracker.lesions, tools.installation_id, known.reported
        )
        display = self._display(material, priors)
        crops = store_crops(reading, display, tools.archive)
        outbox = write_objects(tools, material, priors, reading, display)
        answers = store_answers({**known.detections, **detections}, tools.archive)
        recorded = RecordedReading(
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome,
            reasons=reading.reasons,
            images=make_image_entries(reading, answers),
            findings=make_finding_entries(reading, crops),
            objects=outbox,
            prior_findings=make_prior_finding_entries(reading, crops),
            answers=make_answer_entries(
                answers,
                {**material.digests, **priors.digests},
                digest_maker(tools.settings_digest, tools.reader),
            ),
        )
        tools.tracker.results.record_reading(recorded, tools.destinations, tools.clock())
        metrics.READINGS.labels(reading.outcome.value).inc()
        _log.info(
            "study_read",
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome.value,
            shown=sum(len(image.shown_findings) for image in reading.images),
            objects=len(outbox),
        )
        return reading.outcome.value

    def _display(self, material: RevisionInputs, priors: GatheredPriors) -> Display:
        """Return what gives the pictures of the study's images and of its priors'."""
        kept = self._kept(material)
        paths = {**material.paths, **select_prior_images(material, priors)}
        return lambda instance_uid: kept.get_display(instance_uid, paths[instance_uid])
