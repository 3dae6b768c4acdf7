"""Records of images that were never taken: marks and truth as a test wants them."""

from collections.abc import Sequence

from secondread.codes import MarkClass
from secondread.detect.marks import Breast, Detection, Mark
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus, Reason
from secondread_lab.judge.records import Box, FoundCluster, ImageFacts, ViewRecord
from secondread_lab.simulate.truth import TruthRow

PITCH = 0.1
UID = "1.2.3"


def calcification(
    x: float,
    y: float,
    number: int = 1,
    parent: str = "",
    cnr: float | None = 6.0,
    size_mm: float = 0.3,
) -> TruthRow:
    """Return a calcification about a point in mm."""
    col, row = x / PITCH, y / PITCH
    return TruthRow(
        UID,
        "calcification",
        col - 2,
        row - 2,
        col + 2,
        row + 2,
        id=f"{parent or 'single'}.{number}",
        parent_id=parent,
        cnr=cnr,
        size_mm=size_mm,
    )


def cluster(
    points: Sequence[tuple[float, float]],
    name: str = "c1",
    morphology: str = "amorphous",
    cnr: float | None = 6.0,
    lesion: str = "",
) -> tuple[TruthRow, ...]:
    """Return a cluster of calcifications about points in mm, and its members."""
    xs, ys = zip(*points, strict=True)
    row = TruthRow(
        UID,
        "cluster",
        min(xs) / PITCH,
        min(ys) / PITCH,
        max(xs) / PITCH,
        max(ys) / PITCH,
        id=name,
        lesion_id=lesion or name,
        morphology=morphology,
        distribution="grouped",
        cnr=cnr,
        size_mm=10.0,
        density="b",
        vendor_family="alpha",
    )
    members = [calcification(x, y, n, name, cnr) for n, (x, y) in enumerate(points, start=1)]
    return (row, *members)


def thing(kind: str, box_mm: Box) -> TruthRow:
    """Return an object of a kind."""
    x0, y0, x1, y1 = (value / PITCH for value in box_mm)
    return TruthRow(UID, kind, x0, y0, x1, y1, id=kind)


def mark(x: float, y: float, score: float = 0.9) -> Mark:
    """Return a mark of a single calcification at a point in mm."""
    return Mark(PointPx(x / PITCH, y / PITCH), score, MarkClass.CALCIFICATION, 0.3, 5.0)


def found(
    points: Sequence[tuple[float, float]],
    certainty: float = 80.0,
    shown_at: tuple[int, ...] = (1,),
    morphology: tuple[tuple[str, float], ...] = (),
) -> FoundCluster:
    """Return a cluster mark with members at points in mm, outlined a millimetre around them."""
    xs, ys = zip(*points, strict=True)
    left, right, top, bottom = min(xs) - 1, max(xs) + 1, min(ys) - 1, max(ys) + 1
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return FoundCluster(
        certainty=certainty,
        suspicion=None,
        center=(sum(xs) / len(xs) / PITCH, sum(ys) / len(ys) / PITCH),
        outline=tuple((x / PITCH, y / PITCH) for x, y in corners),
        members=tuple((x / PITCH, y / PITCH) for x, y in points),
        morphology=morphology,
        distribution=(("grouped", 0.9),),
        shown_at=shown_at,
    )


def record(
    truth: Sequence[TruthRow] = (),
    clusters: Sequence[FoundCluster] = (),
    marks: Sequence[Mark] = (),
    *,
    key: str = "exam/LCC",
    patient: str = "p1",
    study: str = "s1",
    view: str = "CC",
    family: str = "alpha",
    status: ImageStatus = ImageStatus.READ,
) -> ViewRecord:
    """Return an image of 100 cm2 of breast that was read."""
    image = ImageFacts(
        UID, study, patient, "L", view, "FOR PRESENTATION", family, "b", 2000, 1600,
        (PITCH, PITCH),
    )  # fmt: skip
    reasons = () if status is ImageStatus.READ else (Reason.BREAST_NOT_FOUND,)
    detection = Detection(
        UID,
        status,
        reasons,
        tuple(marks),
        {},
        Breast(100.0, 0.4, "left", (0, 2000, 0, 1600)),
        1.5,
    )
    return ViewRecord(key, image, detection, tuple(clusters), tuple(truth))
