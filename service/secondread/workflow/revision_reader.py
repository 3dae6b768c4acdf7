"""Reads one revision: what a step starts from, and what comes of the study and of its priors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondread.accept.archive import Archive
from secondread.assemble.completed_headers import keep_attributes
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection, select_images
from secondread.clock import Clock
from secondread.detect.marks import Detection
from secondread.findings.finding import StudyReading
from secondread.reading import FileDetector, Reader, StudyContext, read_study
from secondread.reasons import Reason
from secondread.report.result import NodeIdentity
from secondread.settings import ProfileSettings
from secondread.track.tracker import Tracker
from secondread.workflow.cache import AnswerStore, ReadingCache, digest_maker
from secondread.workflow.inputs import (
    GatheredPriors,
    gather_context,
    gather_inputs,
    gather_priors,
)
from secondread.workflow.prior_readings import PriorReadings, read_reported_priors


@dataclass(frozen=True, slots=True)
class ReadingTools:
    """What the steps of readings work with, put together by `app`."""

    tracker: Tracker
    archive: Archive
    detector: FileDetector
    reader: Reader
    settings_digest: str
    """Digest of the settings that a reading's content depends on."""
    node: NodeIdentity
    installation_id: str
    profiles: Mapping[str, ProfileSettings]
    """The destinations' profiles by key."""
    destinations: Mapping[str, str]
    """For each destination's name the key of its profile."""
    overrides: frozenset[str]
    attempts: int
    """How often an image may kill the detector before it is given up."""
    work_dir: Path
    """Where detections and display arrays are between steps; losing it costs time only."""
    clock: Clock
    zone: tzinfo | None
    """The site's time zone, which dates and times in results are given in; None: the machine's."""
    images_at_once: int = 1
    """How many images the detector reads side by side."""

    @property
    def answers(self) -> AnswerStore:
        """The detector's answers that are stored in the archive."""
        return AnswerStore(self.tracker.results, self.archive)

    @property
    def maker_digest(self) -> str:
        """Digest of all that a detector's answer depends on besides the file."""
        return digest_maker(self.settings_digest, self.reader)

    def open_cache(self, study_uid: str, revision: int) -> ReadingCache:
        """Return what a reading keeps between its steps."""
        folder = self.get_folder(study_uid, revision)
        return ReadingCache(folder, self.detector, self.overrides, self.attempts, self.maker_digest)

    def get_folder(self, study_uid: str, revision: int) -> Path:
        """Return where a reading keeps files between its steps."""
        return self.work_dir / name_folder(study_uid, revision)


def name_folder(study_uid: str, revision: int) -> str:
    """Return the name of the folder in which a reading keeps files between its steps.

    The same for every worker, so that one that takes over finds what the lost one had done.
    """
    return sha256(f"{study_uid}:{revision}".encode()).hexdigest()[:32]


class RevisionReader:
    """Reads one revision during one step, which gathers its inputs once.

    Parameters
    ----------
    tools
        What it works with.
    study_uid, revision
        What it reads.
    read
        `reading.read_study`, or what stands for it.
    """

    def __init__(
        self,
        tools: ReadingTools,
        study_uid: str,
        revision: int,
        read: Callable[..., StudyReading] = read_study,
    ) -> None:
        self._tools = tools
        self._read_study = read
        self.inputs = gather_inputs(tools.tracker, tools.archive, study_uid, revision)
        self._cache = tools.open_cache(study_uid, revision)

    def reduce_headers(self, keywords: Sequence[str]) -> None:
        """Drop all but these attributes of the study's headers, one of which breaks the results."""
        headers = {uid: keep_attributes(ds, keywords) for uid, ds in self.inputs.headers.items()}
        selection = select_images(Mammogram.from_dataset(header) for header in headers.values())
        self.inputs = replace(self.inputs, headers=headers, selection=selection)

    @cached_property
    def priors(self) -> GatheredPriors:
        """The revision's priors, gathered when they are first asked for."""
        return gather_priors(self._tools.tracker, self._tools.archive, self.inputs)

    def detect(self, instance_uid: str) -> Detection:
        """Return the detector's answer about one of the study's images."""
        digest, path = self.inputs.digests[instance_uid], self.inputs.paths[instance_uid]
        return self._cache.get_detection(instance_uid, digest, path)

    def detect_all(self) -> dict[str, Detection]:
        """Return the detector's answer about each of the study's images, by SOP Instance UID."""
        uids = (mammogram.sop_instance_uid for mammogram in self.inputs.selection.to_read)
        return {uid: self.detect(uid) for uid in uids}

    def fail_all(self, reason: Reason) -> dict[str, Detection]:
        """Return failed answers about all of the study's images."""
        uids = (mammogram.sop_instance_uid for mammogram in self.inputs.selection.to_read)
        return {uid: Detection.from_failure(uid, reason) for uid in uids}

    def detect_prior(self, instance_uid: str) -> Detection:
        """Return the detector's answer about one of the images of priors that are read."""
        tools, digest = self._tools, self.priors.digests[instance_uid]
        stored = tools.answers.find(digest, tools.maker_digest)
        path = self.priors.paths_to_read[instance_uid]
        return self._cache.get_prior_detection(instance_uid, digest, path, stored)

    def read_study(self, detections: Mapping[str, Detection]) -> StudyReading:
        """Return the study's reading, before it is compared with anything."""
        return self._read_study(
            self.inputs.claimed.study_uid,
            self.inputs.selection,
            detections,
            self._tools.reader,
            gather_context(self._tools.tracker, self.inputs, self.priors),
        )

    def read_priors(self) -> PriorReadings:
        """Return the readings of the priors, the latest first, by images or else by reports."""
        detections = {uid: self.detect_prior(uid) for uid in self.priors.paths_to_read}
        from_images = tuple(
            self._read_study(
                prior.study_uid,
                ImageSelection(prior.to_read, ()),
                detections,
                self._tools.reader,
                StudyContext(revision=1, cause="prior"),
            )
            for prior in self.priors.usable
            if prior.to_read
        )
        from_reports = read_reported_priors(
            self._tools.tracker, self._tools.archive, self.priors, self._tools.reader
        )
        return PriorReadings(detections, from_images, from_reports)

    def load_display(self, instance_uid: str) -> npt.NDArray[np.uint8]:
        """Return an image of the study or of a prior as people look at it."""
        paths = {**self.inputs.paths, **self.priors.paths_to_read}
        digests = {**self.inputs.digests, **self.priors.digests}
        return self._cache.get_display(digests[instance_uid], paths[instance_uid])
