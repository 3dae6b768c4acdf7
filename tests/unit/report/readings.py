"""Readings with known content, for the tests of reports: small images, round numbers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass, View
from secondread.findings.finding import (
    Calcification,
    Finding,
    ImageReading,
    ModelIdentity,
    StudyReading,
)
from secondread.findings.image_names import name_images
from secondread.geometry import PointPx, SpacingMm, padded_hull
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.result import Authorship, NodeIdentity, Occasion
from secondread.report.sr.uids import ResultUids
from secondread.settings import ProfileSettings
from tests.worlds.builders import header, view_sequence

STUDY = "1.2.826.0.1.3680043.10.1"
NODE = NodeIdentity("Secondread project", "Secondread", "0.1.0", "2.25.77", "SECONDREAD", "")
MODEL = ModelIdentity("calcification", "2026.1", "ab" * 32, 2, calibrated=True)
WRITTEN_AT = datetime(2026, 11, 22, 10, 1, 2, tzinfo=UTC)
FIRST_OCCASION = Occasion(WRITTEN_AT, predecessor=None)
UIDS = ResultUids("installation", STUDY, 1, "main")

_SIDES = {"L": (["A", "R"], 1), "R": (["P", "L"], 2)}


def make_authorship(profile: ProfileSettings) -> Authorship:
    """The first reading of a study, for a destination with this profile."""
    return Authorship(NODE, UIDS, FIRST_OCCASION, profile)


def make_header(label: str, **attributes: object) -> Dataset:
    """The header of one view: ``LCC``, ``RMLO``; its UIDs follow from the label."""
    side, view = label[0], View[label[1:]]
    orientation, number = _SIDES[side]
    values: dict[str, object] = {
        "SOPInstanceUID": f"{STUDY}.{number}.{list(View).index(view)}",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.{number}",
        "ImageLaterality": side,
        "PatientOrientation": orientation,
        "ViewCodeSequence": view_sequence(view),
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyID": "S1",
        "AccessionNumber": "A1",
        "ReferringPhysicianName": "",
        "ContentDate": "20260105",
        "ContentTime": "101731",
    }
    return header(**(values | attributes))


def make_cluster(
    number: int = 1,
    at: tuple[float, float] = (300.5, 420.5),
    label: str = "LCC",
    *,
    shown: bool = True,
    **changes: object,
) -> Finding:
    """A cluster of three calcifications around a point."""
    centers = [PointPx(at[0] + dx, at[1] + dy) for dx, dy in ((-12, 0), (12, 4), (0, -10))]
    finding = Finding(
        id=f"{label}-{number}",
        mark_class=MarkClass.CLUSTER,
        certainty=82.25,
        suspicion=None,
        center=PointPx(*at),
        outline=padded_hull(centers, SpacingMm(0.07, 0.07), 0.7),
        members=tuple(Calcification(center, 0.31, 75.0) for center in centers),
        long_axis_mm=3.1,
        shown=shown,
    )
    return replace(finding, **changes)  # type: ignore[arg-type]  # any field, by name


def make_image_reading(
    ds: Dataset,
    *findings: Finding,
    status: ImageStatus = ImageStatus.READ,
    reasons: tuple[Reason, ...] = (),
    detail: str = "",
) -> ImageReading:
    """What became of one image."""
    gates: dict[str, float | str] = {"breast_area_cm2": 121.5, "polarity": "ok"}
    mammogram = Mammogram.from_dataset(ds)
    (names,) = name_images([mammogram]).values()
    return ImageReading(mammogram, *names, status, reasons, gates, 1.5, findings, detail)


def make_refused_image(ds: Dataset, reason: Reason = Reason.LOSSY_COMPRESSION) -> ImageReading:
    """An image that was not read."""
    return make_image_reading(ds, status=ImageStatus.REFUSED, reasons=(reason,))


def make_study_reading(
    outcome: Outcome, *images: ImageReading, reasons: tuple[Reason, ...] = ()
) -> StudyReading:
    """A reading of these images."""
    names = name_images(image.mammogram for image in images)
    named = (
        replace(image, **names[image.mammogram.sop_instance_uid]._asdict()) for image in images
    )
    return StudyReading(STUDY, 1, "first", outcome, reasons, tuple(named), (), (), (), MODEL)


def index_by_uid(*headers: Dataset) -> dict[str, Dataset]:
    """Headers by SOP Instance UID."""
    return {str(ds.SOPInstanceUID): ds for ds in headers}


FOUR_VIEWS = ("RCC", "LCC", "RMLO", "LMLO")


def make_situations() -> Mapping[str, tuple[StudyReading, dict[str, Dataset]]]:
    """Return a reading with its headers for each tree that TID 4000 can become."""
    headers = {label: make_header(label) for label in FOUR_VIEWS}
    plain = [make_image_reading(headers[label]) for label in FOUR_VIEWS]
    marked = make_image_reading(
        headers["LCC"],
        make_cluster(),
        make_cluster(2, (500.5, 700.5)),
        make_cluster(3, shown=False),
    )
    bad = make_refused_image(headers["RMLO"])
    found, nothing = Outcome.FINDINGS, Outcome.NO_FINDINGS
    readings = {
        "no findings": make_study_reading(nothing, *plain),
        "findings": make_study_reading(found, plain[0], marked, *plain[2:]),
        "every image failed": make_study_reading(
            Outcome.FAILED,
            *(make_refused_image(headers[label]) for label in FOUR_VIEWS),
            reasons=(Reason.ALL_IMAGES_REFUSED,),
        ),
        "partial without marks": make_study_reading(Outcome.PARTIAL, *plain[:2], bad, plain[3]),
        "partial with marks": make_study_reading(
            Outcome.PARTIAL,
            plain[0],
            marked,
            bad,
            plain[3],
            reasons=(Reason.SOME_IMAGES_REFUSED, Reason.TREATMENT_UNKNOWN),
        ),
        "no findings with doubts": make_study_reading(
            nothing,
            *plain[:2],
            make_image_reading(
                headers["RMLO"],
                status=ImageStatus.FLAGGED,
                reasons=(Reason.UNLIKE_TRAINING, Reason.EIGHT_BITS),
            ),
            plain[3],
            reasons=(Reason.SOME_IMAGES_DOUBTFUL,),
        ),
        "unilateral": make_study_reading(found, marked, plain[3]),
    }
    return {name: (reading, index_by_uid(*headers.values())) for name, reading in readings.items()}


def make_grey_display(_uid: str) -> npt.NDArray[np.uint8]:
    """A display array of the size that `make_header` states, with a ramp instead of tissue."""
    ramp = np.linspace(10, 120, 800, dtype=np.uint8)
    return np.broadcast_to(ramp, (1000, 800))
