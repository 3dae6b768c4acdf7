import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from secondread.errors import TransientError
from secondread.track.database import Database, open_engine
from secondread.track.refused_connections import describe_refused_connection
from tests.peers.postgres_server import PostgresServer


def test_an_error_of_the_database_quotes_no_value() -> None:
    engine = open_engine("sqlite://")
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE patients (patient_id TEXT UNIQUE)"))
            insert = text("INSERT INTO patients VALUES (:patient_id)")
            connection.execute(insert, {"patient_id": "P-4711"})
            with pytest.raises(IntegrityError) as error:
                connection.execute(insert, {"patient_id": "P-4711"})
    finally:
        engine.dispose()

    assert "P-4711" not in str(error.value)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('FATAL:  password authentication failed for user "node"', "refuses user or password"),
        ("fe_sendauth: no password supplied", "refuses user or password"),
        ('FATAL:  role "none" does not exist', "does not let this role in"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "does not let this machine in"),
        ("port 5432 failed: Connection refused\n\tIs the server running?", "does not run"),
        ("failed to resolve host 'x': [Errno -2] Name or service not known", "cannot be found"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  the database system is starting up", "starting or stopping"),
        ("server does not support SSL, but SSL was required", "does not agree on TLS"),
    ],
)
def test_why_postgresql_lets_nobody_in_is_said_in_words(message: str, words: str) -> None:
    refused = OperationalError(None, None, psycopg.OperationalError(message))
    described = describe_refused_connection(refused)
    assert described is not None
    assert words in described
    assert "\n" not in described


def test_an_error_of_a_statement_is_not_quoted() -> None:
    error = psycopg.OperationalError('FATAL: role "P-4711" does not exist')
    assert describe_refused_connection(OperationalError("SELECT", None, error)) is None


@pytest.mark.peer("postgres")
def test_a_role_database_or_right_that_is_missing_is_named(postgres_server: PostgresServer) -> None:
    url = postgres_server.create()
    name = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS poor")
        connection.execute("CREATE ROLE poor LOGIN")
    for wrong, words in (
        (url.replace("postgres@", "nobody@"), "does not let this role in"),
        (url.replace(name, "no_such_database"), "no database of this name"),
        (
            url.replace(str(postgres_server.folder), "/nowhere"),
            "does not run, or listens elsewhere",
        ),
    ):
        database = Database(wrong)
        with pytest.raises(TransientError, match=words):
            database.ping()
        database.close()
    poor = Database(url.replace("postgres@", "poor@"))
    with (
        pytest.raises(TransientError, match=r"lacks a right: permission denied for schema public"),
        poor.begin_write() as session,
    ):
        session.execute(text("CREATE TABLE t (n integer)"))
    poor.close()
