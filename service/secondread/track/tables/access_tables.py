"""Tables of who may call the web server: tokens, sessions, and links that sign in once.

None holds a secret itself, only its digest.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from secondread.settings import Role
from secondread.track.tables.base import Base, Digest, EnumText


class WebTokenRow(Base):
    """A token that lets a person or a program in. Its name is never given again."""

    __tablename__ = "web_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[Role] = mapped_column(EnumText(Role))
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(80))
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(80))


class WebSessionRow(Base):
    """A person who is signed in with a browser."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "token"), Index(None, "expires_at"))

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(EnumText(Role))
    token: Mapped[int | None] = mapped_column(ForeignKey("web_tokens.id"))
    """The token that was given; none where a link was followed."""
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginLinkRow(Base):
    """A link that signs in once, until it expires."""

    __tablename__ = "login_links"
    __table_args__ = (Index(None, "expires_at"),)

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(EnumText(Role))
    expires_at: Mapped[datetime]
