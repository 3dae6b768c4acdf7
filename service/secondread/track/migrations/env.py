"""Alembic's entry: migrates over the connection that `track.migrate` opened and locked."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from secondread.track.tables import Base
from secondread.track.tables.base import EnumText, ReasonList, UtcDateTime


def _render_type(kind: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types as SQLAlchemy's: a migration must not change with the program."""
    if kind == "type" and isinstance(item, EnumText):
        return f"sa.String(length={item.length})"
    if kind == "type" and isinstance(item, ReasonList):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=_render_type,
        compare_server_default=True,
    )
    context.run_migrations()


# `config` is there only while Alembic runs this file; tools that import it migrate nothing.
if hasattr(context, "config"):
    _run(context.config.attributes["connection"])
