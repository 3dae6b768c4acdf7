"""What lesions were in priors that were read again, and what radiologists said of exams.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "prior_findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("finding_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("certainty", sa.Double(), nullable=False),
        sa.Column("suspicion", sa.Double(), nullable=True),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("lesion", sa.Integer(), nullable=False),
        sa.Column("missed", sa.String(length=40), nullable=True),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["revision"], ["revisions.id"], name=op.f("fk_prior_findings_revision")
        ),
        sa.ForeignKeyConstraint(["lesion"], ["lesions.id"], name=op.f("fk_prior_findings_lesion")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prior_findings")),
        sa.UniqueConstraint(
            "revision",
            "sop_instance_uid",
            "finding_id",
            name=op.f("uq_prior_findings_revision_sop_instance_uid_finding_id"),
        ),
    )
    for column in ("lesion", "sop_instance_uid"):
        op.create_index(op.f(f"ix_prior_findings_{column}"), "prior_findings", [column])
    op.create_index(op.f("ix_findings_sop_instance_uid"), "findings", ["sop_instance_uid"])
    op.create_table(
        "assessments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=1), nullable=False),
        sa.Column("category", sa.String(length=2), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_assessments_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
    )
    op.create_index(op.f("ix_assessments_study_uid"), "assessments", ["study_uid"])
    op.execute(V_LESIONS)


# One row for each time that a lesion was seen in an image, in the latest results of any study: in
# its own images, and in those of its priors as they were read again (`study_uid` is then the
# prior's). Columns may be added, none is renamed or taken away.
V_LESIONS = """
CREATE VIEW v_lesions AS
SELECT
    v.tracking_uid,
    v.patient,
    v.study_uid AS read_for_study_uid,
    v.revision,
    v.study_uid,
    v.sop_instance_uid,
    v.finding_id,
    v.kind,
    v.certainty,
    v.suspicion,
    v.shown,
    NULL AS missed
FROM v_findings v
WHERE v.tracking_uid IS NOT NULL
UNION ALL
SELECT
    l.tracking_uid,
    l.patient,
    s.study_uid,
    s.revision,
    p.study_uid,
    p.sop_instance_uid,
    p.finding_id,
    p.kind,
    p.certainty,
    p.suspicion,
    p.shown,
    p.missed
FROM v_studies s
JOIN revisions r ON r.study_uid = s.study_uid AND r.number = s.revision
JOIN prior_findings p ON p.revision = r.id
JOIN lesions l ON l.id = p.lesion
"""
