"""What archives are asked for as priors, and which priors a revision was made with.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "prior_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("errand", sa.String(length=40), nullable=False),
        sa.Column("prior_study_uid", sa.String(length=64), nullable=False),
        sa.Column("prior_study_date", sa.Date(), nullable=True),
        sa.Column("series", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gives_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settles_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claim", sa.String(length=64), nullable=True),
        sa.Column("leased_by", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_prior_requests_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prior_requests")),
        sa.UniqueConstraint(
            "study_uid",
            "source",
            "prior_study_uid",
            name=op.f("uq_prior_requests_study_uid_source_prior_study_uid"),
        ),
    )
    for columns in (["source", "state", "due_at"], ["prior_study_uid"], ["settles_at"]):
        name = op.f("ix_prior_requests_" + "_".join(columns))
        op.create_index(name, "prior_requests", columns, unique=False)
    op.add_column("studies", sa.Column("priors_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("revisions", sa.Column("priors", DOCUMENT, nullable=True))
    op.execute(V_PRIORS)


# One row for each question to an archive; a row without a prior is a query.
V_PRIORS = """
CREATE VIEW v_priors AS
SELECT
    study_uid,
    source,
    errand,
    prior_study_uid,
    prior_study_date,
    state,
    reason,
    attempts,
    created_at,
    due_at,
    gives_up_at,
    finished_at
FROM prior_requests
"""
