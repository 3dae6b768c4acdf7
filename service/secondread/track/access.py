"""Who may call the web server: tokens, sessions, and links that sign in once.

A secret is 256 random bits, of a link 128, handed out once and stored as its SHA-256: it cannot be
guessed, so that a slow hash would protect nothing.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.settings import Role
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.tables import LoginLinkRow, WebSessionRow, WebTokenRow, from_row

log = get_logger(__name__)

FIRST_TOKEN = "first"  # noqa: S105  (the name of one)
"""The name of the token that is made when a node starts for the first time."""

LINK_LIFETIME = timedelta(minutes=10)

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """Who a token or a session belongs to."""

    name: str
    role: Role
    token: int | None = None
    """Number of the token; None where a link was followed."""


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """A token, without what would let anybody in."""

    name: str
    role: Role
    made_at: datetime
    made_by: str
    revoked_at: datetime | None
    revoked_by: str | None


class Access(TrackerPart):
    """The tokens, sessions and links of the web server."""

    def add_first_token(self, keep: Callable[[str], None], now: datetime) -> bool:
        """Make the first token, for an administrator, unless it was made before.

        Parameters
        ----------
        keep
            Stores the token where the administrator finds it. If it raises, there is no token.
        now
            The present instant.
        """
        token = _make_secret()
        with self._database.begin_write() as session:
            values = _describe_token(FIRST_TOKEN, Role.ADMIN, token, "start", now)
            # Of two processes that start at the same moment, one makes it.
            if not insert_if_new(session, WebTokenRow, values):
                return False
            _record_change(session, "the first token was made", FIRST_TOKEN, now)
            keep(token)
        return True

    def add_token(self, name: str, role: Role, by: str, now: datetime) -> str:
        """Make a token and return it; it can be had only now.

        Raises
        ------
        InputError
            The name is empty, too long, or that of another token, which may be revoked.
        """
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise InputError(f"a token's name has 1 to {_LONGEST_NAME} printable characters")
        token = _make_secret()
        with self._database.begin_write() as session:
            if not insert_if_new(session, WebTokenRow, _describe_token(name, role, token, by, now)):
                raise InputError(f"there is, or was, a token {name!r}: choose another name")
            _record_change(session, f"a token was made: {name}, {role.value}", by, now)
        log.info("web_token_made", token=name, role=role.value, by=by)
        return token

    def list_tokens(self) -> list[TokenSummary]:
        """Return all tokens, those that were revoked too, oldest first."""
        with self._database.begin_read() as session:
            rows = session.scalars(select(WebTokenRow).order_by(WebTokenRow.id))
            return [from_row(TokenSummary, row) for row in rows]

    def revoke_token(self, name: str, by: str, now: datetime) -> None:
        """Revoke a token, and end the sessions that it opened.

        Raises
        ------
        InputError
            No token in force has that name.
        """
        revoke = (
            update(WebTokenRow)
            .where(WebTokenRow.name == name, WebTokenRow.revoked_at.is_(None))
            .values(revoked_at=now, revoked_by=by)
            .returning(WebTokenRow.id)
        )
        with self._database.begin_write() as session:
            number = session.scalar(revoke)
            if number is None:
                raise InputError(f"no token {name!r} is in force")
            session.execute(delete(WebSessionRow).where(WebSessionRow.token == number))
            _record_change(session, f"a token was revoked: {name}", by, now)
        log.info("web_token_revoked", token=name, by=by)

    def find_token(self, token: str) -> KnownCaller | None:
        """Return whose token this is; None if it is none, or revoked."""
        wanted = select(WebTokenRow).where(
            WebTokenRow.digest == _digest(token), WebTokenRow.revoked_at.is_(None)
        )
        with self._database.begin_read() as session:
            row = session.scalars(wanted).one_or_none()
            return None if row is None else KnownCaller(row.name, row.role, row.id)

    def open_session(self, caller: KnownCaller, lifetime: timedelta, now: datetime) -> str:
        """Sign somebody in; return the secret of the session."""
        secret = _make_secret()
        with self._database.begin_write() as session:
            _forget_expired(session, now)
            session.add(
                WebSessionRow(
                    digest=_digest(secret),
                    name=caller.name,
                    role=caller.role,
                    token=caller.token,
                    began_at=now,
                    expires_at=now + lifetime,
                )
            )
        return secret

    def find_session(self, secret: str, now: datetime) -> KnownCaller | None:
        """Return who is signed in with this secret; None if nobody is, or no longer."""
        with self._database.begin_read() as session:
            row = session.get(WebSessionRow, _digest(secret))
            if row is None or row.expires_at <= now:
                return None
            return from_row(KnownCaller, row)

    def close_session(self, secret: str) -> None:
        """Sign out."""
        with self._database.begin_write() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.digest == _digest(secret)))

    def add_link(self, name: str, role: Role, now: datetime) -> str:
        """Return the code of a link that signs in once, within `LINK_LIFETIME`."""
        # Short enough that no terminal breaks the line that it is printed on.
        code = secrets.token_urlsafe(16)
        with self._database.begin_write() as session:
            _forget_expired(session, now)
            session.add(
                LoginLinkRow(
                    digest=_digest(code), name=name, role=role, expires_at=now + LINK_LIFETIME
                )
            )
            _record_change(session, f"a link that signs in was made: {role.value}", name, now)
        return code

    def take_link(self, code: str, now: datetime) -> KnownCaller | None:
        """Use a link up; return whom it signs in, or None if it is used up or expired."""
        take = (
            delete(LoginLinkRow)
            .where(LoginLinkRow.digest == _digest(code), LoginLinkRow.expires_at > now)
            .returning(LoginLinkRow.name, LoginLinkRow.role)
        )
        with self._database.begin_write() as session:
            row = session.execute(take).one_or_none()
            return None if row is None else KnownCaller(row.name, row.role)


def _record_change(session: Session, words: str, by: str, now: datetime) -> None:
    event = AuditEvent(AuditKind.ACCESS_CHANGED, now, by, words=words)
    add_audit_event(session, event)


def _make_secret() -> str:
    return secrets.token_urlsafe(32)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _describe_token(name: str, role: Role, token: str, by: str, now: datetime) -> dict[str, object]:
    digest = _digest(token)
    return {"name": name, "role": role, "digest": digest, "made_at": now, "made_by": by}


def _forget_expired(session: Session, now: datetime) -> None:
    for table in (WebSessionRow, LoginLinkRow):
        session.execute(delete(table).where(table.expires_at <= now))
