"""A study with its prior as the node follows it up: both views, what is new, what is gone."""

from dataclasses import replace
from functools import cache

from pydicom.dataset import Dataset

from secondread.codes import Distribution, Morphology, View
from secondread.findings.finding import (
    Finding,
    ImageReading,
    ModelIdentity,
    StatedOperatingPoint,
    StudyReading,
)
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_numbers import number_lesions
from secondread.reasons import ImageStatus, Outcome, Reason
from tests.unit.followup.breasts import MODEL, Lie, Spot, group, reading
from tests.unit.report.readings import (
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
)
from tests.worlds.builders import header, view_sequence

CURRENT, PRIOR = "1.2.826.0.1.3680043.10.1", "1.2.826.0.1.3680043.10.2"
POINTS = (
    StatedOperatingPoint(1, "standard", 50.0, 0.2, "56 views without a cluster"),
    StatedOperatingPoint(2, "sensitive", 20.0, 0.5, "56 views without a cluster"),
)
POINTED: ModelIdentity = replace(MODEL, points=POINTS)

GROWN_CLUSTER = group(45.0, 20.0, 8) + group(45.0, 20.0, 7, seed=4)  # none of them in another
PRIOR_CLUSTER = group(45.0, 20.0, 8)
NEW_CLUSTER = group(20.0, 40.0, 6, seed=3)
GONE_CLUSTER = group(45.0, -25.0, 8, seed=1)


def _read(study: str, day: str, *views: tuple[View, list[Spot]]) -> StudyReading:
    """Return a reading whose images have UIDs that follow from study and view."""
    made = reading(*((Lie(study=study, date=day, view=view), spots) for view, spots in views))
    images = tuple(
        replace(
            image,
            mammogram=replace(
                image.mammogram,
                sop_instance_uid=f"{study}.9.{number}",
                series_uid=f"{study}.9",
            ),
        )
        for number, image in enumerate(made.images, start=1)
    )
    return number_lesions(replace(made, images=images, model=POINTED, view_pairs=()))


def make_image_header(image: ImageReading) -> Dataset:
    """Return a header that an image could have been read from."""
    mammogram = image.mammogram
    assert mammogram.view is not None
    assert mammogram.spacing is not None
    assert mammogram.study_date is not None
    return header(
        SOPInstanceUID=mammogram.sop_instance_uid,
        StudyInstanceUID=mammogram.study_uid,
        SeriesInstanceUID=mammogram.series_uid,
        StudyDate=mammogram.study_date.strftime("%Y%m%d"),
        ViewCodeSequence=view_sequence(mammogram.view),
        PatientOrientation=list(mammogram.orientation or ()),
        Rows=mammogram.rows,
        Columns=mammogram.columns,
        ImagerPixelSpacing=[mammogram.spacing.between_rows, mammogram.spacing.between_columns],
        Manufacturer=mammogram.manufacturer,
        PatientBirthDate="19700101",
        PatientSex="F",
        StudyID="S1",
        AccessionNumber="A1",
        ReferringPhysicianName="",
    )


@cache
def _followed() -> StudyReading:
    now = _read(
        CURRENT, "20260105", (View.CC, GROWN_CLUSTER + NEW_CLUSTER), (View.MLO, PRIOR_CLUSTER)
    )
    then = _read(
        PRIOR, "20250105", (View.CC, PRIOR_CLUSTER + GONE_CLUSTER), (View.MLO, PRIOR_CLUSTER)
    )
    return replace(follow_up(now, compare_with_priors(now, [then])), outcome=Outcome.FINDINGS)


def make_followed_study() -> tuple[StudyReading, dict[str, Dataset]]:
    """Return a study of the left breast with its prior, and the headers of all images.

    In CC one cluster is new, one has grown and one is gone; the one that has grown is also seen
    in MLO, unchanged.
    """
    study_reading = _followed()
    images = (
        *study_reading.images,
        *(image for prior in study_reading.prior_readings for image in prior.images),
    )
    return study_reading, {
        image.mammogram.sop_instance_uid: make_image_header(image) for image in images
    }


