"""What a person may have the node do, from its pages and by commands: done, recorded, permitted."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from starlette.applications import Starlette

from secondread.app.node import make_journal
from secondread.assemble.patient_key import PatientKey
from secondread.cli import main
from secondread.reasons import Outcome
from secondread.send.outbox import AnswerKind, StoreAnswer
from secondread.settings import (
    DatabaseSettings,
    DestinationMode,
    DestinationSettings,
    NodeSettings,
    Role,
    Settings,
)
from secondread.track.operations import LATE_INSTANCE, STUDY_STUCK
from secondread.track.states import DeliveryState
from secondread.track.summaries import DeliverySummary
from secondread.track.values import Severity
from secondread.watch.application import make_app
from tests.worlds.track_world import STUDY, World, finding, mammogram, outbox_entry, reading
from tests.worlds.watch_world import Browser, FakeArchive, let_in, refusal

DESTINATION = DestinationSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
PROFILE = DESTINATION.profile.key


@pytest.fixture
def backend() -> str:
    """One database will do: what is asked of SQL is tested with both."""
    return "sqlite"


@pytest.fixture
def settings(tracker_url: str, tmp_path: Path) -> Settings:
    return Settings(
        node=NodeSettings(data_dir=tmp_path),
        database=DatabaseSettings(url=tracker_url),
        destinations=(DESTINATION,),
    )


@pytest.fixture
def world(world: World, settings: Settings) -> Iterator[World]:
    """A study that was read while its destination was in shadow; all is recorded."""
    database = world.tracker.database
    database.journal = make_journal(settings, "web")
    world.destination("pacs", DestinationMode.SHADOW, PROFILE)
    world.send_study()
    world.later(150)
    claimed = world.claimed()
    world.record(reading(claimed, entries=[outbox_entry(STUDY, claimed.number, PROFILE)]))
    yield world
    database.journal = None


@pytest.fixture
def app(world: World, settings: Settings, tmp_path: Path) -> Starlette:
    archive = FakeArchive(tmp_path)

    def record(event: object) -> None:
        world.tracker.audit_messages.add([event])  # type: ignore[list-item]

    return make_app(world.tracker, archive, settings, lambda: world.now, record)


@pytest.fixture
def browser(app: Starlette, world: World) -> Browser:
    return Browser(app, let_in(world.tracker, "ada", Role.ACT))


def post(browser: Browser, path: str, status: int = 303, /, **data: str) -> str:
    answer = browser.post(path, data)
    assert answer.status_code == status, answer.text
    return answer.headers.get("location", "") or answer.text


def delivery(world: World) -> DeliverySummary:
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    (way,) = detail.outbox_objects[0].deliveries
    return way


def audited(world: World) -> list[tuple[str, str]]:
    return [(row.kind, row.user) for row in world.tracker.audit_messages.list_newest(50)]


def deliver(world: World, status: int = 0) -> None:
    batch = world.tracker.deliveries.claim_batch("pacs", "worker-0", world.now, 60)
    assert batch is not None
    answers = [
        StoreAnswer(item.sop_instance_uid, AnswerKind.STORED, status, "") for item in batch.objects
    ]
    world.tracker.deliveries.record_delivered(batch, answers, world.now)


def test_what_was_kept_in_shadow_is_sent_when_a_person_asks_and_again_once_it_is_there(
    world: World, browser: Browser
) -> None:
    path = f"/studies/{STUDY}/resend"
    refused = browser.post(path, {"destination": "pacs"})
    assert refused.status_code == 400
    assert "pacs is in shadow" in refused.text
    world.tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "ada", world.later(60))

    assert post(browser, path, destination="pacs") == f"/studies/{STUDY}?done=resent"
    assert (delivery(world).state, delivery(world).attempts) == (DeliveryState.PENDING, 0)
    deliver(world)
    assert delivery(world).state is DeliveryState.DELIVERED
    world.later(600)
    post(browser, path, destination="pacs")
    backlog = world.tracker.deliveries.find_backlog("pacs")
    assert backlog is not None
    assert backlog.since == world.now
    deliver(world)

    assert audited(world).count(("sending-asked", "ada")) == 2
    assert audited(world).count(("sent", "pacs")) == 2
    assert post(browser, path, 400, destination="elsewhere")
    assert post(browser, "/studies/1.2.3/resend", 400, destination="pacs")


def test_a_study_is_read_again(world: World, browser: Browser) -> None:
    assert post(browser, f"/studies/{STUDY}/read") == f"/studies/{STUDY}?done=read-again"
    assert "due for a new reading" in browser.get(f"/studies/{STUDY}?done=read-again").text
    claimed = world.claimed()
    assert (claimed.number, claimed.cause.value) == (2, "requested")
    assert ("reading-asked", "ada") in audited(world)


def test_whoever_may_act_pauses_a_destination_and_an_administrator_has_it_live(
    world: World, browser: Browser, app: Starlette
) -> None:
    admin = Browser(app, let_in(world.tracker, "eve", Role.ADMIN))
    assert browser.post("/destinations/pacs/live", {}).status_code == 403
    post(admin, "/destinations/pacs/live")
    assert "Pause pacs" in browser.get("/destinations").text
    post(browser, "/destinations/pacs/pause")
    (row,) = world.tracker.node_queries.list_destinations()
    assert (row.mode, row.changed_by) == (DestinationMode.PAUSED, "ada")
    assert post(admin, "/destinations/nowhere/live", 400)
    changes = [entry for entry in audited(world) if entry[0] == "destination-changed"]
    assert changes == [("destination-changed", "ada"), ("destination-changed", "eve")]


def raise_alarm(world: World, kind: str, severity: Severity = Severity.WARNING) -> int:
    alarms = world.tracker.alarms
    alarms.raise_alarm(kind, STUDY, f"{kind}!", world.now, severity, restates=True)
    return next(a.id for a in world.tracker.node_queries.list_alarms() if a.kind == kind)


def test_an_alarm_is_dismissed_with_a_reason_until_it_comes_anew_or_is_worse(
    world: World, browser: Browser
) -> None:
    number = raise_alarm(world, "disk-slow")
    form = f"/alarms/{number}/dismiss"
    assert "disk-slow!" in browser.get(form).text
    assert post(browser, form, 400, reason="  ")
    post(browser, form, reason="<b>known</b>, a new disk is on its way")
    page = browser.get("/node").text
    assert "dismissed by ada" in page
    assert "&lt;b&gt;known&lt;/b&gt;" in page
    assert (
        "Needs attention" not in re.sub(r"No process.*", "", page)
        or "disk-slow!" not in (page.split("<main")[0])
    )
    raise_alarm(world, "disk-slow")  # as the watch does again and again
    assert "disk-slow!" not in browser.get("/").text
    raise_alarm(world, "disk-slow", Severity.CRITICAL)
    assert "disk-slow!" in browser.get("/").text
    post(browser, form, reason="still on its way")
    world.tracker.alarms.clear_alarm("disk-slow", STUDY, world.now)
    assert browser.get(form).status_code == 404
    raise_alarm(world, "disk-slow")
    assert "disk-slow!" in browser.get("/").text
    assert ("alarm-acknowledged", "ada") in audited(world)

    once = raise_alarm(world, LATE_INSTANCE)
    post(browser, f"/alarms/{once}/dismiss", reason="seen")
    kinds = {alarm.kind for alarm in world.tracker.node_queries.list_alarms()}
    assert LATE_INSTANCE not in kinds


def test_a_study_that_was_not_read_is_dismissed_until_its_next_result(
    world: World, browser: Browser
) -> None:
    failed = f"/studies/{STUDY}/dismiss"
    assert post(browser, failed, 400, reason="why")
    for _ in range(2):
        post(browser, f"/studies/{STUDY}/read")
        claimed = world.claimed()
        world.record(reading(claimed, entries=[], outcome=Outcome.FAILED))
        raise_alarm(world, STUDY_STUCK)
        assert world.tracker.dismissals.count_failed() == 1
        post(browser, failed, reason="a phantom")
        assert world.tracker.dismissals.count_failed() == 0
        assert "Dismissed by ada" in browser.get(f"/studies/{STUDY}").text
        assert f"{STUDY_STUCK}!" not in browser.get("/").text


def test_a_refused_caller_is_dismissed(world: World, browser: Browser) -> None:
    world.ledger.record_refusals([refusal()])
    (line,) = world.tracker.dismissals.list_refusals()
    assert "MAMMO_3" in browser.get(f"/refusals/{line.number}/dismiss").text
    post(browser, f"/refusals/{line.number}/dismiss", reason="the scanner of the network people")
    page = browser.get("/refusals").text
    assert "1 dismissed" in page
    assert "the scanner of the network people" in page
    assert browser.get("/refusals/999/dismiss").status_code == 400


# What radiologists make of it.


def test_findings_are_judged_and_breasts_assessed_from_the_page_of_their_study(
    world: World, browser: Browser
) -> None:
    post(browser, f"/studies/{STUDY}/read")
    hidden = finding(2, shown=False)
    world.record(reading(world.claimed(), findings=[finding(1), hidden], entries=[]))
    path, judged = f"/studies/{STUDY}/judge", f"/studies/{STUDY}?done=judged"
    own = {"finding": "LCC-1", "revision": "2"}
    assert post(browser, path, 303, **own, verdict="confirmed") == judged
    post(browser, path, 303, **own, verdict="known-benign")
    page = browser.get(f"/studies/{STUDY}").text
    assert "known benign</span>" in page
    assert "by ada" in page
    assert post(browser, path, 400, **own, verdict="great")
    assert post(browser, path, 400, finding="LCC-2", revision="2", verdict="rejected")
    assert post(browser, path, 400, finding="LCC-1", revision="1", verdict="rejected")
    assert post(browser, path, 400, finding="LCC-1", revision="x", verdict="rejected")

    post(browser, f"/studies/{STUDY}/assess", 303, side="L", category="4A")
    assert "left breast: BI-RADS 4A" in browser.get(f"/studies/{STUDY}").text
    assert post(browser, f"/studies/{STUDY}/assess", 400, side="L", category="9")
    assert audited(world).count(("assessed", "ada")) == 3

    text = browser.get("/agreement.csv").text.splitlines()
    assert text[0] == "study_uid,revision,finding_id,verdict,recorded_at,recorded_by"
    assert text[1].startswith(f"{STUDY},2,LCC-1,known-benign,")
    assert len(text) == 2
    post(browser, path, 303, **own, verdict="withdrawn")
    assert "No verdict was given yet" in browser.get("/agreement").text


# Patients.


@pytest.fixture
def number(world: World) -> int:
    number = world.tracker.patient_queries.find_number(PatientKey("P1", ""))
    assert number is not None
    return number


def test_a_patient_is_named_only_when_somebody_asks_and_that_is_recorded(
    world: World, browser: Browser, number: int
) -> None:
    named = mammogram("RCC", f"{STUDY}.5")
    named.PatientName, named.PatientBirthDate = "Yamada^Hanako", "19600203"
    world.arrive(named)
    assert f"/patients/{number}" in browser.get(f"/studies/{STUDY}").text
    hidden = browser.get(f"/patients/{number}").text
    assert "P1" not in hidden
    assert "Yamada" not in hidden
    assert ("patient-shown", "ada") not in audited(world)
    shown = post(browser, f"/patients/{number}/identity", 200)
    assert "P1" in shown
    assert "Yamada^Hanako" in shown
    assert "born 1960-02-03" in shown
    assert "one woman" not in shown
    kinds = audited(world)
    assert ("patient-shown", "ada") in kinds
    assert ("seen", "ada") in kinds
    assert browser.get("/patients/999").status_code == 404


def test_treatments_are_written_down_ended_and_struck_out(
    world: World, browser: Browser, number: int
) -> None:
    path = f"/patients/{number}/treatments"
    fault = post(browser, path, 400, side="L", procedure="radiotherapy", started_on="2025-13-01")
    assert "started_on is" in fault
    assert 'value="2025-13-01"' in fault
    values = {"side": "L", "procedure": "radiotherapy", "started_on": "2025-02-01"}
    assert post(browser, path, 303, **values).endswith("?done=treatment-added")
    assert post(browser, path, 303, **values).endswith("?done=treatment-known")
    (row,) = world.tracker.treatments.list_treatments(9)
    assert post(browser, f"{path}/{row.number}/end", 400, ended_on="2025-01-01")
    assert post(browser, f"{path}/{row.number}/end", 400, ended_on="")
    post(browser, f"{path}/{row.number}/end", ended_on="2025-03-01")
    (row,) = world.tracker.treatments.list_treatments(9)
    assert str(row.treatment.ended_on) == "2025-03-01"
    assert world.state() == "assembling"
    assert post(browser, f"/patients/{number}/treatments/999/remove", 404)
    post(browser, f"{path}/{row.number}/remove")
    assert world.tracker.treatments.list_treatments(9) == []
    assert audited(world).count(("patient-changed", "ada")) == 4


def test_two_ids_are_merged_when_it_is_confirmed(
    world: World, browser: Browser, number: int
) -> None:
    study = f"{STUDY}.7"
    world.arrive(mammogram("RCC", study, patient="P2"))
    path = f"/patients/{number}/merge"
    assert post(browser, path, 400, other="P1")
    assert post(browser, path, 400, other="nobody")
    question = post(browser, path, 200, other="P2")
    assert "It cannot be undone" in question
    assert world.studies_of(PatientKey("P2", "")) == {study}
    where = post(browser, path, other="P2", confirmed="yes")
    assert world.studies_of(PatientKey("P2", "")) == {study, STUDY}
    assert "2 IDs are this patient" in browser.get(where).text
    assert audited(world).count(("patient-changed", "ada")) == 2


def test_names_that_are_one_woman_s_are_confirmed(
    world: World, browser: Browser, number: int
) -> None:
    for view, name in (("RCC", "Roe^Jane"), ("LCC", "Smith^Jane")):
        named = mammogram(view, f"{STUDY}.6")
        named.PatientName, named.PatientBirthDate = name, "19600203"
        world.arrive(named)
    assert "All of these are one woman" in post(browser, f"/patients/{number}/identity", 200)
    assert post(browser, f"/patients/{number}/confirm").endswith("?done=confirmed")
    assert ("patient-changed", "ada") in audited(world)
    known = world.tracker.patients.load_known_identities(f"{STUDY}.6")
    assert {claim.person.name for claim in known.confirmed} >= {"Roe^Jane", "Smith^Jane"}


# Who may.


def test_who_only_looks_sees_no_button(world: World, app: Starlette, number: int) -> None:
    look = Browser(app, let_in(world.tracker, "meg", Role.LOOK))
    for path in (f"/studies/{STUDY}", "/destinations", "/node", f"/patients/{number}"):
        forms = re.findall(r'action="([^"]+)"', look.get(path).text)
        assert set(forms) <= {f"/patients/{number}/identity", "/look"}


def test_forms_of_other_sites_do_nothing(world: World, app: Starlette) -> None:
    cookie = {"cookie": f"secondread_8042={_sign_in(world)}", "sec-fetch-site": "cross-site"}
    answer = Browser(app, "").post(f"/studies/{STUDY}/read", {}, cookie)
    assert answer.status_code == 403
    assert world.state() == "reported"


def _sign_in(world: World) -> str:
    known = world.tracker.access.find_token(let_in(world.tracker, "kim", Role.ACT))
    assert known is not None
    return world.tracker.access.open_session(known, timedelta(hours=1), world.now)


# The same by command.


def test_the_commands_do_the_same(
    world: World,
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "secondread.toml"
    file.write_text(
        f"""[node]
data_dir = "{tmp_path}"
[database]
url = "{settings.database.url}"
[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104
"""
    )

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["secondread", *words, "--settings", str(file)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), "".join(capsys.readouterr())

    assert run("studies", "resend", STUDY, "pacs")[0] != 0
    world.tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "ada", world.now)
    code, words = run("studies", "resend", STUDY, "pacs")
    assert (code, words.splitlines()[0]) == (0, "1 objects of revision 1 are on their way")
    assert delivery(world).state is DeliveryState.PENDING
    number = raise_alarm(world, "disk-slow")
    assert "disk-slow" in run("alarms", "list")[1]
    assert run("alarms", "dismiss", str(number), "--reason", "known")[0] == 0
    assert "known" in run("alarms", "list")[1]
    assert run("studies", "dismiss", STUDY, "--reason", "x")[0] != 0


def test_a_header_without_patient_leads_to_no_patient(world: World, browser: Browser) -> None:
    header: Dataset = mammogram("RCC", f"{STUDY}.8")
    del header.PatientID
    world.arrive(header)
    assert "/patients/" not in browser.get(f"/studies/{STUDY}.8").text
