"""A tracker after years of work: as many studies as asked for, written by SQL in bulk.

The rows are those of a site that sends a study every half minute: nearly all are reported and
delivered, and what is under way at any moment does not grow with what was. One destination has been
down for some time, another is in shadow.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from secondread.accept.archive import Archive
from secondread.track.database import MIGRATION_ANSWER_SECONDS, open_engine
from secondread.track.migrate import upgrade_database
from secondread.track.tracker import Tracker

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
"""The present instant of a grown tracker."""

DUE = 120
"""Studies that are due."""

_ARRIVING = 40
_READING = 2
_STUDY_SECONDS = 30
_ACTIVE = DUE + _ARRIVING + _READING
_UID = "1.2.826.0.1.3680043.10.7"
_CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
_MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SOME_DIGEST = "5e" * 32
_AUDIT_BYTES = 900
_OTHER_OBJECT = "900000000 + i"
"""What the digest of an object that is no image is made from; images have lower numbers."""
_FACTORS = (
    2654435761,
    2246822519,
    3266489917,
    668265263,
    374761393,
    2869860233,
    3624381081,
    1500450271,
)
"""Of numbers that are spread over 32 bits; their products stay below 2**63."""


def name_study(number: int) -> str:
    """Return the UID of a study of a grown tracker, which are numbered from 1, oldest first."""
    return f"{_UID}.{number}"


@dataclass(frozen=True, slots=True)
class _Sql:
    """How a database writes what the two write differently."""

    is_sqlite: bool
    studies: int

    def ago(self, seconds: str) -> str:
        """Return the instant so many seconds before `NOW`; negative ones are to come."""
        if self.is_sqlite:
            return (
                f"strftime('%Y-%m-%d %H:%M:%S.000000', '{NOW:%F %T}', (-({seconds})) || ' seconds')"
            )
        return f"(timestamptz '{NOW:%F %T}+00' - ({seconds}) * interval '1 second')"

    def day(self, number: str) -> str:
        """Return the date of a study."""
        instant = self.ago(f"{_STUDY_SECONDS} * ({self.studies} - {number})")
        return f"date({instant})" if self.is_sqlite else f"({instant})::date"

    def digest(self, of: str) -> str:
        """Return 64 hexadecimal digits in no order, the same for the same number."""
        if self.is_sqlite:
            words = (f"(({of}) * {factor} + 7) % 4294967296" for factor in _FACTORS)
            return f"printf('{'%08x' * len(_FACTORS)}', {', '.join(words)})"
        return f"(md5(({of})::text) || md5((({of}) + 1)::text))"

    def path(self, area: str, of: str) -> str:
        """Return where the archive keeps the file of that digest."""
        # Its first digits, without making all of them for each of the folders.
        if self.is_sqlite:
            start = f"printf('%08x', (({of}) * {_FACTORS[0]} + 7) % 4294967296)"
        else:
            start = f"md5(({of})::text)"
        folders = f"substr({start}, 1, 2) || '/' || substr({start}, 3, 2)"
        return f"'{area}/' || {folders} || '/' || {self.digest(of)} || '.dcm'"

    def document(self, value: str) -> str:
        """Return a JSON value."""
        return f"'{value}'" if self.is_sqlite else f"'{value}'::jsonb"

    def boolean(self, condition: str) -> str:
        """Return a condition as a value of a column."""
        return f"({condition})"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table: for each of `numbers` (``i`` from 1) and of `each`, its columns in SQL."""

    table: str
    columns: dict[str, str]
    numbers: int
    each: str = ""
    """A further source of rows, as ``(SELECT 1 AS k)``."""
    where: str = "1 = 1"


def grow_tracker(url: str, studies: int) -> None:
    """Make the tables of an empty database, and fill them.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    studies
        How many studies; at least a thousand, or too little would be under way.
    """
    upgrade_database(url)
    engine = open_engine(url, foreign_keys=False, answer_seconds=MIGRATION_ANSWER_SECONDS)
    sql = _Sql(engine.dialect.name == "sqlite", studies)
    try:
        with engine.connect() as connection:
            if sql.is_sqlite:
                _hurry(connection)
            with connection.begin():
                for rows in _list_rows(sql):
                    _insert(connection, rows)
                if not sql.is_sqlite:
                    _move_sequences(connection)
        if not sql.is_sqlite:
            with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(text("VACUUM ANALYZE"))
    finally:
        engine.dispose()
    # As every sweep does.
    tracker = Tracker(url, Path())
    while tracker.counts.fold():
        pass
    tracker.close()


