"""Migrations: from nothing to the newest version, by one process or by several at once."""

import csv
import multiprocessing
from datetime import date
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from secondread.assemble.patient_key import PatientKey
from secondread.errors import SettingsError
from secondread.followup.treatment_file import read_treatment_file
from secondread.track.database import open_engine
from secondread.track.migrate import (
    _MIGRATIONS,
    NEWEST_VERSION,
    read_version,
    upgrade_database,
)
from secondread.track.tables import Base
from secondread.track.values import TreatmentRecord
from tests.worlds.track_world import World

RUNBOOK = Path(__file__).resolve().parents[2] / "service" / "docs" / "runbook.md"


def test_an_empty_database_is_brought_to_the_newest_version(empty_url: str) -> None:
    assert read_version(empty_url) is None
    upgrade_database(empty_url)
    assert read_version(empty_url) == NEWEST_VERSION


def test_upgrading_again_changes_nothing(empty_url: str) -> None:
    upgrade_database(empty_url)
    upgrade_database(empty_url)
    assert read_version(empty_url) == NEWEST_VERSION


def test_the_version_that_the_program_names_is_the_last_of_the_migrations() -> None:
    assert ScriptDirectory(str(_MIGRATIONS)).get_current_head() == NEWEST_VERSION


# SQLAlchemy cannot reflect an index of an expression on SQLite; on PostgreSQL it is compared.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_the_migrations_make_exactly_the_tables_that_the_program_declares(
    tracker_url: str,
) -> None:
    engine = open_engine(tracker_url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_every_constraint_has_a_name_that_postgresql_keeps_whole() -> None:
    for table in Base.metadata.tables.values():
        names = [str(constraint.name or "") for constraint in table.constraints]
        names += [str(index.name or "") for index in table.indexes]
        assert all(0 < len(name) <= 63 for name in names), names


def test_the_views_can_be_queried(tracker_url: str) -> None:
    engine = open_engine(tracker_url)
    names = {
        "v_studies",
        "v_findings",
        "v_deliveries",
        "v_refusals",
        "v_priors",
        "v_other_objects",
        "v_lesions",
    }
    assert set(inspect(engine).get_view_names()) == names
    with engine.connect() as connection:
        for name in names:
            assert connection.execute(text(f"SELECT * FROM {name}")).all() == []
    engine.dispose()


def test_several_processes_may_start_at_once_on_an_empty_database(empty_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        pool.map(upgrade_database, [empty_url] * 3, chunksize=1)
        pool.close()
        pool.join()
    assert read_version(empty_url) == NEWEST_VERSION


def test_a_failed_migration_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    def upgrade_and_fail(config: object, revision: str) -> None:
        whole(config, revision)  # type: ignore[arg-type]
        raise RuntimeError("killed")

    whole = command.upgrade
    monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
    with pytest.raises(RuntimeError, match="killed"):
        upgrade_database(empty_url)
    assert read_version(empty_url) is None


@pytest.mark.parametrize("version", ["0001", "0006", "v1_001"])
def test_a_database_from_before_the_first_release_is_refused_with_the_way_to_export_it(
    empty_url: str, backend: str, version: str
) -> None:
    upgrade_database(empty_url)
    set_version(empty_url, version)
    with pytest.raises(SettingsError) as refused:
        upgrade_database(empty_url)
    tool = "sqlite3" if backend == "sqlite" else "pg_dump"
    assert f"version {version}" in str(refused.value)
    assert f"export it with `{tool} " in str(refused.value)
    assert read_version(empty_url) == version


def test_a_database_of_a_newer_program_is_refused(empty_url: str) -> None:
    upgrade_database(empty_url)
    set_version(empty_url, "v9_001")
    with pytest.raises(SettingsError, match="v9_001, which this program does not know"):
        upgrade_database(empty_url)


def test_the_query_of_the_runbook_exports_treatments_in_the_form_of_the_import(
    world: World, tmp_path: Path
) -> None:
    surgery = TreatmentRecord("L", "lumpectomy", date(2024, 5, 1), site="2 o'clock", source="csv")
    world.tracker.treatments.add_treatment(PatientKey("P1", "HOSPITAL"), surgery, world.now)
    query = RUNBOOK.read_text(encoding="utf-8").split("```sql")[1].split("```")[0]
    path = tmp_path / "treatments.csv"
    with world.tracker.database.begin_read() as session, path.open("w", newline="") as file:
        rows = session.execute(text(query))
        writer = csv.writer(file)
        writer.writerow(rows.keys())
        writer.writerows(rows)
    (row,) = read_treatment_file(path)
    assert row.patient == PatientKey("P1", "HOSPITAL")
    assert (row.treatment.started_on, row.treatment.procedure.value) == (
        date(2024, 5, 1),
        "lumpectomy",
    )


def set_version(url: str, version: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


def test_a_database_of_another_kind_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(SettingsError) as refused:
        open_engine("mysql://someone:secret@host/name")
    assert "secret" not in str(refused.value)
