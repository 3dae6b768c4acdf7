"""From due to reported: claims, holds, requests, results written once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from secondread.assemble.patient_key import PatientKey
from secondread.errors import InputError, TransitionError
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.settings import DestinationMode
from secondread.track.states import Cause, RevisionState, StudyState
from secondread.track.summaries import StudyFilter, StudyPlace
from secondread.track.values import RecordedImage, TreatmentRecord
from tests.worlds.track_world import (
    DIGESTS,
    STUDY,
    World,
    finding,
    mammogram,
    outbox_entry,
    reading,
)


def test_a_study_is_claimed_once(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    assert (claimed.study_uid, claimed.number) == (STUDY, 1)
    assert (claimed.cause, claimed.predecessor) == (Cause.FIRST, None)
    assert claimed.content_at == world.now
    assert world.claim(worker="worker-1") is None
    assert world.due() == []


def test_a_study_that_is_no_longer_due_is_not_claimed(world: World) -> None:
    world.send_study(("RCC",))
    world.later(120)
    assert world.due() == [STUDY]
    world.send_study(("LCC",))
    assert world.claim() is None
    assert world.claim("1.2.3.99") is None


def test_requested_studies_go_first_then_fresh_ones_then_the_backlog(world: World) -> None:
    old, fresh, asked = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    world.send_study(study=old, date="20200101")
    world.later(10)
    world.send_study(study=fresh)
    world.later(10)
    world.send_study(study=asked, date="20200101")
    world.later(30)
    assert world.due() == [fresh, old, asked]
    world.tracker.studies.request_reading(asked, "someone", world.now)
    assert world.due() == [asked, fresh, old]
    assert [study.study_uid for study in world.tracker.studies.list_due(world.now, limit=1)] == [
        asked
    ]


def test_a_due_study_carries_what_the_intake_rule_asks(world: World) -> None:
    world.send_study()
    world.later(20)
    due = world.tracker.studies.list_due(world.now, 10)[0]
    assert (due.peer, due.treated, due.exempt) == ("MODALITY", None, False)
    assert str(due.study_date) == "2026-11-22"
    world.tracker.treatments.add_treatment(
        PatientKey("P1", ""), TreatmentRecord("L", "lumpectomy"), world.now
    )
    assert world.tracker.studies.list_due(world.now, 10)[0].treated is True


def test_a_study_held_back_is_not_due_and_says_why(world: World) -> None:
    world.send_study()
    world.later(20)
    for _ in range(2):
        assert world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_AGE, world.now)
    summary = world.tracker.study_queries.list_studies()[0]
    assert (summary.state, summary.hold_reason) == ("held", Reason.PRIOR_ONLY_BY_AGE)
    assert world.claim() is None


def test_a_study_that_is_being_read_is_not_held(world: World) -> None:
    world.send_study()
    world.later(20)
    world.claimed()
    assert not world.tracker.studies.hold_study(STUDY, Reason.IGNORED_BY_PEER, world.now)
    assert world.state() == "reading"


def test_a_person_has_a_held_study_read_and_the_rule_never_holds_it_again(world: World) -> None:
    world.send_study()
    world.later(20)
    world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_AGE, world.now)
    assert world.tracker.studies.request_reading(STUDY, "radiologist", world.now)
    assert not world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_AGE, world.now)
    claimed = world.claimed()
    assert claimed.cause is Cause.REQUESTED
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert detail.revisions[0].requested_by == "radiologist"
    assert detail.summary.hold_reason is None


def test_new_treatment_data_do_not_free_a_held_study(world: World) -> None:
    world.send_study()
    world.later(20)
    world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_AGE, world.now)
    ask = world.tracker.studies.request_reading
    assert not ask(STUDY, "import", world.now, Cause.TREATMENT_CHANGED)
    assert world.state() == "held"


def test_only_a_person_hurries_a_study_that_waits_for_its_images(world: World) -> None:
    world.send_study(("RCC",))
    ask = world.tracker.studies.request_reading
    assert ask(STUDY, "import", world.now, Cause.TREATMENT_CHANGED)
    assert world.due() == []
    assert ask(STUDY, "someone", world.now)
    assert world.due() == [STUDY]


def test_new_treatment_data_make_a_revision_of_a_reported_study(world: World) -> None:
    world.send_study()
    world.read_study()
    ask = world.tracker.studies.request_reading
    assert ask(STUDY, "import", world.now, Cause.TREATMENT_CHANGED)
    assert world.claim() is None  # there are none: the report stands
    assert world.state() == "reported"
    lumpectomy = TreatmentRecord("L", "lumpectomy")
    world.tracker.treatments.add_treatment(PatientKey("P1", ""), lumpectomy, world.now)
    world.later(150)
    assert world.claimed().cause is Cause.TREATMENT_CHANGED


def test_a_request_while_a_study_is_read_makes_the_next_revision(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    world.tracker.studies.request_reading(STUDY, "someone", world.now)
    assert world.claim() is None
    world.record(reading(claimed))
    second = world.claimed()
    assert (second.number, second.predecessor) == (2, 1)


def test_a_request_for_an_unknown_study_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="no study"):
        world.tracker.studies.request_reading("1.2.3", "someone", world.now)


def test_a_workflow_that_gave_up_leaves_a_stuck_study_and_an_alarm(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    for _ in range(2):
        world.tracker.studies.give_up(STUDY, claimed.number, "boom", world.now)
    assert world.state() == "stuck"
    alarm = world.tracker.node_queries.list_alarms()[0]
    assert (alarm.kind, alarm.subject, alarm.severity) == ("study-stuck", STUDY, "critical")
    assert world.tracker.studies.list_unfinished(world.now, 0) == []


def test_a_stuck_study_is_read_when_a_person_asks_and_its_alarm_clears(world: World) -> None:
    world.send_study()
    world.later(20)
    world.tracker.studies.give_up(STUDY, world.claimed().number, "boom", world.now)
    world.tracker.studies.request_reading(STUDY, "someone", world.now)
    second = world.claimed()
    assert (second.number, second.predecessor) == (2, None)
    world.record(reading(second))
    assert world.tracker.node_queries.list_alarms() == []


def test_what_came_during_a_reading_that_gave_up_is_read_all_the_same(world: World) -> None:
    world.send_study(("RCC",))
    world.later(120)
    claimed = world.claimed()
    world.send_study(("LCC",))
    world.tracker.studies.give_up(STUDY, claimed.number, "boom", world.now)
    assert world.state() == "assembling"
    world.later(120)
    assert world.due() == [STUDY]


def test_a_reading_with_results_cannot_give_up(world: World) -> None:
    world.send_study()
    claimed = world.read_study()
    with pytest.raises(TransitionError, match="has results"):
        world.tracker.studies.give_up(STUDY, claimed.number, "late", world.now)


def test_results_of_a_reading_that_was_given_up_are_refused(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    world.tracker.studies.give_up(STUDY, claimed.number, "boom", world.now)
    with pytest.raises(TransitionError, match="given up"):
        world.record(reading(claimed))
    assert world.tracker.results.list_outbox(STUDY, claimed.number) == ()


def test_results_of_an_unknown_revision_are_refused(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = replace(world.claimed(), number=7)
    with pytest.raises(InputError, match="no revision 7"):
        world.record(reading(claimed))


def test_a_claim_whose_worker_died_is_found_again(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    world.later(9)
    assert world.tracker.studies.list_unfinished(world.now, grace_seconds=10) == []
    world.later(1)
    assert world.tracker.studies.list_unfinished(world.now, grace_seconds=10) == [claimed]


def test_results_are_written_once_and_the_first_win(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    first = world.record(reading(claimed, findings=[finding(1)], outcome=Outcome.FINDINGS))
    other = replace(outbox_entry(STUDY, 1), sop_instance_uid="1.2.3.666", sha256="cd" * 32)
    assert world.record(reading(claimed, entries=[other], outcome=Outcome.FAILED)) == first
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert detail.summary.outcome is Outcome.FINDINGS
    assert detail.summary.shown_findings == 1
    assert [item.sop_instance_uid for item in detail.outbox_objects] == [first[0].sop_instance_uid]
    assert len(detail.outbox_objects[0].deliveries) == 1
    assert len(detail.findings) == 1


def test_a_repeat_of_old_results_leaves_a_later_reading_alone(world: World) -> None:
    world.send_study()
    first = world.read_study()
    world.tracker.studies.request_reading(STUDY, "someone", world.now)
    world.claimed()
    world.record(reading(first))
    assert world.state() == "reading"


def test_two_objects_under_one_key_are_recorded_not_at_all(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    entry = outbox_entry(STUDY, 1)
    with pytest.raises(Exception, match=r"(?i)unique"):
        world.record(reading(claimed, entries=[entry, replace(entry, sop_instance_uid="1.9")]))
    assert world.state() == "reading"
    assert world.tracker.results.list_outbox(STUDY, 1) == ()
    assert world.record(reading(claimed))


def test_an_unknown_destination_is_an_error_and_records_nothing(world: World) -> None:
    world.profiles["nowhere"] = "default"
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    with pytest.raises(InputError, match="nowhere"):
        world.record(reading(claimed))
    assert world.state() == "reading"


def test_everything_about_a_reading_is_found_again(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study(("LCC",))
    world.later(120)
    claimed = world.claimed()
    uid = str(mammogram("LCC").SOPInstanceUID)
    image = RecordedImage(
        uid, "LCC", ImageStatus.FLAGGED, (Reason.EIGHT_BITS,), {"bits": 8.0}, 1.5, "only 8 bits"
    )
    hidden = finding(3, shown=False)
    shown = finding(2, tracking_uid="2.25.77")
    world.record(
        reading(claimed, images=[image], findings=[hidden, shown], outcome=Outcome.FINDINGS)
    )
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert detail.findings == (shown, hidden)
    assert detail.summary.doubtful_images == 1
    summary = detail.images[0]
    assert (summary.status, summary.reasons) == (ImageStatus.FLAGGED, (Reason.EIGHT_BITS,))
    assert (summary.gates, summary.seconds, summary.detail) == ({"bits": 8.0}, 1.5, "only 8 bits")
    revision = detail.revisions[0]
    assert (revision.state, revision.inputs) == (RevisionState.FINISHED, 1)
    assert (revision.settings_digest, revision.model_digest) == DIGESTS
    assert detail.outbox_objects[0].deliveries[0].destination == "pacs"


def test_a_lesion_keeps_its_identity_over_two_studies(world: World) -> None:
    for study, date in (("1.2.3.1", "20251101"), (STUDY, "20261122")):
        world.send_study(study=study, date=date)
        world.later(20)
        claimed = world.claimed(study)
        world.record(reading(claimed, findings=[finding(tracking_uid="2.25.77")]))
    with world.tracker.database.begin_read() as session:
        count = session.scalar(text("SELECT count(*) FROM lesions"))
        seen = session.execute(
            text("SELECT study_uid FROM v_findings WHERE tracking_uid = '2.25.77' ORDER BY 1")
        )
        assert (count, [row[0] for row in seen]) == (1, ["1.2.3.1", STUDY])


def test_findings_are_kept_in_their_order_those_without_priority_last(world: World) -> None:
    world.send_study()
    world.later(20)
    sure = replace(finding(1), certainty=99.0, priority=8.0)
    first = replace(finding(2), certainty=60.0, priority=20.0)
    unrated = replace(finding(3), certainty=99.0, suspicion=None, priority=None)
    hidden = replace(finding(4, shown=False), priority=40.0)
    world.record(reading(world.claimed(STUDY), findings=[hidden, unrated, sure, first]))
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert [f.finding_id for f in detail.findings] == ["LCC-2", "LCC-1", "LCC-3", "LCC-4"]
    assert [f.priority for f in detail.findings] == [20.0, 8.0, None, 40.0]
    with world.tracker.database.begin_read() as session:
        rows = session.execute(text("SELECT priority FROM v_findings ORDER BY finding_id"))
        assert [row[0] for row in rows] == [8.0, 20.0, None, 40.0]


def test_a_study_without_results_has_none(world: World) -> None:
    world.send_study()
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert (detail.summary.outcome, detail.findings) == (None, ())
    assert world.tracker.study_queries.find_detail("1.2.3.99") is None


def test_studies_are_listed_by_state_outcome_and_exact_patient(world: World) -> None:
    world.send_study()
    world.read_study()
    world.later(1)
    world.arrive(mammogram("RCC", "1.2.3.4", patient="P2"))
    listed = world.tracker.study_queries.list_studies

    def uids(only: StudyFilter) -> list[str]:
        listed_uids = [row.study_uid for row in listed(matching=only)]
        assert world.tracker.study_queries.count_studies(only) == len(listed_uids)
        return listed_uids

    assert uids(StudyFilter()) == ["1.2.3.4", STUDY]
    assert uids(StudyFilter(state=StudyState.REPORTED)) == [STUDY]
    assert uids(StudyFilter(outcome=Outcome.NO_FINDINGS)) == [STUDY]
    assert uids(StudyFilter(outcome=Outcome.FAILED)) == []
    assert uids(StudyFilter(patient=PatientKey("P2", ""))) == ["1.2.3.4"]
    assert uids(StudyFilter(patient=PatientKey("P2", "ELSEWHERE"))) == []
    assert uids(StudyFilter(patient=PatientKey("P", ""))) == []


def test_the_list_goes_on_where_it_was_left_off_though_studies_came_at_one_instant(
    world: World,
) -> None:
    uids = [f"1.2.3.{number}" for number in range(5)]
    for uid in uids:
        world.arrive(mammogram("RCC", uid, patient=uid))
    listed = world.tracker.study_queries.list_studies

    def go_on(start: StudyPlace | None) -> Iterator[str]:
        while page := listed(2, below=start):
            yield from (row.study_uid for row in page)
            start = StudyPlace(page[-1].last_arrived_at, page[-1].study_uid)

    downward = list(go_on(None))
    assert sorted(downward) == uids
    third = StudyPlace(world.now, downward[2])
    assert [row.study_uid for row in listed(2, above=third)] == downward[:2]
    assert [row.study_uid for row in listed(1, above=third)] == downward[1:2]


def test_the_rule_of_expected_views_can_be_asked_again(world: World) -> None:
    world.send_study(("LCC", "LMLO"), "1.2.3.1", date="20251101")
    world.send_study(("LCC",))
    views = world.tracker.studies.find_views(STUDY)
    assert views.present == [("L", "CC")]
    assert views.priors == [frozenset({("L", "CC"), ("L", "MLO")})]
    assert views.mastectomy_sides == frozenset()


def test_the_view_of_studies_shows_the_latest_finished_revision(world: World) -> None:
    world.send_study()
    world.read_study()
    world.tracker.studies.request_reading(STUDY, "someone", world.now)
    world.claimed()
    with world.tracker.database.begin_read() as session:
        row = session.execute(text("SELECT * FROM v_studies")).mappings().one()
    assert (row["state"], row["revision"], row["outcome"]) == ("reading", 1, "no-findings")
    assert row["instances"] == 4


def test_an_instant_without_a_zone_never_reaches_the_database(world: World) -> None:
    world.send_study()
    naive = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(Exception, match="without a time zone"):
        world.tracker.studies.list_due(naive, 10)
