"""A newer version of the program, as a folder beside this one: other steps, and other tables."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT

WEIGHED = "weighed_studies"
"""A table that only the newer version has: the studies that were read by the newer steps."""

_ORDER = """

READ_BEFORE, READ = READ, "read.v2"


def run_reading_anew(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    for instance_uid in run("plan", steps.plan, study_uid, revision):
        run(f"look at {instance_uid}", steps.detect, study_uid, revision, instance_uid)
    run("weigh", steps.weigh, study_uid, revision)
    for instance_uid in run("plan priors", steps.plan_priors, study_uid, revision):
        run(f"detect prior {instance_uid}", steps.detect_prior, study_uid, revision, instance_uid)
    rechecked = run("recheck priors", steps.recheck_priors, study_uid, revision)
    run("record", steps.record, study_uid, revision, rechecked)
    run("tidy", steps.tidy, study_uid, revision)


READINGS = {READ_BEFORE: run_reading, READ: run_reading_anew}
"""

_STEPS = f"""

def _weigh(self, study_uid, revision):
    from sqlalchemy import text

    with self._tools.tracker.database.begin_write() as session:
        values = {{"uid": study_uid}}
        session.execute(text("DELETE FROM {WEIGHED} WHERE study_uid = :uid"), values)
        session.execute(text("INSERT INTO {WEIGHED} VALUES (:uid)"), values)


ReadingSteps.weigh = _weigh
"""

_TABLES = """

StudyRow.weight = mapped_column(String(10), nullable=True)
"""

_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "v9_999"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("studies", sa.Column("weight", sa.String(10), nullable=True))
    op.create_table("{table}", sa.Column("study_uid", sa.String(64), primary_key=True))
"""


def make_newer_version(folder: Path) -> Path:
    """Make the newer version in a folder; return what has to come first on PYTHONPATH.

    It begins readings by other steps, one of them renamed and one new, which writes into a new
    table; a table has a new column. The steps of this version stay until they are drained.
    """
    package = folder / "service" / "secondread"
    shutil.copytree(
        ROOT / "service" / "secondread", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "models").symlink_to(ROOT / "models")
    _append(package / "workflow" / "order.py", _ORDER)
    _append(package / "workflow" / "steps.py", _STEPS)
    _append(package / "track" / "tables" / "study_tables.py", _TABLES)
    migrate = package / "track" / "migrate.py"
    found = re.search(r'NEWEST_VERSION = "(\w+)"', migrate.read_text())
    assert found is not None
    migrate.write_text(migrate.read_text().replace(found[0], 'NEWEST_VERSION = "v9_999"'))
    migration = _MIGRATION.format(before=found[1], table=WEIGHED)
    (package / "track" / "migrations" / "versions" / "v9_999_newer.py").write_text(migration)
    return folder / "service"


def prefer(first: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a folder comes first on PYTHONPATH."""
    paths = os.pathsep.join([str(first), environment["PYTHONPATH"]])
    return {**environment, "PYTHONPATH": paths}


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)
