import pytest

from secondread.assemble.scope import select_images
from secondread.codes import Laterality
from secondread.detect.marks import Mark
from secondread.findings.finding import ModelIdentity, PriorStudy
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.treatment import Procedure, Treatment
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus, Outcome, Reason
from tests.worlds.builders import detection, mammogram, mark

READER = Reader(
    ModelIdentity("Test", "1", "0" * 64, 1, calibrated=False),
    lambda _, score: 100 * score,
    OperatingPoint(1, "test", 50.0),
)
CLUSTER = [mark(300, 400), mark(320, 400), mark(310, 430)]
NOTHING_KNOWN = StudyContext(revision=1, cause="first")

LEFT = mammogram()
RIGHT = mammogram(ImageLaterality="R")
TOMOSYNTHESIS = mammogram(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3")


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [
        (ImageStatus.READ, ImageStatus.READ, Outcome.NO_FINDINGS),
        (ImageStatus.FLAGGED, ImageStatus.READ, Outcome.NO_FINDINGS),
        (ImageStatus.READ, ImageStatus.REFUSED, Outcome.PARTIAL),
        (ImageStatus.FAILED, ImageStatus.READ, Outcome.PARTIAL),
        (ImageStatus.REFUSED, ImageStatus.FAILED, Outcome.FAILED),
    ],
)
def test_the_outcome_follows_from_what_became_of_the_images(
    left: ImageStatus, right: ImageStatus, outcome: Outcome
) -> None:
    answers = {
        LEFT.sop_instance_uid: detection(LEFT.sop_instance_uid, status=left),
        RIGHT.sop_instance_uid: detection(RIGHT.sop_instance_uid, status=right),
    }

    reading = read_study("1.2.3", select_images([LEFT, RIGHT]), answers, READER, NOTHING_KNOWN)

    assert reading.outcome is outcome


@pytest.mark.parametrize("marks", [(), CLUSTER], ids=["nothing found", "something found"])
def test_doubts_about_an_image_are_told_of_the_study(marks: list[Mark]) -> None:
    uid = LEFT.sop_instance_uid
    flagged = detection(uid, *marks, status=ImageStatus.FLAGGED)

    reading = read_study("1.2.3", select_images([LEFT]), {uid: flagged}, READER, NOTHING_KNOWN)

    assert reading.reasons[0] is Reason.SOME_IMAGES_DOUBTFUL
    assert reading.doubtful


def test_a_shown_finding_makes_the_outcome() -> None:
    answers = {LEFT.sop_instance_uid: detection(LEFT.sop_instance_uid, *CLUSTER)}

    reading = read_study("1.2.3", select_images([LEFT]), answers, READER, NOTHING_KNOWN)

    assert reading.outcome is Outcome.FINDINGS
    assert reading.images[0].shown_findings[0].id == "LCC-1"


def test_marks_of_a_refused_image_never_become_findings() -> None:
    refused = detection(LEFT.sop_instance_uid, *CLUSTER, status=ImageStatus.REFUSED)

    reading = read_study(
        "1.2.3", select_images([LEFT]), {LEFT.sop_instance_uid: refused}, READER, NOTHING_KNOWN
    )

    assert reading.images[0].findings == ()
    assert reading.outcome is Outcome.FAILED


def test_what_is_outside_the_scope_never_makes_a_study_partial() -> None:
    answers = {LEFT.sop_instance_uid: detection(LEFT.sop_instance_uid)}

    reading = read_study(
        "1.2.3", select_images([LEFT, TOMOSYNTHESIS]), answers, READER, NOTHING_KNOWN
    )

    assert reading.outcome is Outcome.NO_FINDINGS
    assert [left.reason for left in reading.left_out] == [Reason.TOMOSYNTHESIS]


def test_nothing_in_scope_is_not_eligible_and_an_invalid_header_is_not_nothing() -> None:
    selection = select_images([TOMOSYNTHESIS])
    invalid = StudyContext(revision=1, cause="first", invalid_instances=("1.9",))

    assert read_study("1.2.3", selection, {}, READER, NOTHING_KNOWN).outcome is Outcome.NOT_ELIGIBLE
    assert read_study("1.2.3", selection, {}, READER, invalid).outcome is Outcome.FAILED


def test_what_is_not_known_is_said() -> None:
    answers = {LEFT.sop_instance_uid: detection(LEFT.sop_instance_uid)}
    compared = PriorStudy("1.1", None, compared=True, reason=None)
    treated = Treatment(Procedure.LUMPECTOMY, Laterality.LEFT)
    known = StudyContext(1, "first", (), (compared,), treatments=(treated,))
    unknown = StudyContext(1, "first", missing_views=(("L", "MLO"),))

    reasons = [
        read_study("1.2.3", select_images([LEFT]), answers, READER, c).reasons
        for c in (known, unknown)
    ]

    assert reasons[0] == ()
    assert reasons[1] == (Reason.VIEWS_MISSING, Reason.TREATMENT_UNKNOWN, Reason.NO_COMPARISON)
