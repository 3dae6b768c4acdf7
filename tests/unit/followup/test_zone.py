"""Zones by clips, markers and quadrants; nothing about a finding's numbers changes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from secondread.assemble.scope import select_images
from secondread.codes import Laterality, MarkClass, View
from secondread.detect.marks import Mark
from secondread.findings.finding import StudyReading
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.findings.treatment import (
    Procedure,
    Treatment,
    TreatmentSource,
    Zone,
    ZoneBasis,
    ZonePlacement,
)
from secondread.followup.follow_up import follow_up
from secondread.followup.surgical_bed import find_beds
from secondread.followup.surgical_site import read_surgical_site
from secondread.followup.zone import choose_zone, place_by_quadrant
from secondread.reading import Reader, StudyContext, read_study
from secondread.report.sr.impression_words import describe_finding, list_treatment_lines
from tests.unit.followup.breasts import MODEL, Lie, Spot, detection, group

CC, MLO = Lie(), Lie(view=View.MLO)
L = Laterality.LEFT
LUMPECTOMY = Treatment(Procedure.LUMPECTOMY, L)
CLIPS: tuple[Spot, ...] = ((44.0, 14.0), (52.0, 26.0), (40.0, 24.0), (50.0, 12.0))
"""Around a bed at 46 mm depth and 19 mm above the nipple line."""
READER = Reader(MODEL, lambda _, value: 100 * value, OperatingPoint(1, "test", 50.0))


def followed(
    *views: tuple[Lie, list[Spot]],
    clips: Sequence[Spot] = (),
    clip_mm: float = 3.0,
    treatments: tuple[Treatment, ...] = (LUMPECTOMY,),
    only: int | None = None,
) -> StudyReading:
    """Read views with the same clips in all of them, or in one only."""
    headers = [lie.header() for lie, _ in views]
    answers = {}
    for number, (header, (lie, spots)) in enumerate(zip(headers, views, strict=True)):
        found = detection(lie, header, spots)
        metal = tuple(
            Mark(lie.at(*at), 0.9, MarkClass.METAL, clip_mm, contrast=9.0)
            for at in clips
            if only in {None, number}
        )
        answers[header.sop_instance_uid] = replace(found, marks=(*found.marks, *metal))
    known = StudyContext(revision=1, cause="first", treatments=treatments)
    return follow_up(
        read_study(views[0][0].study, select_images(headers), answers, READER, known), ()
    )


def placing(done: StudyReading, image: int = 0) -> ZonePlacement | None:
    clusters = [f for f in done.images[image].findings if f.mark_class is MarkClass.CLUSTER]
    return clusters[0].placement


@pytest.mark.parametrize(
    ("at", "zone"),
    [((46.0, 19.0), Zone.BED), ((46.0, 42.0), Zone.NEAR), ((46.0, -30.0), Zone.ELSEWHERE)],
)
def test_clips_fix_the_bed_and_the_distance_from_it(at: Spot, zone: Zone) -> None:
    found = placing(followed((CC, group(*at)), clips=CLIPS))
    assert found is not None
    assert (found.zone, found.basis) == (zone, ZoneBasis.CLIPS)
    assert found.bed_mm == pytest.approx(abs(at[1] - 19.0), abs=2.0)
    assert found.error_mm is not None
    assert 3.0 <= found.error_mm <= 6.0


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_clips_fix_no_bed_and_are_near_all_the_same(count: int) -> None:
    found = placing(followed((CC, group(46, 19)), clips=CLIPS[:count]))
    assert found is not None
    assert (found.zone, found.basis, found.clips) == (Zone.NEAR_CLIPS, ZoneBasis.CLIPS, count)
    assert found.clip_mm == pytest.approx(5.4, abs=1.0)
    assert found.bed_mm is None


def test_far_from_clips_that_fix_no_bed_the_place_is_unknown() -> None:
    found = placing(followed((CC, group(46, -40)), clips=CLIPS[:2]))
    assert found == ZonePlacement(Zone.TREATED_PLACE_UNKNOWN, ZoneBasis.SIDE)


SCATTERED: tuple[Spot, ...] = ((20, -20), (20, 40), (70, -20), (70, 40), (45, 10))
TWO_PLACES: tuple[Spot, ...] = ((44, 14), (48, 24), (44, -46), (48, -56))


@pytest.mark.parametrize("clips", [CLIPS, SCATTERED, TWO_PLACES], ids=["bed", "wide", "two-places"])
def test_among_clips_of_a_treated_breast_the_place_is_never_unknown(clips: Sequence[Spot]) -> None:
    found = placing(followed((CC, group(46, 19)), clips=clips))
    assert found is not None
    assert found.zone is (Zone.BED if clips is CLIPS else Zone.NEAR_CLIPS)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_without_a_record_of_surgery_clips_are_no_bed(count: int) -> None:
    clips = [(44.0 + 3 * (number % 4), 14.0 + 4 * (number // 4)) for number in range(count)]
    for treatments in ((), (replace(LUMPECTOMY, laterality=Laterality.RIGHT),)):
        done = followed((CC, group(46, 19)), clips=clips, treatments=treatments)
        found = placing(done)
        assert found is not None
        assert (found.zone, found.bed_mm, found.clips) == (Zone.NEAR_CLIPS, None, count)
        assert done.treatments == treatments


def test_radiotherapy_alone_makes_no_bed_of_clips() -> None:
    irradiated = (Treatment(Procedure.RADIOTHERAPY, L),)
    found = placing(followed((CC, group(46, 19)), clips=CLIPS, treatments=irradiated))
    assert found is not None
    assert found.zone is Zone.NEAR_CLIPS


def test_far_from_clips_of_an_untreated_breast_there_is_no_zone() -> None:
    assert placing(followed((CC, group(46, -40)), clips=CLIPS, treatments=())) is None


def test_a_wire_marks_no_bed_without_a_record_and_is_no_clip() -> None:
    done = followed((CC, group(46, 19)), clips=((46.0, 24.0),), clip_mm=30.0, treatments=())
    assert placing(done) is None
    assert done.treatments == ()


def test_clips_of_the_other_breast_say_nothing_of_this_one() -> None:
    right = Lie(right=True)
    done = followed((CC, group(46, 19)), (right, group(46, 19)), clips=CLIPS, only=0, treatments=())
    right_image = next(i for i, image in enumerate(done.images) if image.label == "RCC")
    assert placing(done, right_image) is None
    left = placing(done, 1 - right_image)
    assert left is not None
    assert left.zone is Zone.NEAR_CLIPS


def test_of_two_views_the_one_that_sees_it_farther_from_the_clips_is_right() -> None:
    near = followed((CC, group(46, 19)), (MLO, group(46, 38)), clips=CLIPS, treatments=())
    zones = [placing(near, 0), placing(near, 1)]
    assert zones[0] == zones[1]
    assert zones[0] is not None
    assert zones[0].views == 2
    assert zones[0].clip_mm == pytest.approx(12.0, abs=2.5)
    far = followed((CC, group(46, 19)), (MLO, group(46, -35)), clips=CLIPS, treatments=())
    assert [placing(far, 0), placing(far, 1)] == [None, None]


def test_a_bed_known_badly_in_one_view_is_no_reason_to_fail() -> None:
    # Five clips so far apart that their middle is not that of a bed, and the finding beyond them.
    wide: tuple[Spot, ...] = ((20, 0), (20, 24), (44, 0), (44, 24), (66, 12))
    done = followed((CC, group(46, 50)), (MLO, group(46, 50)), clips=wide)
    for found in (placing(done, 0), placing(done, 1)):
        assert found is not None
        assert found.zone is not Zone.TREATED_PLACE_UNKNOWN


@pytest.mark.parametrize("size", [0.4, 9.0])
def test_what_is_too_small_or_too_large_for_a_clip_is_none(size: float) -> None:
    done = followed((CC, group(46, 19)), clips=CLIPS, clip_mm=size)
    assert find_beds(done.images[0]) == ()


def test_clips_far_apart_are_not_one_bed() -> None:
    done = followed((CC, group(46, 19)), clips=((20, -50), (50, 0), (30, 50)))
    assert find_beds(done.images[0]) == ()


def test_clips_alone_make_no_treatment_of_a_breast() -> None:
    done = followed((CC, group(46, 19)), clips=CLIPS, treatments=())
    assert done.treatments == ()
    assert "treatment-unknown" in [reason.value for reason in done.reasons]
    assert list_treatment_lines(done) == ()
    image = done.images[0]
    (line,) = [describe_finding(done, image, f) for f in image.findings if f.members]
    assert line.endswith("near clips, 5 mm; surgery not recorded")


def test_surgery_of_an_unknown_side_is_not_said_to_be_unrecorded() -> None:
    vague = replace(LUMPECTOMY, laterality=None, source=TreatmentSource.HEADER)
    done = followed((CC, group(46, 19)), clips=CLIPS, treatments=(vague,))
    image = done.images[0]
    (line,) = [describe_finding(done, image, f) for f in image.findings if f.members]
    assert line.endswith("near clips, 5 mm; side of surgery not recorded")


def test_without_a_treatment_there_is_no_zone() -> None:
    assert placing(followed((CC, group(46, 19)), treatments=())) is None
    vague = replace(LUMPECTOMY, laterality=None, source=TreatmentSource.HEADER)
    assert placing(followed((CC, group(46, 19)), treatments=(vague,))) is None


def test_a_finding_of_the_other_breast_is_said_to_be_there() -> None:
    right = replace(LUMPECTOMY, laterality=Laterality.RIGHT)
    found = placing(followed((CC, group(46, 19)), treatments=(right,)))
    assert found == ZonePlacement(Zone.OTHER_BREAST, ZoneBasis.SIDE)


def test_of_two_views_the_one_that_sees_it_farther_from_the_bed_is_right() -> None:
    # In the cranio-caudal view it lies on the bed, in the oblique one far above or below it.
    done = followed((CC, group(46, 19)), (MLO, group(46, -35)), clips=CLIPS)
    zones = [placing(done, 0), placing(done, 1)]
    assert [found.zone if found else None for found in zones] == [Zone.ELSEWHERE, Zone.ELSEWHERE]
    assert [found.views if found else None for found in zones] == [2, 2]


def test_no_number_and_no_showing_changes_with_a_treatment() -> None:
    def numbers(done: StudyReading) -> list[tuple[object, ...]]:
        found = done.images[0].findings
        return [(f.id, f.certainty, f.suspicion, f.shown, f.mark_class) for f in found]

    plain = followed((CC, group(46, 19)), clips=CLIPS, treatments=())
    assert numbers(plain) == numbers(followed((CC, group(46, 19)), clips=CLIPS))


@pytest.mark.parametrize(
    ("distance", "error", "zone"),
    [
        (14.0, 3.5, Zone.BED),
        (14.1, 3.5, Zone.NEAR),
        (30.0, 3.5, Zone.NEAR),
        (30.1, 3.5, Zone.ELSEWHERE),
        (5.0, 15.0, Zone.NEAR),
        (50.0, 15.0, Zone.TREATED_PLACE_UNKNOWN),
        (61.0, 15.0, Zone.ELSEWHERE),
    ],
)
def test_a_bed_known_badly_holds_nothing_for_certain(
    distance: float, error: float, zone: Zone
) -> None:
    assert choose_zone(distance, 14.0, error) is zone


def at_quadrant(quadrant: Quadrant | None, half: BreastHalf | None = None) -> Position:
    return Position(None, None, None, None, None, half, quadrant)


@pytest.mark.parametrize(
    ("position", "zone"),
    [
        (at_quadrant(Quadrant.UPPER_OUTER), Zone.BED_QUADRANT),
        (at_quadrant(Quadrant.LOWER_OUTER), Zone.ELSEWHERE),
        (at_quadrant(Quadrant.CENTRAL), Zone.TREATED_PLACE_UNKNOWN),
        (at_quadrant(None, BreastHalf.LOWER), Zone.ELSEWHERE),
        (at_quadrant(None, BreastHalf.INNER), Zone.ELSEWHERE),
        (at_quadrant(None, BreastHalf.UPPER), Zone.TREATED_PLACE_UNKNOWN),
        (at_quadrant(None, BreastHalf.CENTRAL), Zone.TREATED_PLACE_UNKNOWN),
        (None, Zone.TREATED_PLACE_UNKNOWN),
    ],
)
def test_a_recorded_clock_face_tells_the_quadrant_only(
    position: Position | None, zone: Zone
) -> None:
    treated = replace(LUMPECTOMY, site=read_surgical_site("2 o'clock", L))
    found = place_by_quadrant([treated], position)
    assert found.zone is zone
    assert found.bed_mm is None


def test_where_one_operation_has_no_site_nothing_is_elsewhere() -> None:
    treated = replace(LUMPECTOMY, site=read_surgical_site("2 o'clock", L))
    position = at_quadrant(Quadrant.LOWER_INNER)
    assert place_by_quadrant([treated, LUMPECTOMY], position).zone is Zone.TREATED_PLACE_UNKNOWN
