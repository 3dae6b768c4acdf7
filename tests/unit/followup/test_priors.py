from datetime import date

from secondread.followup.priors import EarlierStudy, choose_priors

VIEWS = frozenset({("L", "CC"), ("L", "MLO")})


def study(uid: str, when: date | None, views: frozenset[tuple[str, str]] = VIEWS) -> EarlierStudy:
    return EarlierStudy(uid, when, views)


def test_the_nearest_and_the_oldest_prior_are_chosen() -> None:
    candidates = [
        study("a", date(2020, 1, 1)),
        study("b", date(2024, 1, 1)),
        study("c", date(2025, 1, 1)),
    ]

    chosen = choose_priors(date(2026, 1, 1), VIEWS, candidates)

    assert [prior.study_uid for prior in chosen] == ["c", "a"]


def test_recent_foreign_undated_and_later_studies_are_no_priors() -> None:
    candidates = [
        study("recent", date(2025, 10, 1)),
        study("later", date(2027, 1, 1)),
        study("undated", None),
        study("other side", date(2024, 1, 1), frozenset({("R", "CC")})),
    ]

    assert choose_priors(date(2026, 1, 1), VIEWS, candidates) == ()
    assert choose_priors(None, VIEWS, [study("a", date(2024, 1, 1))]) == ()
