"""What the steps of a reading work with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from secondread.accept.archive import Archive
from secondread.clock import Clock
from secondread.followup.recheck import ScoreFile
from secondread.reading import Reader
from secondread.report.result import NodeIdentity
from secondread.settings import ProfileSettings
from secondread.track.tracker import Tracker
from secondread.workflow.cache import DetectImage, RenderImage


@dataclass(frozen=True, slots=True)
class ReadingTools:
    """What the steps work with, put together by `app`."""

    tracker: Tracker
    archive: Archive
    detect: DetectImage
    show: RenderImage
    scores_at: ScoreFile
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
    """Where detections and display arrays lie between steps; losing it costs time only."""
    clock: Clock
    zone: tzinfo | None
    """The site's time zone, which dates and times in results are given in; None: the machine's."""
