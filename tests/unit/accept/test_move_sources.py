"""Who is believed that an instance comes by a C-MOVE of this node."""

import socket
from types import SimpleNamespace

import pytest

from secondread.accept.move_sources import MoveSources
from secondread.accept.refusal_counts import Caller
from secondread.settings import Settings


def make_sources(*, fetch: bool = True, **source: object) -> MoveSources:
    values = {"name": "pacs", "ae_title": "PACS", "host": "10.0.0.5", "port": 104, **source}
    return MoveSources.from_settings(
        Settings.model_validate({"priors": {"fetch": fetch, "sources": [values]}})
    )


def caller(title: str, address: str = "10.0.0.77") -> Caller:
    return Caller(title, "SECONDREAD", address)


def request(title: str | None) -> SimpleNamespace:
    return SimpleNamespace(MoveOriginatorApplicationEntityTitle=title)


@pytest.mark.parametrize(
    ("title", "claims"),
    [("SECONDREAD", True), ("SECONDREAD ", True), ("PACS", False), (None, False)],
)
def test_a_request_claims_a_move_of_this_node_by_its_title(
    title: str | None, *, claims: bool
) -> None:
    assert make_sources().claims_own_move(request(title)) is claims


def test_an_archive_that_is_asked_is_believed_by_its_title() -> None:
    assert make_sources().believes(caller("PACS"))


def test_what_calls_from_the_archives_address_is_believed() -> None:
    assert make_sources().believes(caller("PACS_STORE", "10.0.0.5"))
    assert make_sources().believes(caller("PACS_STORE", "::ffff:10.0.0.5"))


@pytest.mark.parametrize("address", ["10.0.0.77", "::1", "fe80::1%eth0"])
def test_others_are_not_believed(address: str) -> None:
    assert not make_sources().believes(caller("MG1", address))


def test_nobody_is_believed_for_calling_from_this_machine() -> None:
    assert not make_sources(host="127.0.0.1").believes(caller("MG1", "127.0.0.1"))


def test_an_archive_that_is_never_asked_to_move_is_not_believed() -> None:
    assert not make_sources(fetch=False).believes(caller("PACS"))
    assert not make_sources(retrieve="get").believes(caller("PACS"))


def test_the_name_of_an_archive_is_looked_up_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("10.0.0.6", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    sources = make_sources(host="pacs.example")
    assert sources.believes(caller("PACS_STORE", "10.0.0.6"))
    assert not sources.believes(caller("MG1"))
    assert asked == ["pacs.example"]


def test_a_name_that_nobody_knows_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert not make_sources(host="pacs.example").believes(caller("MG1"))