def make_parted_study(now: list[Spot], then: list[Spot]) -> tuple[StudyReading, dict[str, Dataset]]:
    """Return a study of one view with its prior, of a cluster that is in parts in one of them."""
    current = _read(CURRENT, "20260105", (View.CC, now))
    prior = _read(PRIOR, "20250105", (View.CC, then))
    compared = follow_up(current, compare_with_priors(current, [prior]))
    return replace(compared, outcome=Outcome.FINDINGS), {
        image.mammogram.sop_instance_uid: make_image_header(image)
        for image in (*current.images, *prior.images)
    }


def make_one_quadrant_study() -> tuple[StudyReading, dict[str, Dataset]]:
    """Return a study of the left breast with a cluster far from the lines between quadrants."""
    aside = group(45.0, 40.0, 8)
    now = _read(CURRENT, "20260105", (View.CC, aside), (View.MLO, aside))
    study_reading = replace(follow_up(now, []), outcome=Outcome.FINDINGS)
    return study_reading, {
        image.mammogram.sop_instance_uid: make_image_header(image) for image in study_reading.images
    }


UNSURE = ((Morphology.PUNCTATE, 0.44), (Morphology.FINE_PLEOMORPHIC, 0.43))
UNCERTAIN = ((Morphology.AMORPHOUS, 0.25), (Morphology.PUNCTATE, 0.24))
GROUPED = ((Distribution.GROUPED, 0.9), (Distribution.LINEAR, 0.1))


def make_described_study() -> tuple[StudyReading, dict[str, Dataset]]:
    """Return a study in which it is unsure which of two types one cluster is, and what another is.

    The cluster of the left breast has the higher priority; the right breast is read first.
    """
    headers = {label: make_header(label) for label in ("RCC", "LCC")}
    left = make_cluster(
        suspicion=38.0, lesion_uid="2.25.38", morphology=UNSURE, distribution=GROUPED
    )
    right = make_cluster(label="RCC", suspicion=12.0, morphology=UNCERTAIN, distribution=GROUPED)
    images = (
        make_image_reading(headers["RCC"], right),
        make_image_reading(headers["LCC"], left),
    )
    made = make_study_reading(Outcome.FINDINGS, *images)
    return made, {str(ds.SOPInstanceUID): ds for ds in headers.values()}


def _of_one(finding: Finding) -> Finding:
    """Return a cluster with one calcification, so that the document stays small."""
    return replace(finding, members=finding.members[:1])


def make_mixed_study() -> tuple[StudyReading, dict[str, Dataset]]:
    """Return a study without prior, in which every other kind of item occurs.

    Findings that are shown, optional and hidden; an image that was refused, and one that was read
    with a doubt for which there is an Image Quality finding.
    """
    headers = {label: make_header(label) for label in ("RCC", "LCC", "RMLO", "LMLO")}
    findings = (
        make_cluster(),
        _of_one(make_cluster(2, (500.5, 700.5), certainty=35.0, shown=False)),
        _of_one(make_cluster(3, (200.5, 200.5), certainty=5.0, shown=False)),
    )
    doubtful = make_image_reading(
        headers["RMLO"], status=ImageStatus.FLAGGED, reasons=(Reason.SATURATED_AREA,)
    )
    images = (
        make_image_reading(headers["RCC"]),
        make_image_reading(headers["LCC"], *findings),
        doubtful,
    )
    made = StudyReading(
        CURRENT,
        1,
        "first",
        Outcome.PARTIAL,
        (Reason.SOME_IMAGES_REFUSED,),
        (*images, make_refused_image(headers["LMLO"])),
        (),
        (),
        (),
        POINTED,
    )
    return made, {str(ds.SOPInstanceUID): ds for ds in headers.values()}