def make_files(url: str, archive: Archive) -> int:
    """Make the files that a grown tracker's rows name, of the right length and without content.

    They are as old as `NOW`; returns how many there are.
    """
    tracker = Tracker(url, Path())
    number, is_made = 0, set[Path]()
    for file in tracker.archive_rows.list_files():
        if file.size_bytes is None:
            continue
        path = archive.resolve_path(file.path)
        if path.parent not in is_made:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_made.add(path.parent)
        with path.open("wb") as written:
            written.truncate(file.size_bytes)
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
        number += 1
    tracker.close()
    return number


def _hurry(connection: Connection) -> None:
    """Have SQLite write without care for a power cut; none of it may be said in a transaction."""
    driver = connection.connection.driver_connection
    assert driver is not None
    for pragma in ("synchronous=OFF", "cache_size=-400000"):
        driver.execute(f"PRAGMA {pragma}")


def _insert(connection: Connection, rows: _Rows) -> None:
    source = f"numbers CROSS JOIN {rows.each} AS each_one" if rows.each else "numbers"
    names = ", ".join(f'"{name}"' for name in rows.columns)
    values = ", ".join(rows.columns.values())
    statement = (
        f"INSERT INTO {rows.table} ({names}) "
        f"WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers "
        f"WHERE i < {rows.numbers}) SELECT {values} FROM {source} WHERE {rows.where}"
    )
    connection.execute(text(statement))


def _move_sequences(connection: Connection) -> None:
    """Have the database number further rows after those that were numbered here."""
    tables = inspect(connection)
    for table in tables.get_table_names():
        columns: dict[str, Any] = {column["name"]: column for column in tables.get_columns(table)}
        if columns.get("id", {}).get("autoincrement"):
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
                f"(SELECT coalesce(max(id), 1) FROM {table}))"
            )


def _one_of(*numbers: int) -> str:
    return "(" + " UNION ALL ".join(f"SELECT {number} AS k" for number in numbers) + ")"


def _list_rows(sql: _Sql) -> list[_Rows]:
    return [*_list_arrived(sql), *_list_read(sql), *_list_sent(sql), *_list_recorded(sql)]


