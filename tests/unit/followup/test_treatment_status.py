from datetime import date

import pytest

from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.position import Quadrant
from secondread.findings.treatment import BreastStatus, Procedure, Treatment, TreatmentSource
from secondread.followup.surgical_site import read_surgical_site
from secondread.followup.treatment_status import (
    count_months_since_radiotherapy,
    count_months_since_surgery,
    find_breast_status,
    find_conflicts,
    find_mastectomy_sides,
)

L, R = Laterality.LEFT, Laterality.RIGHT
DAY = date(2025, 1, 20)
SURGERY = Treatment(
    Procedure.LUMPECTOMY, L, date(2021, 3, 2), site=read_surgical_site("2 o'clock", L)
)
RADIOTHERAPY = Treatment(Procedure.RADIOTHERAPY, L, date(2021, 4, 10), date(2021, 5, 20))


def header(procedure: Procedure, side: Laterality | None, day: date | None = None) -> Treatment:
    return Treatment(
        procedure, side, day, source=TreatmentSource.HEADER, header_source="StudyDescription"
    )


@pytest.mark.parametrize(
    ("words", "side", "quadrants"),
    [
        ("2 o'clock", L, {Quadrant.UPPER_OUTER}),
        ("2 o'clock", R, {Quadrant.UPPER_INNER}),
        ("10:30, 4 cm FN", R, {Quadrant.UPPER_OUTER}),
        ("12 o'clock", L, {Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER}),
        ("3", L, {Quadrant.UPPER_OUTER, Quadrant.LOWER_OUTER}),
        ("6 oclock", R, {Quadrant.LOWER_OUTER, Quadrant.LOWER_INNER}),
        ("Lower inner quadrant", L, {Quadrant.LOWER_INNER}),
        ("UOQ", L, {Quadrant.UPPER_OUTER}),
        ("retroareolar", R, {Quadrant.CENTRAL}),
    ],
)
def test_a_site_is_its_quadrants(words: str, side: Laterality, quadrants: set[Quadrant]) -> None:
    site = read_surgical_site(words, side)
    assert site is not None
    assert site.quadrants == quadrants


def test_a_site_keeps_its_distance_from_the_nipple_in_mm() -> None:
    site = read_surgical_site("2 o'clock, 4.5 cm FN", L)
    assert site is not None
    assert (site.from_nipple_mm, site.words) == (45.0, "2 o'clock, 4.5 cm FN")
    assert read_surgical_site("  ", L) is None


@pytest.mark.parametrize("words", ["noon", "13 o'clock", "25 mm", "x" * 65, "2 o\u2019clock"])
def test_a_site_that_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(InputError, match="site"):
        read_surgical_site(words, L)


def test_a_breast_is_treated_untreated_or_unknown() -> None:
    assert find_breast_status([SURGERY], L, DAY) is BreastStatus.TREATED
    assert find_breast_status([SURGERY], R, DAY) is BreastStatus.UNTREATED
    assert find_breast_status([], L, DAY) is BreastStatus.UNKNOWN
    assert find_breast_status([SURGERY], L, date(2021, 3, 1)) is BreastStatus.UNTREATED
    said = header(Procedure.LUMPECTOMY, L)
    assert find_breast_status([said], R, DAY) is BreastStatus.UNKNOWN


def test_a_header_without_a_side_makes_a_breast_unknown_unless_the_record_explains_it() -> None:
    assert (
        find_breast_status([SURGERY, header(Procedure.MASTECTOMY, None)], R, DAY)
        is BreastStatus.UNKNOWN
    )
    assert (
        find_breast_status([SURGERY, header(Procedure.LUMPECTOMY, None)], R, DAY)
        is BreastStatus.UNTREATED
    )


def test_months_are_counted_whole_and_from_the_end_of_radiotherapy() -> None:
    known = [SURGERY, RADIOTHERAPY]
    assert count_months_since_surgery(known, L, DAY) == (46,)
    assert count_months_since_radiotherapy(known, L, DAY) == (44,)
    assert count_months_since_radiotherapy(known, L, date(2021, 5, 1)) == (0,)
    assert count_months_since_surgery(known, R, DAY) == ()
    assert count_months_since_surgery(known, L, None) == ()


def test_sources_that_differ_give_both_numbers_of_months() -> None:
    other = header(Procedure.LUMPECTOMY, L, date(2023, 1, 20))
    assert count_months_since_surgery([SURGERY, other], L, DAY) == (24, 46)
    near = header(Procedure.LUMPECTOMY, L, date(2021, 3, 1))
    assert count_months_since_surgery([SURGERY, near], L, DAY) == (46,)


def test_conflicts_of_procedure_date_and_site_are_said_and_agreement_is_not() -> None:
    for other in (
        header(Procedure.MASTECTOMY, L),
        header(Procedure.LUMPECTOMY, L, date(2023, 1, 20)),
        Treatment(
            Procedure.LUMPECTOMY, L, None, None, read_surgical_site("8", L), TreatmentSource.HEADER
        ),
    ):
        (text,) = find_conflicts([SURGERY, other], [], DAY)
        assert text.startswith("L: lumpectomy 2021-03-02 2 o'clock (record) against ")
    for same in (header(Procedure.LUMPECTOMY, L), header(Procedure.SURGERY, L), RADIOTHERAPY):
        assert find_conflicts([SURGERY, same], [L, R], DAY) == ()


def test_images_of_a_removed_breast_contradict_the_record() -> None:
    removed = Treatment(Procedure.MASTECTOMY, R, date(2020, 1, 1))
    assert find_conflicts([removed], [L], DAY) == ()
    assert find_conflicts([removed], [L, R], DAY) == (
        "R: mastectomy (record), but there are images of it",
    )
    assert find_mastectomy_sides([removed], DAY) == {"R"}
    assert find_mastectomy_sides([removed], date(2019, 1, 1)) == frozenset()
