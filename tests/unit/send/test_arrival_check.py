"""The daily comparison: which days are asked for, which studies count as missing, and when."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from secondread.assemble.patient_key import PatientKey
from secondread.send.arrival_check import (
    MOST_DAYS,
    ArrivalCheck,
    ArrivalWiring,
    ArrivalWorker,
    Listing,
    choose_days,
    compute_next_check,
    find_end,
    is_expected,
)
from secondread.send.call_error import CallError
from secondread.send.outbox import AnswerKind, Callee, Cancelled, never_cancelled
from secondread.send.study_list import ListedStudy, StudyList
from secondread.settings import (
    ArrivalsSettings,
    IntakeMode,
    PeerSettings,
    PriorSourceSettings,
    TreatmentScope,
)

NOW = datetime(2026, 3, 10, 4, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 3, 9)
SOURCE = PriorSourceSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
CHECK = ArrivalCheck("pacs", "claim", 3, None)
REPORT = PeerSettings(ae_title="MAMMO")


def listed(number: int, day: date = DAY, at: time | None = time(9), who: str = "") -> ListedStudy:
    return ListedStudy(f"1.2.{number}", day, at, PatientKey(who, "") if who else None)


@dataclass
class MemoryArrivals:
    """One comparison that is due, and what is recorded of it."""

    arrived: set[str] = field(default_factory=set)
    treated: set[PatientKey] = field(default_factory=set)
    check: ArrivalCheck | None = CHECK
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def claim_check(
        self, source: str, worker: str, now: datetime, first_due_at: datetime, lease_seconds: float
    ) -> ArrivalCheck | None:
        return self.check

    def find_arrived(self, study_uids: Collection[str]) -> frozenset[str]:
        return frozenset(self.arrived.intersection(study_uids))

    def find_treated(self, patients: Collection[PatientKey]) -> frozenset[PatientKey]:
        return frozenset(self.treated.intersection(patients))

    def record_check(
        self, check: ArrivalCheck, listing: Listing, now: datetime, due_at: datetime
    ) -> int:
        self.calls.append(("checked", [study.study_uid for study in listing.missing]))
        return len(listing.missing)

    def record_failed(
        self, check: ArrivalCheck, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        self.calls.append(("failed", why, (ask_again_at - now).total_seconds()))

    def give_back(self, check: ArrivalCheck) -> None:
        self.calls.append(("given back",))

    def note_arrivals(self, source: str, now: datetime) -> None:
        self.calls.append(("arrivals noted",))


@dataclass
class Archive:
    """Lists what a test puts in."""

    studies: Sequence[ListedStudy] = ()
    unclear: Sequence[ListedStudy] = ()
    mammography: Collection[str] = ()
    fault: AnswerKind | None = None
    asked_for_patients: bool | None = None

    def list_mammography(
        self,
        callee: Callee,
        title: str,
        days: Sequence[date],
        cancelled: Cancelled,
        *,
        with_patients: bool,
    ) -> StudyList:
        self.asked_for_patients = with_patients
        if self.fault is not None:
            raise CallError(self.fault, "words")
        found = StudyList()
        for study in self.studies:
            found.add(study, {"MG"})
        for study in self.unclear:
            found.add(study, ())
        return found

    def choose_mammography(
        self, callee: Callee, title: str, uids: Collection[str], cancelled: Cancelled
    ) -> frozenset[str]:
        return frozenset(self.mammography).intersection(uids)


def compare(
    queue: MemoryArrivals,
    archive: Archive,
    peers: Sequence[PeerSettings] = (REPORT,),
    **settings: float,
) -> tuple[object, ...]:
    """Make one step; return the last of what was recorded."""
    wiring = ArrivalWiring(
        queue=queue,
        list_mammography=archive.list_mammography,
        choose_mammography=archive.choose_mammography,
        settings=ArrivalsSettings.model_validate(settings),
        peers=peers,
        zone=UTC,
        clock=lambda: NOW,
        worker="worker-0",
        calling_ae_title="SECONDREAD",
    )
    ArrivalWorker(SOURCE, wiring).step(never_cancelled)
    return queue.calls[-1]


def test_what_an_archive_lists_and_never_arrived_is_missing() -> None:
    queue = MemoryArrivals(arrived={"1.2.1"})
    assert compare(queue, Archive([listed(1), listed(2)])) == ("checked", ["1.2.2"])


def test_a_study_that_may_still_be_under_way_is_not_missing() -> None:
    archive = Archive([listed(1, at=time(16)), listed(2, at=time(17)), listed(3, at=None)])
    assert compare(MemoryArrivals(), archive) == ("checked", ["1.2.1"])
    assert compare(MemoryArrivals(), archive, grace_hours=1) == (
        "checked",
        ["1.2.1", "1.2.2", "1.2.3"],
    )


def test_a_study_of_unknown_modality_counts_once_a_series_says_mammography() -> None:
    archive = Archive(unclear=[listed(1), listed(2)], mammography={"1.2.2"})
    assert compare(MemoryArrivals(), archive) == ("checked", ["1.2.2"])


@pytest.mark.parametrize(
    ("peers", "treated", "expected"),
    [
        ((REPORT,), None, True),
        ((), None, False),
        ((PeerSettings(ae_title="A", intake=IntakeMode.IGNORE),), None, False),
        ((PeerSettings(ae_title="A", intake=IntakeMode.PRIOR_ONLY),), None, False),
        ((PeerSettings(ae_title="A", intake=IntakeMode.IGNORE), REPORT), None, True),
        ((PeerSettings(ae_title="A", treatment=TreatmentScope.TREATED),), None, False),
        ((PeerSettings(ae_title="A", treatment=TreatmentScope.TREATED),), True, True),
        ((PeerSettings(ae_title="A", maximum_age_days=0),), None, True),
    ],
)
def test_only_what_some_peers_rule_would_read_is_expected(
    peers: Sequence[PeerSettings], treated: bool | None, expected: bool
) -> None:
    assert is_expected(listed(1), peers, treated=treated) is expected


def test_patient_ids_are_asked_for_only_where_a_rule_needs_them() -> None:
    archive = Archive([listed(1, who="P1"), listed(2, who="P2")])
    compare(MemoryArrivals(), archive)
    assert archive.asked_for_patients is False
    rule = PeerSettings(ae_title="A", treatment=TreatmentScope.TREATED)
    queue = MemoryArrivals(treated={PatientKey("P2", "")})
    assert compare(queue, archive, [rule]) == ("checked", ["1.2.2"])
    assert archive.asked_for_patients is True


def test_a_comparison_that_fails_is_tried_again_after_a_growing_pause() -> None:
    failed = compare(MemoryArrivals(), Archive(fault=AnswerKind.REJECTED))
    assert failed == ("failed", "association-rejected: words", 240.0)


def test_a_comparison_that_the_stop_of_the_node_ends_is_given_back() -> None:
    assert compare(MemoryArrivals(), Archive(fault=AnswerKind.STOPPED)) == ("given back",)


def test_between_comparisons_late_arrivals_are_noted() -> None:
    assert compare(MemoryArrivals(check=None), Archive()) == ("arrivals noted",)


def test_the_days_asked_for_reach_back_further_after_an_outage() -> None:
    settings = ArrivalsSettings(days=3, grace_hours=12)
    usual = [date(2026, 3, 7), date(2026, 3, 8), DAY]
    assert choose_days(settings, None, NOW, UTC) == usual
    assert choose_days(settings, NOW - timedelta(hours=23), NOW, UTC) == usual
    later = choose_days(settings, NOW - timedelta(days=4), NOW, UTC)
    assert (later[0], len(later)) == (date(2026, 3, 3), 7)
    assert len(choose_days(settings, NOW - timedelta(days=900), NOW, UTC)) == MOST_DAYS


def test_a_comparison_is_due_at_its_hour_by_the_sites_clock() -> None:
    at_five = ArrivalsSettings(hour=5)
    assert compute_next_check(at_five, NOW, UTC) == datetime(2026, 3, 10, 5, tzinfo=UTC)
    assert compute_next_check(at_five, NOW, BERLIN) == datetime(2026, 3, 11, 4, tzinfo=UTC)
    summer_time_begins = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert compute_next_check(at_five, summer_time_begins, BERLIN) == datetime(
        2026, 3, 29, 3, tzinfo=UTC
    )


def test_a_comparison_may_be_due_after_an_interval_instead() -> None:
    often = ArrivalsSettings(every_hours=2)
    assert compute_next_check(often, NOW, BERLIN) == NOW + timedelta(hours=2)


def test_a_study_is_as_old_as_the_sites_clock_says() -> None:
    assert find_end(listed(1, at=time(9)), BERLIN) == datetime(2026, 3, 9, 8, tzinfo=UTC)
    assert find_end(listed(1, at=None), UTC) == datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)