def _list_arrived(sql: _Sql) -> list[_Rows]:
    n = sql.studies
    age = f"{_STUDY_SECONDS} * ({n} - i)"
    left = f"({n} - i)"
    state = (
        f"CASE WHEN {left} < {DUE} THEN 'assembling' WHEN {left} < {DUE + _ARRIVING} THEN "
        f"'assembling' WHEN {left} < {_ACTIVE} THEN 'reading' WHEN i % 100 = 0 THEN 'held' "
        "WHEN i % 200 = 1 THEN 'without-images' WHEN i % 1000 = 7 THEN 'stuck' ELSE 'reported' END"
    )
    is_reported = f"({left} >= {_ACTIVE} AND i % 100 <> 0 AND i % 200 <> 1 AND i % 1000 <> 7)"
    outcome = (
        f"CASE WHEN NOT {is_reported} THEN NULL WHEN i % 5 = 0 THEN 'findings' "
        "WHEN i % 50 = 3 THEN 'partial' WHEN i % 100 = 9 THEN 'failed' ELSE 'no-findings' END"
    )
    return [
        _Rows("installation", {"id": "1", "uid": "'0123456789abcdef0123456789abcdef'"}, 1),
        _Rows(
            "patients",
            {"id": "i", "patient_id": "'P' || i", "issuer": "'HOSPITAL'"},
            n // 2 + 1,
        ),
        _Rows(
            "patient_identities",
            {
                "id": "i",
                "patient": "i",
                "name": "'DOE^JANE ' || i",
                "born": "'1960-01-01/1960-01-01'",
            },
            n // 2 + 1,
        ),
        _Rows(
            "treatments",
            {
                "patient": "i",
                "side": "'L'",
                "procedure": "'lumpectomy'",
                "site": "''",
                "source": "'csv'",
                "recorded_at": sql.ago("0"),
            },
            n // 2 + 1,
            where="i % 10 = 0",
        ),
        _Rows(
            "studies",
            {
                "study_uid": f"'{_UID}.' || i",
                "patient": "(i + 1) / 2",
                "study_date": sql.day("i"),
                "peer": "'MODALITY' || (i % 12)",
                "accession_number": "'a-' || i",
                "device": "'MAKER Model ' || (i % 12)",
                "state": state,
                "hold_reason": "CASE WHEN i % 100 = 0 THEN 'prior-only-by-age' END",
                "exempt": sql.boolean("1 = 0"),
                "first_arrived_at": sql.ago(f"{age} + 90"),
                "last_arrived_at": sql.ago(age),
                "quiet_due_at": f"CASE WHEN {left} < {DUE} THEN {sql.ago('60')} "
                f"WHEN {left} < {DUE + _ARRIVING} THEN {sql.ago('-60')} END",
                "revision": f"CASE WHEN {left} >= {DUE + _ARRIVING} THEN 1 ELSE 0 END",
                "outcome": outcome,
                "shown_findings": f"CASE WHEN {is_reported} AND i % 5 = 0 THEN 2 ELSE 0 END",
                "reported_at": f"CASE WHEN {is_reported} THEN {sql.ago(age)} END",
                "priors_due_at": f"CASE WHEN {is_reported} THEN {sql.ago(age)} END",
            },
            n,
        ),
        _Rows(
            "series",
            {
                "id": "i",
                "study_uid": f"'{_UID}.' || i",
                "series_uid": f"'{_UID}.' || i || '.0'",
                "modality": "'MG'",
            },
            n,
        ),
        _Rows(
            "instances",
            {
                "id": "4 * (i - 1) + k",
                "sop_instance_uid": f"'{_UID}.' || i || '.' || k",
                "sha256": sql.digest("4 * i + k"),
                "sop_class_uid": f"'{_MAMMOGRAM}'",
                "study_uid": f"'{_UID}.' || i",
                "series": "i",
                "transfer_syntax": f"'{_LITTLE_ENDIAN}'",
                "path": sql.path("instances", "4 * i + k"),
                "size_bytes": "27300000",
                "peer": "'MODALITY' || (i % 12)",
                "address": "'10.0.0.7'",
                "association": "'receive-0.' || i",
                "arrived_at": sql.ago(age),
                "disposition": "'mammogram'",
                "identity": "(i + 1) / 2",
                "laterality": "CASE WHEN k % 2 = 0 THEN 'L' ELSE 'R' END",
                "view": "CASE WHEN k <= 2 THEN 'CC' ELSE 'MLO' END",
                "intent": "'FOR PRESENTATION'",
                "current": sql.boolean("1 = 1"),
                "conflict": sql.boolean("1 = 0"),
                "set_aside": sql.boolean("1 = 0"),
                "late": sql.boolean("1 = 0"),
            },
            n,
            _one_of(1, 2, 3, 4),
        ),
        _Rows(
            "other_objects",
            {
                "study_uid": f"'{_UID}.' || i",
                "series_uid": f"'{_UID}.' || i || '.5'",
                "sop_instance_uid": f"'{_UID}.' || i || '.5.1'",
                "sop_class_uid": f"'{_CAPTURE}'",
                "transfer_syntax": f"'{_LITTLE_ENDIAN}'",
                "sha256": sql.digest(_OTHER_OBJECT),
                "path": sql.path("instances", _OTHER_OBJECT),
                "size_bytes": "1000000",
                "peer": "'MODALITY' || (i % 12)",
                "arrived_at": sql.ago(age),
                "disposition": "'not-analysed'",
                "is_altered": sql.boolean("1 = 0"),
            },
            n,
            where="i % 20 = 0",
        ),
    ]


