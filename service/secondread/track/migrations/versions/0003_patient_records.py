"""Patients that are one, and who changed what of a patient's record.

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("patients") as patients:
        patients.add_column(sa.Column("merged_into", sa.Integer(), nullable=True))
        patients.create_foreign_key(
            op.f("fk_patients_merged_into"), "patients", ["merged_into"], ["id"]
        )
    op.create_table(
        "patient_merges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("merged", sa.Integer(), nullable=False),
        sa.Column("into", sa.Integer(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("treatments", sa.Integer(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["merged"], ["patients.id"], name=op.f("fk_patient_merges_merged")),
        sa.ForeignKeyConstraint(["into"], ["patients.id"], name=op.f("fk_patient_merges_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merges")),
    )
    for column in ("merged", "into"):
        op.create_index(op.f(f"ix_patient_merges_{column}"), "patient_merges", [column])
    op.create_table(
        "treatment_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient", sa.Integer(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("side", sa.String(length=1), nullable=False),
        sa.Column("procedure", sa.String(length=40), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient"], ["patients.id"], name=op.f("fk_treatment_changes_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment_changes")),
    )
    op.create_index(op.f("ix_treatment_changes_patient"), "treatment_changes", ["patient"])
