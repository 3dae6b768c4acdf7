"""Who is let in to the web server, and to what: tokens, sessions, links, proxies, roles, forms."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from secondread.errors import TransientError
from secondread.settings import ProxySettings, Role, Settings, WebSettings
from secondread.track.access import LINK_LIFETIME
from secondread.watch.application import make_app
from secondread.watch.attempts import FREE_FAILURES
from secondread.watch.callers import Callers
from secondread.watch.guard import MOST_RUNNING, MOST_WAITING, ROUTE_ROLES, Guard
from tests.worlds.track_world import STUDY, World
from tests.worlds.watch_world import Browser, FakeArchive, let_in

OWN = {"sec-fetch-site": "same-origin"}
HTML = {"accept": "text/html,*/*"}
PROXY = ProxySettings(
    addresses=("10.9.0.0/24", "::1"), look=("readers",), act=("doctors",), admin=("it",)
)


@pytest.fixture
def backend() -> str:
    """One database will do: what is asked of SQL is tested with both."""
    return "sqlite"


@pytest.fixture
def world(world: World) -> World:
    world.send_study()
    world.read_study()
    return world


def make(world: World, folder: Path, **web: object) -> Starlette:
    settings = Settings(web=WebSettings.model_validate(web))
    return make_app(world.tracker, FakeArchive(folder), settings, lambda: world.now)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Starlette:
    return make(world, tmp_path)


@pytest.fixture
def stranger(app: Starlette) -> Browser:
    return Browser(app, token="")


def fill(route: Route | Mount) -> str:
    if isinstance(route, Mount):
        return f"{route.path}/watch.css"
    words = {"name": "pacs", "treatment": "1"}
    values = {"study_uid": STUDY, "number": "1", "code": "x", **words}
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: values[found[1]], route.path)


def list_routes(app: Starlette) -> Iterator[Route | Mount]:
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        yield route


def ask(browser: Browser, route: Route | Mount, **headers: str) -> httpx.Response:
    if isinstance(route, Route) and route.methods == {"POST"}:
        return browser.post(fill(route), {}, OWN | headers)
    return browser.get(fill(route), headers)


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    return {"cookie": answer.headers["set-cookie"].split(";")[0]}


# Routes and roles.


def test_the_table_of_roles_names_every_route_and_no_other(app: Starlette) -> None:
    assert sorted(route.name or "" for route in list_routes(app)) == sorted(ROUTE_ROLES)


def test_a_route_that_the_table_does_not_name_cannot_be_served(world: World) -> None:
    guard = Guard(Callers(world.tracker.access, WebSettings(), lambda: world.now), "")

    with pytest.raises(KeyError):
        guard.protect([Route("/new", lambda _: PlainTextResponse(), name="new")])


def test_nobody_unknown_gets_anything_but_the_open_routes(
    app: Starlette, stranger: Browser
) -> None:
    for route in list_routes(app):
        answer = ask(stranger, route)
        if ROUTE_ROLES[route.name or ""] is None:
            assert answer.status_code in {200, 403, 503}, route
            assert STUDY not in answer.text
        else:
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", Role)
def test_each_role_opens_what_the_table_says_and_nothing_else(
    app: Starlette, world: World, role: Role
) -> None:
    browser = Browser(app, let_in(world.tracker, role.value, role))
    for route in list_routes(app):
        needed = ROUTE_ROLES[route.name or ""]
        if needed is not None:
            refused = ask(browser, route).status_code == 403
            assert refused is not role.includes(needed), route


def test_probes_learn_nothing_of_a_patient_or_a_study(stranger: Browser) -> None:
    for path in ("/healthz", "/readyz"):
        answer = stranger.get(path)
        assert answer.status_code in {200, 503}
        assert STUDY not in answer.text
        assert "P1" not in answer.text


def test_many_at_once_take_turns_too_many_get_503_and_health_checks_are_answered(
    world: World,
) -> None:
    go_on, arrived = asyncio.Event(), 0

    async def wait(_: Request) -> Response:
        nonlocal arrived
        arrived += 1
        await go_on.wait()
        return PlainTextResponse("page")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    guard = Guard(Callers(world.tracker.access, WebSettings(), lambda: world.now), "")
    routes = guard.protect([Route("/node", wait, name="node"), Route("/healthz", healthz)])
    own = {"authorization": f"Bearer {let_in(world.tracker)}"}

    async def crowd() -> list[int]:
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def ask_for(path: str) -> int:
                return (await client.get(path, headers=own)).status_code

            asked = [
                asyncio.create_task(ask_for("/node")) for _ in range(MOST_RUNNING + MOST_WAITING)
            ]
            while arrived < MOST_RUNNING:
                await asyncio.sleep(0.01)
            more = [await ask_for("/node"), await ask_for("/healthz")]
            assert arrived == MOST_RUNNING
            go_on.set()
            return more + await asyncio.gather(*asked)

    assert asyncio.run(crowd()) == [503, 200] + [200] * (MOST_RUNNING + MOST_WAITING)


# Tokens and sessions.


def test_a_browser_is_sent_to_sign_in_and_comes_back_to_the_page_it_wanted(
    stranger: Browser, world: World
) -> None:
    asked = stranger.get(f"/studies/{STUDY}?refresh=off", HTML)
    assert asked.status_code == 303
    form = stranger.get(asked.headers["location"])
    target = re.search(r'name="to" value="([^"]*)"', form.text)
    assert target is not None

    data = {"token": let_in(world.tracker, "ada", Role.LOOK), "to": target[1]}
    answer = stranger.post("/login", data, OWN)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/studies/{STUDY}?refresh=off"
    page = stranger.get(answer.headers["location"], cookie_of(answer))
    assert page.status_code == 200
    assert "ada (look)" in page.text


def test_the_cookie_is_for_this_server_and_no_script(
    stranger: Browser, world: World, tmp_path: Path
) -> None:
    token = let_in(world.tracker)
    plain = stranger.post("/login", {"token": token}, OWN).headers["set-cookie"].lower()
    secure_app = make(world, tmp_path, public_url="https://reader.example")
    answer = Browser(secure_app, "").post("/login", {"token": token}, OWN)
    secure = answer.headers["set-cookie"]

    for cookie in (plain, secure.lower()):
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "path=/" in cookie
        assert "domain" not in cookie
    assert "secure" not in plain.split(";")[1:]
    assert secure.startswith("__Host-")
    assert "Secure" in secure


def test_a_session_ends_by_signing_out_by_time_and_with_its_token(
    stranger: Browser, world: World
) -> None:
    token = let_in(world.tracker, "ada", Role.ADMIN)
    first, second, third = (
        cookie_of(stranger.post("/login", {"token": token}, OWN)) for _ in range(3)
    )
    assert stranger.get("/", first).status_code == 200

    out = stranger.post("/logout", {}, OWN | first)
    assert out.status_code == 303
    assert stranger.get("/", first).status_code == 401

    assert stranger.get("/", second).status_code == 200
    world.later(timedelta(hours=12).total_seconds())
    assert stranger.get("/", second).status_code == 401

    again = cookie_of(stranger.post("/login", {"token": token}, OWN))
    assert stranger.get("/", again).status_code == 200
    world.tracker.access.revoke_token("ada", "test", world.now)
    assert stranger.get("/", again).status_code == 401
    assert stranger.get("/", third).status_code == 401


def test_a_token_for_metrics_opens_no_page(stranger: Browser, world: World) -> None:
    token = let_in(world.tracker, "prometheus", Role.METRICS)

    assert stranger.post("/login", {"token": token}, OWN).status_code == 403
    assert stranger.get("/metrics", {"authorization": f"Bearer {token}"}).status_code == 200
    assert stranger.get("/", {"authorization": f"Bearer {token}"}).status_code == 403


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000, "x"]
)
def test_a_wrong_token_is_refused_even_beside_a_session(
    stranger: Browser, world: World, header: str
) -> None:
    signed_in = cookie_of(stranger.post("/login", {"token": let_in(world.tracker)}, OWN))

    assert stranger.get("/", signed_in | {"authorization": header}).status_code == 401


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example", "/\\evil", "x", ""])
def test_signing_in_leads_nowhere_else(stranger: Browser, world: World, target: str) -> None:
    data = {"token": let_in(world.tracker), "to": target}
    assert stranger.post("/login", data, OWN).headers["location"] == "/"


def test_wrong_tokens_cost_their_address_time_and_others_nothing(
    app: Starlette, world: World
) -> None:
    token = let_in(world.tracker)
    guesser, other = (Browser(app, "", f"192.0.2.{n}") for n in (1, 2))
    for _ in range(FREE_FAILURES):
        assert guesser.post("/login", {"token": "guess"}, OWN).status_code == 403

    refused = guesser.post("/login", {"token": token}, OWN)

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    bearer = {"authorization": f"Bearer {token}"}
    assert guesser.get("/metrics", bearer).status_code == 429
    assert other.post("/login", {"token": token}, OWN).status_code == 303


def ask_at_once(app: Starlette, path: str, tokens: list[str]) -> list[int]:
    async def ask_all() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            headers = [{"authorization": f"Bearer {token}"} for token in tokens]
            answers = await asyncio.gather(*(client.get(path, headers=one) for one in headers))
            return [answer.status_code for answer in answers]

    return asyncio.run(ask_all())


def test_a_program_may_ask_much_at_once_and_a_guesser_may_not(world: World, tmp_path: Path) -> None:
    token = let_in(world.tracker)
    assert ask_at_once(make(world, tmp_path), "/refusals", [token] * 20) == [200] * 20
    guesses = ask_at_once(make(world, tmp_path), "/refusals", [f"guess {n}" for n in range(20)])
    assert guesses.count(401) == FREE_FAILURES
    assert guesses.count(429) == 20 - FREE_FAILURES


def test_while_the_database_is_away_nobody_is_blamed_and_metrics_are_answered(
    app: Starlette, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Browser(app, let_in(world.tracker, "prometheus", Role.METRICS))
    unknown = Browser(app, "nobody's", "192.0.2.9")
    assert known.get("/metrics").status_code == 200

    def fail(_: str) -> None:
        raise TransientError("the database does not answer")

    with monkeypatch.context() as away:
        away.setattr(world.tracker.access, "find_token", fail)
        for _ in range(2 * FREE_FAILURES):
            assert known.get("/metrics").status_code == 200
            assert unknown.get("/metrics").status_code == 503
    world.tracker.access.revoke_token("prometheus", "test", world.now)

    assert known.get("/metrics").status_code == 401
    assert unknown.get("/metrics").status_code == 401


# Links.


def test_a_link_signs_in_once(stranger: Browser, world: World) -> None:
    code = world.tracker.access.add_link("ada", Role.ACT, world.now)

    followed = stranger.get(f"/login/{code}")

    assert followed.status_code == 200
    assert 'content="0; url=/"' in followed.text
    assert "ada (act)" in stranger.get("/", cookie_of(followed)).text
    again = stranger.get(f"/login/{code}")
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


def test_a_link_that_is_old_signs_nobody_in(stranger: Browser, world: World) -> None:
    code = world.tracker.access.add_link("ada", Role.ACT, world.now)
    world.later(LINK_LIFETIME.total_seconds())
    assert stranger.get(f"/login/{code}").status_code == 403


# Proxies.


def named(user: str = "ada", groups: str = "readers") -> dict[str, str]:
    return {"x-remote-user": user, "x-remote-groups": groups}


@pytest.mark.parametrize(
    ("groups", "shown"),
    [("readers", "ada (look)"), ("x, doctors,readers", "ada (act)"), ("it", "ada (admin)")],
)
def test_a_proxy_of_the_settings_says_who_calls(
    world: World, tmp_path: Path, groups: str, shown: str
) -> None:
    app = make(world, tmp_path, host="0.0.0.0", proxy=PROXY)
    for address in ("10.9.0.3", "::1", "::ffff:10.9.0.3"):
        assert shown in Browser(app, "", address).get("/", named(groups=groups)).text


def test_the_same_headers_from_elsewhere_count_for_nothing(world: World, tmp_path: Path) -> None:
    app = make(world, tmp_path, host="0.0.0.0", proxy=PROXY)
    for address in ("10.9.1.3", "127.0.0.1", "unix"):
        spoofed = named() | {"x-forwarded-for": "10.9.0.3", "forwarded": "for=10.9.0.3"}
        assert Browser(app, "", address).get("/", spoofed).status_code == 401


def test_without_a_proxy_in_the_settings_no_header_names_anybody(
    stranger: Browser,
) -> None:
    assert stranger.get("/", named("admin", "it")).status_code == 401


def test_a_user_of_no_group_is_refused_unless_everyone_has_a_role(
    world: World, tmp_path: Path
) -> None:
    strict = Browser(make(world, tmp_path, host="0.0.0.0", proxy=PROXY), "", "10.9.0.3")
    assert strict.get("/", named(groups="visitors")).status_code == 403
    assert strict.get("/", {"x-remote-user": "ada"}).status_code == 403
    open_to_all = PROXY.model_copy(update={"everyone": Role.LOOK})
    friendly = make(world, tmp_path, host="0.0.0.0", proxy=open_to_all)
    assert "ada (look)" in Browser(friendly, "", "10.9.0.3").get("/", {"x-remote-user": "ada"}).text


def test_pauses_follow_the_address_that_the_proxy_names_last(world: World, tmp_path: Path) -> None:
    proxy = Browser(make(world, tmp_path, host="0.0.0.0", proxy=PROXY), "", "10.9.0.3")
    guess = OWN | {"x-forwarded-for": "192.0.2.66, 192.0.2.1"}
    for _ in range(FREE_FAILURES):
        assert proxy.post("/login", {"token": "guess"}, guess).status_code == 403
    assert proxy.post("/login", {"token": "guess"}, guess).status_code == 429
    other = {"x-forwarded-for": "192.0.2.1, 192.0.2.2"}
    assert proxy.post("/login", {"token": "guess"}, OWN | other).status_code == 403


# Forms: which POSTs are taken.


async def act(request: Request) -> Response:
    return PlainTextResponse(f"done by {request.state.caller.name}")


@pytest.fixture
def acting(world: World) -> Starlette:
    """A server with one action, as later pages have them."""
    web = WebSettings(public_url="https://reader.example", proxy=PROXY)
    callers = Callers(world.tracker.access, web, lambda: world.now)
    guard = Guard(callers, web.public_url, {"act": Role.ACT})
    return Starlette(routes=guard.protect([Route("/act", act, methods=["POST"], name="act")]))


FROM_PROXY = named(groups="doctors")


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"origin": "https://reader.example"},
        {"origin": "http://127.0.0.1", "host": "127.0.0.1"},
        {"origin": "http://LOCALHOST:8042", "host": "localhost:8042"},
    ],
)
def test_a_form_of_our_own_pages_is_taken(acting: Starlette, headers: dict[str, str]) -> None:
    answer = Browser(acting, "", "10.9.0.3").post("/act", {}, FROM_PROXY | headers)
    assert (answer.status_code, answer.text) == (200, "done by ada")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "https://reader.example.evil.example"},
        {"origin": "http://reader.example"},
        {"sec-fetch-site": "cross-site", "origin": "https://reader.example"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_site_is_not(acting: Starlette, headers: dict[str, str]) -> None:
    answer = Browser(acting, "", "10.9.0.3").post("/act", {}, FROM_PROXY | headers)
    assert answer.status_code == 403


def test_a_form_needs_its_role(acting: Starlette) -> None:
    reader = Browser(acting, "", "10.9.0.3").post("/act", {}, named(groups="readers") | OWN)
    assert reader.status_code == 403
    assert Browser(acting, "", "10.9.0.3").post("/act", {}, OWN).status_code == 401


def test_a_program_with_a_token_needs_no_origin(acting: Starlette, world: World) -> None:
    assert Browser(acting, let_in(world.tracker)).post("/act", {}).status_code == 200


@pytest.mark.parametrize("path", ["/search", "/login", "/logout"])
def test_every_form_of_the_pages_is_checked(stranger: Browser, world: World, path: str) -> None:
    token = let_in(world.tracker)
    signed_in = cookie_of(stranger.post("/login", {"token": token}, OWN))
    data = {"text": "P1", "token": token}

    foreign = stranger.post(path, data, signed_in | {"sec-fetch-site": "cross-site"})

    assert foreign.status_code == 403
    assert stranger.get("/", signed_in).status_code == 200
    assert stranger.post(path, data, signed_in | OWN).status_code in {200, 303}


# What is said, and what is not.


def test_no_log_line_has_a_secret_or_what_was_searched(
    stranger: Browser, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    token = let_in(world.tracker)
    code = world.tracker.access.add_link("ada", Role.ACT, world.now)
    signed_in = cookie_of(stranger.post("/login", {"token": token}, OWN))
    stranger.get(f"/login/{code}")
    stranger.get("/login/wrong-code")
    stranger.post("/login", {"token": "wrong-token"}, OWN)
    stranger.post("/search", {"text": "SECRET-PATIENT"}, OWN | signed_in)
    stranger.get("/?state=SECRET-QUERY", signed_in)

    said = json.dumps(capsys.readouterr())

    assert "web_access_failed" in said
    assert "web_signed_in" in said
    for secret in (token, code, signed_in["cookie"].split("=")[1], "wrong-", "SECRET"):
        assert secret not in said


def test_a_page_that_breaks_quotes_nothing(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("SECRET^NAME")

    monkeypatch.setattr(world.tracker.dismissals, "list_refusals", fail)
    answer = Browser(make(world, tmp_path), let_in(world.tracker)).get("/refusals")

    said = answer.text + json.dumps(capsys.readouterr())
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "web_request_broke" in said
    assert "ValueError at test_watch_access.py" in said
    assert "SECRET" not in said


@pytest.mark.parametrize(
    ("web", "warns"),
    [
        ({}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "10.1.2.3", "public_url": "http://reader.example"}, True),
        ({"host": "0.0.0.0", "public_url": "https://reader.example"}, False),
    ],
)
def test_pages_that_cross_the_network_without_tls_say_so(
    world: World, tmp_path: Path, web: dict[str, object], warns: bool
) -> None:
    app = make(world, tmp_path, **web)
    for answer in (Browser(app, "").get("/login"), Browser(app, let_in(world.tracker)).get("/")):
        assert answer.status_code == 200
        assert ("without TLS" in answer.text) is warns
