from datetime import date, timedelta

from secondread.followup.priors import EarlierStudy, PriorRule, choose_priors

VIEWS = frozenset({("L", "CC"), ("L", "MLO")})


def study(
    uid: str, when: date | None, views: frozenset[tuple[str, str]] | None = VIEWS
) -> EarlierStudy:
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


def test_a_study_whose_views_are_not_known_may_fit() -> None:
    unknown = study("a", date(2024, 1, 1), None)

    assert choose_priors(date(2026, 1, 1), VIEWS, [unknown]) == (unknown,)


def test_how_many_count_and_how_early_they_are_is_the_rules_to_say() -> None:
    candidates = [study(str(year), date(year, 1, 1)) for year in (2019, 2021, 2023, 2025)]

    def chosen(rule: PriorRule) -> list[str]:
        return [one.study_uid for one in choose_priors(date(2026, 1, 1), VIEWS, candidates, rule)]

    assert chosen(PriorRule(count=1)) == ["2025"]
    assert chosen(PriorRule(count=3)) == ["2025", "2023", "2019"]
    assert chosen(PriorRule(timedelta(days=1000))) == ["2023", "2019"]
