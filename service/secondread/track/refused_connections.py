"""Why PostgreSQL did not let the node in, in words that say what to change.

What libpq and the server say before a connection stands has no value of a row in it, unlike their
errors about statements, so it may be quoted.
"""

import re
from typing import Final

from sqlalchemy.exc import DBAPIError

NOT_PERMITTED: Final = "42501"
"""SQLSTATE of a statement that the role has no right to (PostgreSQL, appendix A)."""

_CAUSES: Final = (
    (r"password authentication failed|no password supplied", "refuses user or password"),
    (r'role ".*" (does not exist|is not permitted)', "does not let this role in"),
    (r'database ".*" does not exist', "has no database of this name"),
    (r"permission denied for database", "does not let this role into the database"),
    (r"no pg_hba.conf entry|pg_hba.conf rejects", "does not let this machine in (pg_hba.conf)"),
    (r"failed to resolve|could not translate host", "cannot be found: nothing has its host name"),
    (r"Connection refused|No such file", "does not run, or listens elsewhere"),
    (r"timeout expired|timed out|No route to host", "cannot be reached"),
    (r"starting up|shutting down|recovery mode", "is starting or stopping"),
    (r"too many clients|connection slots", "has no connection left (max_connections)"),
    (r"SSL|certificate", "does not agree on TLS"),
)
"""What a message of libpq means, as words about the database's server."""

_LONGEST: Final = 300


def describe_refused_connection(error: DBAPIError) -> str | None:
    """Return why no connection was made; None where there was one.

    Parameters
    ----------
    error
        As SQLAlchemy wraps it: without a statement, it is about the connection itself.
    """
    if error.statement is not None or error.connection_invalidated:
        return None
    text = " ".join(str(error.orig).split())
    for pattern, words in _CAUSES:
        if re.search(pattern, text):
            return f"the server of database.url {words}: {text[:_LONGEST]}"
    return None


def describe_lack_of_rights(error: DBAPIError) -> str:
    """Return what the role of the node may not do."""
    # The server's message names the table or schema, never a value.
    message = str(error.orig).partition("\n")[0]
    return f"the role of database.url lacks a right: {message[:_LONGEST]}; GRANT it"
