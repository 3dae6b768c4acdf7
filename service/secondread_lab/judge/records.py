"""The detector's answer for one image with its truth: one JSON line, all that scoring needs.

Reading takes seconds a view and scoring next to nothing. So a record holds the detector's answer
and the truth as they were, and no outcome: records are scored anew for every report, and an
interrupted run continues where it stopped.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from secondread.assemble.mammogram import Mammogram
from secondread.detect.marks import Detection
from secondread.errors import InputError
from secondread.findings.finding import Finding
from secondread.geometry import PointPx, SpacingMm, bounding_box
from secondread_lab.simulate.truth import TruthRow

Box = tuple[float, float, float, float]
"""First column, first row, column after the last, row after the last, in stored pixels."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Identity of an image, and the properties that tables group by."""

    sop_instance_uid: str
    study_uid: str
    patient: str
    """See `make_pseudonym`."""
    laterality: str
    view: str
    """``CC`` or ``MLO``, also for views that are read as one of them; else the view's name."""
    intent: str
    family: str
    """Vendor family as the truth table names it, else the manufacturer."""
    density: str
    rows: int
    columns: int
    spacing: tuple[float, float]
    """Between rows, between columns, in mm."""
    subset: str = ""
    """Part of the set that is reported apart."""

    @property
    def spacing_mm(self) -> SpacingMm:
        """Pixel spacing."""
        return SpacingMm(*self.spacing)


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """One finding of class cluster, as the node would report it."""

    certainty: float
    suspicion: float | None
    center: tuple[float, float]
    """Column, row."""
    outline: tuple[tuple[float, float], ...]
    members: tuple[tuple[float, float], ...]
    morphology: tuple[tuple[str, float], ...]
    distribution: tuple[tuple[str, float], ...]
    shown_at: tuple[int, ...]
    """Numbers of the operating points that show it."""
    benign_share: float | None = None
    """Share of the typically benign types among all that the model distinguishes."""
    is_set_aside: bool = False
    """Whether it is left unmarked as typically benign: nobody sees it."""

    @property
    def box(self) -> Box:
        """Bounding box of the outline."""
        low, high = bounding_box(PointPx(*point) for point in self.outline)
        return low.col, low.row, high.col, high.row

    @classmethod
    def from_finding(cls, finding: Finding, shown_at: Iterable[int]) -> "FoundCluster":
        """Copy from a finding what scoring needs."""
        return cls(
            certainty=finding.certainty,
            suspicion=finding.suspicion,
            center=_round_point(finding.center),
            outline=tuple(_round_point(point) for point in finding.outline),
            members=tuple(_round_point(member.center) for member in finding.members),
            morphology=tuple((m.name.lower(), share) for m, share in finding.morphology),
            distribution=tuple((d.name.lower(), share) for d, share in finding.distribution),
            shown_at=tuple(shown_at),
            benign_share=finding.benign_share,
            is_set_aside=finding.is_set_aside,
        )


def make_pseudonym(mammogram: Mammogram) -> str:
    """Return a name by which images of one person can be grouped, and nothing else be known."""
    patient = mammogram.patient
    # Without a patient ID the person is unknown, but images of one study are of the same person.
    person = f"{patient.issuer}|{patient.patient_id}" if patient.patient_id else mammogram.study_uid
    return hashlib.sha256(person.encode()).hexdigest()[:16]


def _round_point(point: PointPx) -> tuple[float, float]:
    return round(point.col, 2), round(point.row, 2)


@dataclass(frozen=True, slots=True)
class Crop:
    """A piece of the image for the contact sheets."""

    file: str
    """File name in the folder of crops."""
    kind: str
    """``hit``, ``miss`` or ``false``."""
    caption: str
    rank: float
    """The crops of the highest rank of each kind are kept."""
    origin: tuple[int, int]
    """Column and row of its first pixel in the stored image."""
    mark: Box | None
    truth: Box | None


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """The detector's answer for one image, and its truth."""

    key: str
    """Name of the image in its set, the same in every run."""
    image: ImageFacts
    detection: Detection
    clusters: tuple[FoundCluster, ...]
    truth: tuple[TruthRow, ...]
    crops: tuple[Crop, ...] = ()
    differs: tuple[str, ...] = ()
    """Differences of a simulated image from the frozen record of the test exams, for people."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` turns back into an equal record."""
        return {
            "key": self.key,
            "image": asdict(self.image),
            "detection": self.detection.as_json(),
            "clusters": [asdict(cluster) for cluster in self.clusters],
            "truth": [_encode_row(row) for row in self.truth],
            "crops": [asdict(crop) for crop in self.crops],
            "differs": list(self.differs),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ViewRecord":
        """Read what `as_json` wrote."""
        return cls(
            key=values["key"],
            image=ImageFacts(**_freeze_values(values["image"])),
            detection=Detection.from_json(values["detection"]),
            clusters=tuple(FoundCluster(**_freeze_values(item)) for item in values["clusters"]),
            truth=tuple(TruthRow(**item) for item in values["truth"]),
            crops=tuple(Crop(**_freeze_values(item)) for item in values["crops"]),
            differs=tuple(values["differs"]),
        )


def _encode_row(row: TruthRow) -> dict[str, Any]:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    # There are many rows, mostly empty; the constructor has the defaults.
    return {name: value for name, value in values.items() if value not in {None, ""}}


def _freeze_values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _freeze(value) for name, value in values.items()}


def _freeze(value: Any) -> Any:  # noqa: ANN401 - JSON values, whatever they are
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


def trim_partial_line(path: Path) -> None:
    """Remove a last line that a crash has cut short; create the file if it is missing."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not path.exists() or whole != content:
        path.write_bytes(whole)


def read_records(path: Path) -> Iterator[ViewRecord]:
    """Read the lines of a run, without a last line that was cut off by a crash.

    Raises
    ------
    InputError
        A line before the last is not a record.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = ViewRecord.from_json(json.loads(line))
        except (ValueError, LookupError, TypeError) as error:
            if number == len(lines):
                return
            raise InputError(f"{path}:{number}: not a record of a view: {error}") from error
        yield record
