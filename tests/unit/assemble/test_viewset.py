import pytest

from secondread.assemble.viewset import StudyViews, ViewKey

FOUR: set[ViewKey] = {("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO")}
LEFT: set[ViewKey] = {("L", "CC"), ("L", "MLO")}


@pytest.mark.parametrize(
    ("present", "priors", "removed", "complete"),
    [
        (FOUR, [], (), True),
        (FOUR - {("L", "CC")}, [], (), False),
        (FOUR | {("L", "XCCL")}, [], (), True),
        (LEFT, [], ("R",), True),
        (LEFT, [LEFT], (), True),
        (LEFT, [FOUR], (), False),
        (LEFT, [set(), LEFT], (), True),
        # Her other breast was not imaged last time, but is now: the expectation was wrong.
        (LEFT | {("R", "CC")}, [LEFT], (), False),
        (set(), [], ("R", "L"), False),
        ({("L", "ML"), ("L", "CC"), ("R", "FB"), ("R", "LMO")}, [], (), True),
    ],
)
def test_completeness(
    present: set[ViewKey], priors: list[set[ViewKey]], removed: tuple[str, ...], complete: bool
) -> None:
    assert StudyViews(present, priors, removed).is_complete() is complete


def test_missing_views_are_named() -> None:
    assert StudyViews(FOUR - {("L", "MLO")}, [], ()).find_missing_slots() == (("L", "MLO"),)


@pytest.mark.parametrize(
    ("present", "priors", "removed", "missing"),
    [
        (LEFT, [], (), 0),
        (LEFT, [set()], (), 0),
        (LEFT, [FOUR], (), 2),
        (LEFT, [LEFT], (), 0),
        (LEFT - {("L", "CC")}, [], (), 3),
        ({("L", "CC"), ("R", "CC")}, [], (), 2),
        (LEFT, [], ("L",), 2),
        (set(), [], (), 4),
    ],
)
def test_an_exam_of_one_breast_lacks_nothing_where_nothing_else_is_known(
    present: set[ViewKey], priors: list[set[ViewKey]], removed: tuple[str, ...], missing: int
) -> None:
    views = StudyViews(present, priors, removed)
    assert len(views.find_missing_slots()) == missing
    # It is not complete at once all the same: the other breast may be on its way.
    assert views.is_complete() is (priors == [LEFT])
