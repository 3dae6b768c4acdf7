"""Tokens, sessions and links of the web server, in SQLite and PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from secondread.errors import InputError
from secondread.settings import Role
from secondread.track.access import FIRST_TOKEN, LINK_LIFETIME, KnownCaller
from secondread.track.tables import LoginLinkRow, WebSessionRow, WebTokenRow
from tests.worlds.track_world import World

DAY = timedelta(days=1)


def test_the_first_token_is_made_once_and_its_name_is_never_given_again(world: World) -> None:
    access, kept = world.tracker.access, list[str]()

    assert access.add_first_token(kept.append, world.now)
    assert not access.add_first_token(kept.append, world.now)
    assert len(kept) == 1
    assert access.find_token(kept[0]) == KnownCaller(FIRST_TOKEN, Role.ADMIN, 1)
    access.revoke_token(FIRST_TOKEN, "ada", world.now)
    # A node whose only token was revoked lets nobody in by starting anew.
    assert not access.add_first_token(kept.append, world.now)
    with pytest.raises(InputError, match="choose another"):
        access.add_token(FIRST_TOKEN, Role.LOOK, "ada", world.now)


def test_a_first_token_that_cannot_be_kept_is_not_there(world: World) -> None:
    def fail(_: str) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        world.tracker.access.add_first_token(fail, world.now)

    assert world.tracker.access.list_tokens() == []


def test_a_revoked_token_lets_nobody_in_and_ends_its_sessions(world: World) -> None:
    access = world.tracker.access
    token = access.add_token("wall", Role.LOOK, "ada", world.now)
    caller = access.find_token(token)
    assert caller is not None
    secret = access.open_session(caller, DAY, world.now)
    assert access.find_session(secret, world.now) == caller

    access.revoke_token("wall", "ben", world.now)

    assert access.find_token(token) is None
    assert access.find_session(secret, world.now) is None
    assert [(row.name, row.made_by, row.revoked_by) for row in access.list_tokens()] == [
        ("wall", "ada", "ben")
    ]
    with pytest.raises(InputError, match="in force"):
        access.revoke_token("wall", "ben", world.now)


def test_a_session_ends_by_itself_and_by_signing_out(world: World) -> None:
    access = world.tracker.access
    caller = KnownCaller("ada", Role.ACT)
    secret, other = (access.open_session(caller, DAY, world.now) for _ in range(2))

    access.close_session(other)

    assert access.find_session(other, world.now) is None
    assert access.find_session(secret, world.now) == caller
    assert access.find_session(secret, world.later(DAY.total_seconds())) is None


def test_a_link_signs_in_once_and_not_for_long(world: World) -> None:
    access = world.tracker.access
    code, late = (access.add_link("ada", Role.ADMIN, world.now) for _ in range(2))

    assert access.take_link(code, world.now) == KnownCaller("ada", Role.ADMIN)
    assert access.take_link(code, world.now) is None
    assert access.take_link(late, world.later(LINK_LIFETIME.total_seconds())) is None


def test_what_expired_is_forgotten_and_no_row_holds_a_secret(world: World) -> None:
    access = world.tracker.access
    access.open_session(KnownCaller("old", Role.LOOK), DAY, world.now)
    access.add_link("old", Role.LOOK, world.now)
    world.later(2 * DAY.total_seconds())
    secrets = [
        access.add_token("new", Role.LOOK, "ada", world.now),
        access.open_session(KnownCaller("new", Role.LOOK), DAY, world.now),
        access.add_link("new", Role.LOOK, world.now),
    ]

    with world.tracker.database.begin_read() as session:
        rows = [
            tuple(row)
            for table in (WebTokenRow, WebSessionRow, LoginLinkRow)
            for row in session.execute(select(table.__table__))
        ]
    assert len(rows) == 3
    text = str(rows)
    assert "old" not in text
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize("name", ["", "x" * 81, "two\nlines"])
def test_a_token_needs_a_name_that_a_line_can_show(world: World, name: str) -> None:
    with pytest.raises(InputError, match="printable"):
        world.tracker.access.add_token(name, Role.LOOK, "ada", world.now)