def _list_read(sql: _Sql) -> list[_Rows]:
    n = sql.studies
    started = sql.ago(f"{_STUDY_SECONDS} * ({n} - i) - 20")
    is_read = f"{n} - i >= {DUE + _ARRIVING}"
    nothing, empty = sql.document("[]"), sql.document("{}")
    finding = sql.document(
        '{"center": [1210.5, 940.5], "outline": [[1200, 930], [1220, 930], [1220, 950]], '
        '"morphology": [["amorphous", 0.6], ["round", 0.2]], "calcifications": 7, '
        '"distribution": [["grouped", 0.8], ["regional", 0.1]], "long_axis_mm": 8.4}'
    )
    return [
        _Rows(
            "revisions",
            {
                "id": "i",
                "study_uid": f"'{_UID}.' || i",
                "number": "1",
                "cause": "'first'",
                "inputs": nothing,
                "set_aside": nothing,
                "settings_digest": f"'{SOME_DIGEST}'",
                "model_digest": f"'{SOME_DIGEST}'",
                "state": f"CASE WHEN {n} - i < {_ACTIVE} THEN 'started' ELSE 'finished' END",
                "outcome": f"CASE WHEN {n} - i >= {_ACTIVE} THEN 'no-findings' END",
                "reasons": nothing,
                "worker": "'worker-0'",
                "run": "1",
                "in_step": sql.boolean("1 = 0"),
                "faults": "0",
                "deaths": "0",
                "content_at": started,
                "started_at": started,
                "finished_at": f"CASE WHEN {n} - i >= {_ACTIVE} THEN {started} END",
                "doubtful": nothing,
            },
            n,
            where=is_read,
        ),
        _Rows("devices", {"id": "i", "manufacturer": "'M' || i", "model": "'X'"}, 2),
        _Rows(
            "device_readings",
            {
                "device": "i % 2 + 1",
                "revision": "i",
                "model_digest": f"'{SOME_DIGEST}'",
                "exam_score": "1.5",
                "shown": "0",
                "read_at": started,
            },
            n,
            where=is_read,
        ),
        _Rows(
            "image_results",
            {
                "revision": "i",
                "sop_instance_uid": f"'{_UID}.' || i || '.' || k",
                "label": "'LCC'",
                "status": "CASE WHEN i % 40 = 0 THEN 'flagged' ELSE 'read' END",
                "reasons": nothing,
                "gates": empty,
                "seconds": "1.7",
                "detail": "''",
                "answer": "'answers/' || i || k",
            },
            n,
            _one_of(1, 2, 3, 4),
            where=is_read,
        ),
        _Rows(
            "lesions",
            {
                "id": "i",
                "patient": "(i + 1) / 2",
                "tracking_uid": f"'{_UID}.3.' || i",
                "first_study_uid": f"'{_UID}.' || i",
            },
            n,
            where=f"{is_read} AND i % 5 = 0",
        ),
        _Rows(
            "findings",
            {
                "revision": "i",
                "finding_id": "'LCC-' || k",
                "sop_instance_uid": f"'{_UID}.' || i || '.' || k",
                "kind": "'cluster'",
                "certainty": "80.0",
                "suspicion": "30.0",
                "priority": "24.0",
                "shown": sql.boolean("i % 5 = 0"),
                "lesion": "CASE WHEN i % 5 = 0 THEN i END",
                "document": finding,
            },
            n,
            _one_of(1, 2),
            where=is_read,
        ),
        _Rows(
            "known_answers",
            {
                "sha256": sql.digest("4 * i + k"),
                "maker": f"'{SOME_DIGEST}'",
                "path": "'answers/' || i || k",
            },
            n,
            _one_of(1, 2, 3, 4),
            where=is_read,
        ),
    ]


