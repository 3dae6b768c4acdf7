"""The operations pages, asked as a browser asks."""

import io
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import RefusalKind
from secondread.followup.timeline import build_histories
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.send.fetch_queue import FetchKind
from secondread.settings import DatabaseSettings, DestinationMode, DetectSettings, Proof
from secondread.track.states import Cause, DeliveryState, FetchState, StudyState
from secondread.track.study_log import LogEntry
from secondread.track.summaries import (
    ArrivalCheckSummary,
    DeliverySummary,
    FetchRequestSummary,
    MissingStudySummary,
    OtherObjectSummary,
    RefusedChange,
)
from secondread.track.values import Severity, StudyChange
from secondread.watch.application import make_app
from tests.unit.followup.test_timeline import FIRST, SECOND
from tests.worlds.watch_world import (
    CAPTURE,
    NOW,
    STUDY,
    Browser,
    FakeArchive,
    FakeTracker,
    ago,
    alarm,
    delivery,
    destination,
    image,
    process,
    read_study,
    refusal,
    running,
    settings,
    several,
    study,
)


class Text(HTMLParser):
    """The visible text of a page, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.forms: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.forms += [value or "" for name, value in attrs if name == "action"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def fake(tmp_path: Path) -> FakeTracker:
    detail = read_study(tmp_path)
    return FakeTracker(studies=[detail.summary], details={STUDY: detail})


@pytest.fixture
def client(fake: FakeTracker, tmp_path: Path) -> Browser:
    return Browser(make_app(fake.as_tracker(), FakeArchive(tmp_path), settings(), lambda: NOW))


def read(client: Browser, path: str, status: int = 200) -> Text:
    answer = client.get(path)
    assert answer.status_code == status
    return Text(answer.text)


PAGES = (
    "/",
    f"/studies/{STUDY}",
    f"/studies/{STUDY}/objects/1",
    "/refusals",
    "/missing",
    "/destinations",
    "/node",
    "/settings",
    "/search",
    "/agreement",
)


@pytest.mark.parametrize(
    "path", [*PAGES, "/nowhere", "/studies/9.9", "/healthz", "/static/watch.css"]
)
def test_every_answer_is_kept_to_itself(client: Browser, path: str) -> None:
    headers = client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_nothing_from_elsewhere_and_no_script(client: Browser, path: str) -> None:
    page = read(client, path)
    assert page.links
    addresses = page.links + page.forms
    assert all(address.startswith(("/", "#", "?")) for address in addresses)
    assert not any(address.startswith("//") for address in addresses)
    assert "script" not in page.tags


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(client: Browser, path: str) -> None:
    for link in set(read(client, path).links):
        if not link.startswith("#"):
            assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_main_heading_a_language_and_labelled_inputs(
    client: Browser, path: str
) -> None:
    answer = client.get(path).text
    assert answer.count("<h1") == 1
    assert '<html lang="en">' in answer
    assert set(re.findall(r'<(?:input|select) id="(\w+)"', answer)) == set(
        re.findall(r'<label for="(\w+)"', answer)
    )


def test_other_host_names_are_not_answered_on_loopback(client: Browser) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"host": "localhost:8042"}).status_code == 200


def test_the_pages_are_dark_until_a_browser_asks_for_light(client: Browser) -> None:
    assert "data-look" not in client.get("/").text
    answer = client.post("/look", {"look": "light", "to": "/node"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/node")
    cookie = answer.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert '<html lang="en" data-look="light">' in client.get("/", {"cookie": cookie}).text
    away = client.post("/look", {"look": "light", "to": "//evil.example/"})
    assert away.headers["location"] == "/"


# The day, the node, and the log of a study.


def test_the_front_page_has_the_day_and_the_node_at_a_glance(
    client: Browser, fake: FakeTracker
) -> None:
    fake.where = [destination(), destination("viewer", DestinationMode.PAUSED)]
    text = read(client, "/").text
    assert "Received 7 Read 6 With findings 2 Failed 1 Waiting 0 oldest due for 1 min 15 s" in text
    assert "Last image to report 1 min 35 s median; worst 6 min 50 s" in text
    assert "Destinations pacs live viewer paused" in text
    assert "Queue 0 due Disk 50.0 GB free Processes 3 alive Alarms none" in text
    assert re.search(r"Model secondread-calcification \S+ operating point 1 standard", text)
    assert "calibration: the model's own" in text


def test_a_model_that_cannot_be_used_is_said_and_the_page_is_there(
    fake: FakeTracker, tmp_path: Path
) -> None:
    detect = DetectSettings(manifest=tmp_path / "none.toml")
    own = settings().model_copy(update={"detect": detect})
    app = make_app(fake.as_tracker(), FakeArchive(tmp_path, free=10**9), own, lambda: NOW)
    text = read(Browser(app), "/").text
    assert "cannot be used" in text
    assert "1.0 GB free 2.1 GB is the minimum" in text


def test_the_settings_in_force_are_shown_and_no_password(fake: FakeTracker, tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:hidden-secret@host/name?sslpassword=hidden-secret"
    own = settings().model_copy(update={"database": DatabaseSettings(url=url)})
    app = make_app(fake.as_tracker(), FakeArchive(tmp_path), own, lambda: NOW)
    page = read(Browser(app), "/settings").text
    assert "hidden-secret" not in page
    assert '"postgresql+psycopg://me:***@host/name"' in page
    assert 'peers[MAMMO_1].ae_title "MAMMO_1" –' in page


def test_a_study_shows_its_way_and_its_log(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    fake.happened = [LogEntry(ago(60), "claimed as <i>revision</i> 1", "worker-0", "reading")]
    detail = read_study(tmp_path)
    (done,) = detail.revisions
    due = replace(done, due_at=ago(310))
    fake.details[STUDY] = replace(detail, revisions=(due,))
    text = read(client, f"/studies/{STUDY}").text
    way = "settled 2026-03-02 10:24:50 + 10 s claimed 2026-03-02 10:25:00 + 10 s"
    assert f"arrived 2026-03-02 10:24:40 {way}" in text
    assert "read 2026-03-02 10:25:42 + 42 s sent 2026-03-02 10:25:44 + 2 s proven" in text
    assert "claimed as <i>revision</i> 1 worker-0 reading" in text

    shadow = delivery(state=DeliveryState.SHADOW, delivered_at=None, proof=None)
    fake.details[STUDY] = read_study(tmp_path, None, shadow)
    assert "sent – kept in shadow proven –" in read(client, f"/studies/{STUDY}").text


# The list.


def test_the_list_says_state_outcome_findings_and_time_to_result(client: Browser) -> None:
    text = read(client, "/").text
    assert "reported findings 1 4 MAMMO_1 5 min ago 42 s none waiting" in text


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NOT_ELIGIBLE])
def test_a_study_that_was_not_read_never_looks_like_one_without_findings(
    client: Browser, fake: FakeTracker, outcome: Outcome, tmp_path: Path
) -> None:
    unread = study(outcome=outcome, shown_findings=0)
    fake.studies = [unread]
    fake.details[STUDY] = replace(read_study(tmp_path), summary=unread, findings=())
    assert re.search(r"reported (failed|not eligible) – 4 MAMMO_1", read(client, "/").text)
    page = read(client, f"/studies/{STUDY}").text
    assert "whether there is anything to find is not known" in page
    assert "No finding is shown" not in page


def test_a_partial_study_says_that_more_may_be_there(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    fake.details[STUDY] = read_study(tmp_path, study(outcome=Outcome.PARTIAL))
    assert "Not everything was read" in read(client, f"/studies/{STUDY}").text


def test_a_study_read_with_doubts_never_looks_like_a_plain_one_without_findings(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    plain = study(outcome=Outcome.NO_FINDINGS, shown_findings=0)
    for summary in (plain, replace(plain, doubtful_images=1)):
        doubtful = summary.doubtful_images > 0
        fake.studies = [summary]
        fake.details[STUDY] = replace(read_study(tmp_path), summary=summary, findings=())
        for path in ("/", f"/studies/{STUDY}"):
            assert ("no findings, with doubts" in read(client, path).text) is doubtful
        page = read(client, f"/studies/{STUDY}").text
        assert ("Some images were read with doubts" in page) is doubtful


def test_the_list_is_filtered_by_state_and_outcome(client: Browser, fake: FakeTracker) -> None:
    held = study(1, state=StudyState.HELD, outcome=None, hold_reason=Reason.PRIOR_ONLY_BY_AGE)
    fake.studies.append(held)
    assert len(_listed(read(client, "/"))) == 2
    assert _listed(read(client, "/?state=held")) == {f"/studies/{held.study_uid}"}
    assert _listed(read(client, "/?outcome=findings")) == {f"/studies/{STUDY}"}
    assert "older than the intake rule's limit" in read(client, "/?state=held").text


def _listed(page: Text) -> set[str]:
    return {link for link in page.links if link.startswith("/studies/")}


@pytest.mark.parametrize(
    "query",
    [
        "state=x",
        "outcome=<b>",
        "below=0",
        "below=-1_1.2",
        "above=1e9_1.2",
        "below=²_1.2",
        f"above={'9' * 30}_1.2",
        "below=1_../x",
        "above=1_1.2%00",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: Browser, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 400


def test_long_lists_are_paged(client: Browser, fake: FakeTracker) -> None:
    fake.studies = list(several(120))
    first = read(client, "/?state=reported")
    assert len(_listed(first)) == 50
    assert "50 of 120" in first.text
    assert "newer" not in first.text
    second = read(client, _follow(first, "below"))
    third = read(client, _follow(second, "below"))
    assert len(_listed(third)) == 20
    assert len(_listed(first) | _listed(second) | _listed(third)) == 120
    assert "older" not in third.text
    assert _listed(read(client, _follow(third, "above"))) == _listed(second)
    assert _listed(read(client, _follow(second, "above"))) == _listed(first)
    assert "/?state=reported" in third.links


def _follow(page: Text, name: str) -> str:
    """The link to the next page in a direction."""
    (link,) = (link for link in page.links if f"{name}=" in link)
    return link


def test_an_empty_node_says_what_to_expect(client: Browser, fake: FakeTracker) -> None:
    fake.studies = []
    assert "a caller that was turned away is under Refusals" in read(client, "/").text


def test_a_patient_is_searched_by_post_and_named_nowhere(
    client: Browser, fake: FakeTracker
) -> None:
    fake.studies += several(3)
    fake.patients = {"P-77": [STUDY]}
    answer = client.post("/search", data={"text": " P-77 "})
    assert answer.status_code == 200
    assert _listed(Text(answer.text)) == {f"/studies/{STUDY}"}
    assert "P-77" not in answer.text
    assert "http-equiv" not in answer.text
    assert "P-77" not in client.get("/search?text=P-77").text


def test_a_search_repeats_what_was_chosen_and_says_what_makes_no_sense(client: Browser) -> None:
    answer = client.post("/search", data={"device": "lorad", "outcome": "findings"})
    assert 'value="lorad"' in answer.text
    assert '<option value="findings" selected>' in answer.text
    for field, value in (("outcome", "x"), ("change", "x"), ("morphology", "x"), ("last_day", "x")):
        answer = client.post("/search", data={"text": "1", field: value})
        assert answer.status_code == 400
        assert f"{field}" in answer.text


def test_searching_a_study_uid_opens_the_study(client: Browser) -> None:
    answer = client.post("/search", data={"text": STUDY})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/studies/{STUDY}")


@pytest.mark.parametrize("text", ["", "x" * 5000])
def test_a_senseless_search_is_refused(client: Browser, text: str) -> None:
    assert client.post("/search", data={"text": text}).status_code == 400


def test_pages_load_themselves_again_unless_asked_not_to(client: Browser) -> None:
    assert '<meta http-equiv="refresh" content="15">' in client.get("/").text
    assert "http-equiv" not in client.get("/?refresh=off").text
    # A study at rest has no reason to.
    assert "http-equiv" not in client.get(f"/studies/{STUDY}").text


# One study.


def test_a_study_shows_findings_images_reasons_and_revisions(
    client: Browser, fake: FakeTracker
) -> None:
    flagged = image("LMLO", 4, status=ImageStatus.FLAGGED, reasons=(Reason.EIGHT_BITS,))
    detail = fake.details[STUDY]
    fake.details[STUDY] = replace(detail, images=(*detail.images[:3], flagged))
    text = read(client, f"/studies/{STUDY}").text
    assert "LCC-1 cluster 91 34 31 9 11.4 mm fine pleomorphic 71 %, amorphous 20 %" in text
    assert "grouped 83 % new near" in text
    assert "Findings 1 shown, 2 marks" in text
    assert "1 candidate below the operating point" in text
    assert "LMLO read with doubt only 8 bits are stored eight-bits" in text
    assert "tissue fraction 0.4213" in text
    assert "Revision 1 cause: first; current findings" in text


def test_a_study_shows_each_delivery_with_its_last_error(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    down = delivery(
        state=DeliveryState.PENDING,
        attempts=7,
        last_error="unreachable: nothing listens there",
        delivered_at=None,
        proof=None,
        due_at=NOW + timedelta(seconds=70),
    )
    shadow = delivery("viewer", state=DeliveryState.SHADOW, attempts=0, delivered_at=None)
    fake.details[STUDY] = read_study(tmp_path, None, down, shadow)
    text = read(client, f"/studies/{STUDY}").text
    assert "waits 7 – unreachable: nothing listens there next try 2026-03-02 10:31:10" in text
    assert "shadow: kept, would be sent" in text


def test_a_study_shows_what_proved_a_delivery_and_what_still_owes_its_proof(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    owing = delivery(
        state=DeliveryState.STORED,
        delivered_at=None,
        proof=None,
        stored_at=NOW - timedelta(seconds=80),
        proof_asked=2,
        proof_refused=1,
        due_at=NOW + timedelta(seconds=70),
    )
    proven = delivery("viewer", proof=Proof.COMMITMENT)
    weak = delivery("weak", proof=Proof.STORE_STATUS)
    fake.details[STUDY] = read_study(tmp_path, None, owing, proven, weak)
    text = read(client, f"/studies/{STUDY}").text
    assert "stored, proof outstanding 1 – stored 2026-03-02 10:28:40" in text
    assert "asked 2 times, next at 2026-03-02 10:31:10 refused 1 time" in text
    assert "storage commitment" in text
    assert "C-STORE status only" in text


def test_a_destination_shows_since_when_a_proof_is_awaited(
    client: Browser, fake: FakeTracker
) -> None:
    fake.where = [destination(oldest_unproven_at=NOW - timedelta(seconds=3600))]
    text = read(client, "/destinations").text
    assert "Oldest without proof 1 h ago" in text


def test_a_stuck_study_tells_how_to_have_it_read(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    fake.details[STUDY] = read_study(tmp_path, study(state=StudyState.STUCK))
    assert f"secondread studies read {STUDY}" in read(client, f"/studies/{STUDY}").text


def test_no_page_names_the_patient(client: Browser) -> None:
    for path in PAGES:
        assert not re.search("secret", client.get(path).text, re.IGNORECASE)


def test_a_capture_is_a_png(client: Browser) -> None:
    answer = client.get(f"/studies/{STUDY}/objects/2.png")
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (30, 20)
    assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_a_study_shows_the_history_of_its_lesions(client: Browser, fake: FakeTracker) -> None:
    assert "Lesions over the years" not in client.get(f"/studies/{STUDY}").text
    hidden = replace(FIRST, lesion="2.25.3", shown=False, sop_instance_uid="1.1.3")
    fake.histories[STUDY] = list(build_histories([FIRST, SECOND, hidden], [], {}))

    page = Text(client.get(f"/studies/{STUDY}").text)
    assert "Lesions over the years 1" in page.text
    (link,) = {link for link in page.links if link.endswith("timeline.png")}
    reply = client.get(link)
    assert reply.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(reply.content)).size[1] < 700


def test_captures_of_several_profiles_are_told_apart(
    client: Browser, fake: FakeTracker, tmp_path: Path
) -> None:
    detail = read_study(tmp_path)
    report, capture = detail.outbox_objects
    other = replace(capture, id=7, profile="ab", deliveries=(delivery("viewer"),))
    fake.details[STUDY] = replace(detail, outbox_objects=(report, capture, other))
    text = read(client, f"/studies/{STUDY}").text
    assert "Captures capture 1 for pacs The same exam as viewer gets it: 1 capture" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"revision": 0, "due_at": NOW + timedelta(seconds=9)}, "waits for images"),
        ({"revision": 0, "due_at": NOW}, "waits for a worker"),
        ({"next_cause": Cause.TREATMENT_CHANGED}, "to be read again: a treatment was changed"),
        ({"next_cause": Cause.REQUESTED}, "to be read again: a person asked"),
        ({"revision": 0, "next_cause": Cause.REQUESTED}, "to be read: a person asked"),
    ],
)
def test_a_study_says_what_it_waits_for(
    client: Browser, fake: FakeTracker, values: dict[str, object], words: str
) -> None:
    fake.studies = [replace(study(state=StudyState.ASSEMBLING), **values)]  # type: ignore[arg-type]
    text = read(client, "/").text
    assert words in text
    assert ("waits for images" in text) is (words == "waits for images")


def test_the_report_is_a_tree_of_escaped_words(client: Browser) -> None:
    page = read(client, f"/studies/{STUDY}/objects/1")
    assert "Rendering Intent Presentation Required (111150, DCM)" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "script" not in page.tags


def test_an_object_is_downloaded_as_it_is_sent(client: Browser, tmp_path: Path) -> None:
    answer = client.get(f"/studies/{STUDY}/objects/1.dcm")
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.headers["content-disposition"] == f'attachment; filename="{STUDY}.9.1.dcm"'
    assert answer.content == (tmp_path / "report.dcm").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/studies/9.9.9",
        "/studies/..%2f..%2fetc",
        f"/studies/{STUDY}x",
        "/studies/" + "1." * 32 + "1",
        f"/studies/{STUDY}/objects/99",
        f"/studies/{STUDY}/objects/99.dcm",
        f"/studies/{STUDY}/objects/1.png",
        f"/studies/{STUDY}/objects/2",
        "/studies/9.9.9/objects/1",
    ],
)
def test_what_is_not_there_is_not_found(client: Browser, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["abc", "1..2", "1." * 32 + "1"])
def test_what_is_no_uid_is_never_looked_up(client: Browser, fake: FakeTracker, name: str) -> None:
    fake.details[name] = fake.details[STUDY]
    assert client.get(f"/studies/{name}").status_code == 404


@pytest.mark.parametrize("name", ["1", "2.png", "1.dcm"])
def test_a_file_that_is_gone_is_not_found_rather_than_an_error(
    client: Browser, tmp_path: Path, name: str
) -> None:
    (tmp_path / "report.dcm").unlink()
    (tmp_path / "capture.dcm").unlink()
    assert client.get(f"/studies/{STUDY}/objects/{name}").status_code == 404


# The other pages.


def test_hostile_texts_of_a_peer_are_shown_and_do_nothing(
    client: Browser, fake: FakeTracker
) -> None:
    hostile = '"><script>alert(1)</script>'
    fake.refused = [refusal(calling_ae_title=hostile, called_ae_title=hostile, address=hostile)]
    fake.raised = [alarm(subject=hostile, detail=hostile)]
    fake.studies = [study(peer=hostile)]
    for path in ("/refusals", "/", "/node"):
        page = read(client, path)
        assert hostile in page.text
        assert "script" not in page.tags


def test_an_unknown_caller_comes_with_the_lines_that_let_it_in(
    client: Browser, fake: FakeTracker
) -> None:
    fake.refused = [refusal()]
    text = read(client, "/refusals").text
    assert '[[peers]] ae_title = "MAMMO_3" addresses = ["10.20.4.33"]' in text
    assert "12 2 min 10 s ago" in text


def test_a_refused_context_names_class_and_transfer_syntax(
    client: Browser, fake: FakeTracker
) -> None:
    fake.refused = [
        refusal(
            kind=RefusalKind.CONTEXT,
            reason=Reason.TRANSFER_SYNTAX_REFUSED,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
            transfer_syntax="1.2.840.10008.1.2.2",
        )
    ]
    text = read(client, "/refusals").text
    assert (
        "Digital Mammography X-Ray Image Storage - For Presentation, Explicit VR Big Endian" in text
    )


def test_a_destination_shows_its_mode_what_waits_and_why(
    client: Browser, fake: FakeTracker
) -> None:
    counts = dict.fromkeys(DeliveryState, 0) | {DeliveryState.PENDING: 3}
    fake.where = [
        destination(counts=counts, reasons=("no-answer: silent",), warned=3),
        destination("old"),
    ]
    text = read(client, "/destinations").text
    assert "pacs live" in text
    assert "waits 3" in text
    assert "Why it waits no-answer: silent" in text
    assert "Stored with a warning 3" in text
    assert "No longer in the settings" in text


def test_missing_studies_are_shown_with_who_lets_one_be_ignored_and_why(
    client: Browser, fake: FakeTracker
) -> None:
    assert "No study is known to be missing" in read(client, "/missing").text
    days = (date(2026, 3, 1), ago(9000), ago(100))
    fake.never_came = [
        MissingStudySummary("1.2.7", "archive", *days, None, None, None),
        MissingStudySummary("1.2.8", "archive", *days, ago(50), "admin", "a phantom"),
    ]
    fake.compared = [ArrivalCheckSummary("archive", ago(-100), ago(100), 42, 1, "no-answer: x")]
    text = read(client, "/missing").text
    assert "1.2.7 2026-03-01 archive" in text
    assert "a phantom" in text
    assert "42 listed, 1 not readable; not since then: no-answer: x" in text
    document = client.get("/missing.json").json()
    assert [study["study_uid"] for study in document["missing"]] == ["1.2.7"]
    assert document["ignored"][0]["ignore_reason"] == "a phantom"
    assert document["checks"][0]["listed"] == 42


def test_every_page_says_when_nothing_leaves(client: Browser, fake: FakeTracker) -> None:
    words = "No destination is live"
    assert words not in read(client, "/node").text
    fake.where = [destination(mode=DestinationMode.SHADOW)]
    assert words in read(client, "/node").text


def test_alarms_and_silent_processes_stand_on_every_page(
    client: Browser, fake: FakeTracker
) -> None:
    assert "Needs attention" not in read(client, "/").text
    fake.raised = [alarm(severity=Severity.CRITICAL)]
    fake.who = [*running(), process("worker-1", "work", 300)]
    for path in PAGES:
        text = read(client, path).text
        assert "critical delivery overdue , pacs: results for pacs wait" in text
        assert "worker-1 on node-a has given no sign of life since 5 min ago" in text


def test_without_the_database_the_pages_say_so(client: Browser, fake: FakeTracker) -> None:
    fake.away = True
    for path in PAGES:
        assert "database does not answer" in read(client, path, 503).text


def test_a_study_shows_what_archives_were_asked_for_and_what_came_of_it(
    client: Browser, fake: FakeTracker
) -> None:
    query = FetchRequestSummary(
        *("archive", FetchKind.QUERY, "", None, FetchState.DONE, None, None, 1, NOW), images=0
    )
    words = "the archive answered 0xA801: it does not know this node"
    refused = replace(
        query,
        kind=FetchKind.RETRIEVE,
        prior_study_uid="1.2.9",
        prior_study_date=date(2025, 1, 5),
        state=FetchState.REFUSED,
        reason=Reason.PRIOR_MOVE_REFUSED,
        detail=words,
    )
    fake.details[STUDY] = replace(fake.details[STUDY], fetch_requests=(query, refused))

    page = read(client, f"/studies/{STUDY}")

    assert "Priors asked for" in page.text
    assert "study of 2025-01-05" in page.text
    assert "refused, asked again later" in page.text
    assert "prior-move-refused" in page.text
    assert words in page.text
    assert "/studies/1.2.9" not in page.links  # nothing of it is here


def test_a_study_shows_changes_that_peers_tried_without_the_right_to(
    client: Browser, fake: FakeTracker
) -> None:
    peer = '<b>VIEWER</b>"'
    tried = RefusedChange(StudyChange.REJECT, peer, "10.0.0.9", f"{STUDY}.1.4", NOW)
    withheld = image(
        "LMLO", 4, current=False, status=None, withheld=Reason.CHANGE_NOT_PERMITTED, gates={}
    )
    detail = fake.details[STUDY]
    fake.details[STUDY] = replace(
        detail, refused_changes=(tried,), images=(*detail.images, withheld)
    )

    page = read(client, f"/studies/{STUDY}")

    assert "Changes that were not made 1" in page.text
    assert f"reject {peer} 10.0.0.9 2026-03-02 10:30:00" in page.text
    assert "b" not in page.tags
    assert "LMLO not used its sender may not replace the image that was there" in page.text


def test_a_study_shows_what_came_beside_its_images_and_is_not_analysed(
    client: Browser, fake: FakeTracker
) -> None:
    capture = OtherObjectSummary(
        f"{STUDY}.5.1", CAPTURE, Disposition.NOT_ANALYSED, "<i>MG1</i>", NOW, 8192
    )
    altered = replace(capture, sop_instance_uid=f"{STUDY}.5.2", is_altered=True)
    fake.details[STUDY] = replace(fake.details[STUDY], other_objects=(capture, altered))

    page = read(client, f"/studies/{STUDY}")

    assert "Other objects 2" in page.text
    line = "Secondary Capture Image Storage not analysed, removed in time"
    assert f"{line} <i>MG1</i> 8.2 kB 2026-03-02 10:30:00" in page.text
    assert f"{line} this node's, altered" in page.text
    assert "i" not in page.tags


def test_a_duplicate_is_shown_as_unproven_and_never_as_delivered(
    client: Browser, fake: FakeTracker
) -> None:
    detail = fake.details[STUDY]
    duplicate = DeliverySummary(
        "pacs", DeliveryState.DUPLICATE, 1, NOW, 0x0111, None, None, None, stored_at=NOW
    )
    item = replace(detail.outbox_objects[0], deliveries=(duplicate,))
    fake.details[STUDY] = replace(detail, outbox_objects=(item,))

    page = read(client, f"/studies/{STUDY}")

    assert "duplicate, unproven" in page.text
    assert "status 0x0111" in page.text
    assert " delivered" not in page.text


def test_a_study_shows_which_images_are_of_another_patient(
    client: Browser, fake: FakeTracker
) -> None:
    other = image("LMLO", 4, status=None, set_aside=True, gates={}, seconds=None)
    detail = fake.details[STUDY]
    fake.details[STUDY] = replace(detail, images=(*detail.images[:3], other))
    text = read(client, f"/studies/{STUDY}").text
    assert "LMLO of another patient, set aside" in text
    assert "not read yet" not in text