def _list_sent(sql: _Sql) -> list[_Rows]:
    n = sql.studies
    age = f"{_STUDY_SECONDS} * ({n} - i) - 40"
    is_sent = f"{n} - i >= {_ACTIVE}"
    # Every second result goes to one that has been down for some time, of the newest studies.
    state = (
        f"CASE WHEN k % 3 = 1 THEN 'shadow' WHEN k % 3 = 2 AND {n} - i < {_ACTIVE + n // 50} THEN "
        f"'pending' WHEN {n} - i < {_ACTIVE + 5} THEN 'stored' ELSE 'delivered' END"
    )
    stored_at = f"CASE WHEN {state} IN ('delivered', 'stored') THEN {sql.ago(age)} END"
    name_of = "CASE {} WHEN 0 THEN 'pacs' WHEN 1 THEN 'trial' ELSE 'viewer' END"
    return [
        _Rows(
            "destinations",
            {
                "name": name_of.format("k"),
                "mode": "CASE k WHEN 1 THEN 'shadow' ELSE 'live' END",
                "changed_at": sql.ago("0"),
                "changed_by": "'settings'",
            },
            1,
            _one_of(0, 1, 2),
        ),
        _Rows(
            "outbox",
            {
                "id": "2 * (i - 1) + k",
                "study_uid": f"'{_UID}.' || i",
                "revision": "i",
                "profile": "'default'",
                "kind": "CASE k WHEN 1 THEN 'cad-sr' ELSE 'capture' END",
                "index": "0",
                "sop_class_uid": f"CASE k WHEN 1 THEN '{_CAD_SR}' ELSE '{_CAPTURE}' END",
                "series_uid": f"'{_UID}.8.' || i",
                "sop_instance_uid": f"'{_UID}.8.' || i || '.' || k",
                "path": sql.path("outbox", "2 * i + k"),
                "sha256": sql.digest("2 * i + k"),
                "size_bytes": "40000",
                "written_at": sql.ago(age),
            },
            n,
            _one_of(1, 2),
            where=is_sent,
        ),
        _Rows(
            "deliveries",
            {
                "id": "6 * (i - 1) + k + 1",
                "outbox": "2 * (i - 1) + 1 + k / 3",
                "destination": name_of.format("k % 3"),
                "state": state,
                "created_at": sql.ago(age),
                "due_at": sql.ago(age),
                "attempts": "1",
                "last_error": f"CASE WHEN {state} = 'pending' THEN 'unreachable: connect' END",
                "delivered_at": f"CASE WHEN {state} = 'delivered' THEN {sql.ago(age)} END",
                "stored_at": stored_at,
                "first_stored_at": stored_at,
                "proof": f"CASE WHEN {state} = 'delivered' THEN 'commitment' END",
                "proof_asked": "1",
                "proof_refused": "0",
            },
            n,
            _one_of(0, 1, 2, 3, 4, 5),
            where=is_sent,
        ),
        _Rows(
            "commitments",
            {
                "id": "i",
                "transaction_uid": f"'{_UID}.9.' || i",
                "destination": "'pacs'",
                "state": "'reported'",
                "requested_at": sql.ago(age),
                "due_at": sql.ago(age),
                "reported_at": sql.ago(age),
            },
            n,
            where=is_sent,
        ),
        _Rows(
            "commitment_items",
            {"commitment": "i", "delivery": "6 * (i - 1) + k", "committed": sql.boolean("1 = 1")},
            n,
            _one_of(1, 4),
            where=is_sent,
        ),
        _Rows(
            "prior_requests",
            {
                "study_uid": f"'{_UID}.' || i",
                "source": "'pacs'",
                "errand": "CASE k WHEN 1 THEN 'query' ELSE 'retrieve' END",
                "prior_study_uid": f"CASE k WHEN 1 THEN '' ELSE '{_UID}.6.' || i END",
                "series": sql.document("[]"),
                "state": "'done'",
                "attempts": "1",
                "created_at": sql.ago(age),
                "due_at": sql.ago(age),
                "gives_up_at": sql.ago(age),
                "claimed_at": sql.ago(age),
                "finished_at": sql.ago(age),
            },
            n,
            _one_of(1, 2),
            where=is_sent,
        ),
    ]


def _list_recorded(sql: _Sql) -> list[_Rows]:
    n = sql.studies
    return [
        _Rows(
            "alarms",
            {
                "kind": "'late-instance'",
                "subject": f"'{_UID}.' || i",
                "severity": "'warning'",
                "detail": "'came after the late window'",
                "raised_at": sql.ago(f"{_STUDY_SECONDS} * ({n} - i)"),
                "cleared_at": f"CASE WHEN {n} - i >= 1000 THEN {sql.ago('0')} END",
            },
            n,
            where="i % 100 = 50",
        ),
        _Rows(
            "refusals",
            {
                "what": "'association'",
                "reason": "'calling-ae-unknown'",
                "calling_ae_title": "'SCANNER' || i",
                "called_ae_title": "'SECONDREAD'",
                "address": "'10.0.0.8'",
                "sop_class_uid": "''",
                "transfer_syntax": "''",
                "count": "3",
                "first_at": sql.ago("i"),
                "last_at": sql.ago("i"),
            },
            500,
        ),
        _Rows(
            "processes",
            {
                "name": "CASE k WHEN 0 THEN 'receive-0' WHEN 1 THEN 'web' ELSE 'worker-0' END",
                "kind": "CASE k WHEN 0 THEN 'receive' WHEN 1 THEN 'web' ELSE 'work' END",
                "host": "'node'",
                "pid": "100 + k",
                "version": "'0.1.0'",
                "started_at": sql.ago("9000"),
                "beat_at": sql.ago("1"),
            },
            1,
            _one_of(0, 1, 2),
        ),
        _Rows(
            "audit_messages",
            {
                "at": sql.ago(f"{_STUDY_SECONDS} * ({n} - i)"),
                "kind": "'instances-transferred'",
                "user": "'MODALITY' || (i % 12)",
                "address": "'10.0.0.7'",
                "study_uid": f"'{_UID}.' || i",
                "process": "'receive-0'",
                "sender": "'receive-0'",
                "message": f"'{'x' * _AUDIT_BYTES}'",
                "is_sent": sql.boolean("1 = 1"),
            },
            n,
            _one_of(1, 2),
        ),
    ]
