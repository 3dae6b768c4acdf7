"""The first tables, and the read-only views for people who query the tracker themselves.

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _create_studies()
    _create_results()
    _create_deliveries()
    _create_commitments()
    _create_operations()
    for view in (V_STUDIES, V_FINDINGS, V_DELIVERIES, V_REFUSALS):
        op.execute(view)


def _create_studies() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("patient_id", "issuer", name=op.f("uq_patients_patient_id_issuer")),
    )
    op.create_table(
        "treatments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(length=1), nullable=False),
        sa.Column("procedure", sa.String(length=40), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patients.id"], name=op.f("fk_treatments_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatments")),
    )
    op.create_index(op.f("ix_treatments_patient"), "treatments", ["patient"], unique=False)
    op.create_table(
        "studies",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.Integer(), nullable=True),
        sa.Column("study_date", sa.Date(), nullable=True),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("hold_reason", sa.String(length=40), nullable=True),
        sa.Column("exempt", sa.Boolean(), nullable=False),
        sa.Column("first_arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quiet_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settle_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_cause", sa.String(length=40), nullable=True),
        sa.Column("requested_by", sa.String(length=80), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("shown_findings", sa.Integer(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient"], ["patients.id"], name=op.f("fk_studies_patient")),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_studies")),
    )
    op.create_index(
        op.f("ix_studies_last_arrived_at"), "studies", ["last_arrived_at"], unique=False
    )
    op.create_index(op.f("ix_studies_outcome"), "studies", ["outcome"], unique=False)
    op.create_index(
        op.f("ix_studies_patient_study_date"), "studies", ["patient", "study_date"], unique=False
    )
    op.create_index(
        op.f("ix_studies_state_quiet_due_at"), "studies", ["state", "quiet_due_at"], unique=False
    )
    op.create_index(
        op.f("ix_studies_state_settle_due_at"), "studies", ["state", "settle_due_at"], unique=False
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_series_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("study_uid", "series_uid", name=op.f("uq_series_study_uid_series_uid")),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("association", sa.String(length=64), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("scope_reason", sa.String(length=40), nullable=True),
        sa.Column("laterality", sa.String(length=1), nullable=True),
        sa.Column("view", sa.String(length=16), nullable=True),
        sa.Column("intent", sa.String(length=16), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("conflict", sa.Boolean(), nullable=False),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["series"], ["series.id"], name=op.f("fk_instances_series")),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_instances_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint(
            "sop_instance_uid", "sha256", name=op.f("uq_instances_sop_instance_uid_sha256")
        ),
    )
    op.create_index(
        op.f("ix_instances_study_uid_current"), "instances", ["study_uid", "current"], unique=False
    )
    op.create_table(
        "rejections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("note_uid", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_rejections_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejections")),
        sa.UniqueConstraint(
            "study_uid", "sop_instance_uid", name=op.f("uq_rejections_study_uid_sop_instance_uid")
        ),
    )


def _create_results() -> None:
    op.create_table(
        "revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("inputs", DOCUMENT, nullable=False),
        sa.Column("settings_digest", sa.String(length=64), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("reasons", DOCUMENT, nullable=False),
        sa.Column("predecessor", sa.Integer(), nullable=True),
        sa.Column("requested_by", sa.String(length=80), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.Column("content_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_revisions_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("study_uid", "number", name=op.f("uq_revisions_study_uid_number")),
    )
    op.create_index(
        op.f("ix_revisions_state_started_at"), "revisions", ["state", "started_at"], unique=False
    )
    op.create_table(
        "image_results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=True),
        sa.Column("reasons", DOCUMENT, nullable=False),
        sa.Column("gates", DOCUMENT, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision"], ["revisions.id"], name=op.f("fk_image_results_revision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_results")),
        sa.UniqueConstraint(
            "revision", "sop_instance_uid", name=op.f("uq_image_results_revision_sop_instance_uid")
        ),
    )
    op.create_table(
        "lesions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient", sa.Integer(), nullable=True),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("first_study_uid", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["first_study_uid"], ["studies.study_uid"], name=op.f("fk_lesions_first_study_uid")
        ),
        sa.ForeignKeyConstraint(["patient"], ["patients.id"], name=op.f("fk_lesions_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesions")),
        sa.UniqueConstraint("tracking_uid", name=op.f("uq_lesions_tracking_uid")),
    )
    op.create_index(op.f("ix_lesions_patient"), "lesions", ["patient"], unique=False)
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("finding_id", sa.String(length=40), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("certainty", sa.Double(), nullable=False),
        sa.Column("suspicion", sa.Double(), nullable=True),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("lesion", sa.Integer(), nullable=True),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["lesion"], ["lesions.id"], name=op.f("fk_findings_lesion")),
        sa.ForeignKeyConstraint(["revision"], ["revisions.id"], name=op.f("fk_findings_revision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint("revision", "finding_id", name=op.f("uq_findings_revision_finding_id")),
    )
    op.create_index(op.f("ix_findings_lesion"), "findings", ["lesion"], unique=False)


def _create_deliveries() -> None:
    op.create_table(
        "destinations",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destinations")),
    )
    op.create_table(
        "destination_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=40), nullable=False),
        sa.Column("old_mode", sa.String(length=40), nullable=True),
        sa.Column("new_mode", sa.String(length=40), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["destination"], ["destinations.name"], name=op.f("fk_destination_changes_destination")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destination_changes")),
    )
    op.create_index(
        op.f("ix_destination_changes_destination"),
        "destination_changes",
        ["destination"],
        unique=False,
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("source_uid", sa.String(length=64), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["revision"], ["revisions.id"], name=op.f("fk_outbox_revision")),
        sa.ForeignKeyConstraint(
            ["study_uid"], ["studies.study_uid"], name=op.f("fk_outbox_study_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "revision",
            "profile",
            "kind",
            "index",
            name=op.f("uq_outbox_revision_profile_kind_index"),
        ),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_outbox_sop_instance_uid")),
    )
    op.create_index(op.f("ix_outbox_study_uid"), "outbox", ["study_uid"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outbox", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim", sa.String(length=64), nullable=True),
        sa.Column("leased_by", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proof", sa.String(length=40), nullable=True),
        sa.Column("first_stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proof_asked", sa.Integer(), nullable=False),
        sa.Column("proof_refused", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["destination"], ["destinations.name"], name=op.f("fk_deliveries_destination")
        ),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name=op.f("fk_deliveries_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("outbox", "destination", name=op.f("uq_deliveries_outbox_destination")),
    )
    op.create_index(op.f("ix_deliveries_claim"), "deliveries", ["claim"], unique=False)
    op.create_index(
        op.f("ix_deliveries_destination_state_due_at"),
        "deliveries",
        ["destination", "state", "due_at"],
        unique=False,
    )


def _create_commitments() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["destination"], ["destinations.name"], name=op.f("fk_commitments_destination")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint("transaction_uid", name=op.f("uq_commitments_transaction_uid")),
    )
    op.create_index(
        op.f("ix_commitments_destination_state_due_at"),
        "commitments",
        ["destination", "state", "due_at"],
        unique=False,
    )
    op.create_table(
        "commitment_items",
        sa.Column("commitment", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.Integer(), nullable=False),
        sa.Column("committed", sa.Boolean(), nullable=True),
        sa.Column("failure_reason", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["commitment"], ["commitments.id"], name=op.f("fk_commitment_items_commitment")
        ),
        sa.ForeignKeyConstraint(
            ["delivery"], ["deliveries.id"], name=op.f("fk_commitment_items_delivery")
        ),
        sa.PrimaryKeyConstraint("commitment", "delivery", name=op.f("pk_commitment_items")),
    )
    op.create_index(
        op.f("ix_commitment_items_delivery"), "commitment_items", ["delivery"], unique=False
    )


def _create_operations() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("severity", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_alarms_kind_subject")),
    )
    op.create_index(op.f("ix_alarms_cleared_at"), "alarms", ["cleared_at"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=64), nullable=False),
        sa.Column("called_ae_title", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sa.UniqueConstraint(
            "what",
            "reason",
            "calling_ae_title",
            "called_ae_title",
            "address",
            "sop_class_uid",
            "transfer_syntax",
            name="uq_refusals_alike",
        ),
    )
    op.create_table(
        "open_associations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=80), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_associations")),
    )
    op.create_index(
        op.f("ix_open_associations_receiver"), "open_associations", ["receiver"], unique=False
    )
    op.create_table(
        "association_studies",
        sa.Column("association", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["association"],
            ["open_associations.id"],
            name=op.f("fk_association_studies_association"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("association", "study_uid", name=op.f("pk_association_studies")),
    )
    op.create_index(
        op.f("ix_association_studies_study_uid"), "association_studies", ["study_uid"], unique=False
    )
    op.create_table(
        "processes",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_processes")),
    )


# The views are a contract: columns may be added, none is renamed or taken away. They name no
# patient; `patient` is the key of the table `patients`, for those who may join it.

# One row a study: where it stands, and what its latest finished revision ended in.
V_STUDIES = """
CREATE VIEW v_studies AS
SELECT
    s.study_uid,
    s.patient,
    s.study_date,
    s.peer,
    s.state,
    s.hold_reason,
    r.number AS revision,
    r.cause,
    r.outcome,
    r.reasons,
    r.model_digest,
    r.settings_digest,
    (SELECT count(*) FROM instances i WHERE i.study_uid = s.study_uid AND i.current) AS instances,
    s.first_arrived_at,
    s.last_arrived_at,
    r.started_at,
    r.finished_at
FROM studies s
LEFT JOIN revisions r ON r.study_uid = s.study_uid AND r.number = (
    SELECT max(f.number) FROM revisions f
    WHERE f.study_uid = s.study_uid AND f.state = 'finished'
)
"""

# One row a finding of a study's latest finished revision, hidden ones too.
V_FINDINGS = """
CREATE VIEW v_findings AS
SELECT
    v.study_uid,
    v.patient,
    v.study_date,
    v.revision,
    f.finding_id,
    f.sop_instance_uid,
    f.kind,
    f.certainty,
    f.suspicion,
    f.shown,
    l.tracking_uid,
    f.document
FROM v_studies v
JOIN revisions r ON r.study_uid = v.study_uid AND r.number = v.revision
JOIN findings f ON f.revision = r.id
LEFT JOIN lesions l ON l.id = f.lesion
"""

# One row for each result object and destination.
V_DELIVERIES = """
CREATE VIEW v_deliveries AS
SELECT
    o.study_uid,
    r.number AS revision,
    o.profile,
    o.kind,
    o.sop_instance_uid,
    o.sha256,
    d.destination,
    d.state,
    d.attempts,
    d.due_at,
    d.last_status,
    d.last_error,
    d.created_at,
    d.delivered_at,
    d.proof,
    d.stored_at,
    d.proof_asked,
    d.proof_refused
FROM deliveries d
JOIN outbox o ON o.id = d.outbox
JOIN revisions r ON r.id = o.revision
"""

# What peers were refused, alike refusals counted together.
V_REFUSALS = """
CREATE VIEW v_refusals AS
SELECT
    what,
    reason,
    calling_ae_title,
    called_ae_title,
    address,
    sop_class_uid,
    transfer_syntax,
    count,
    first_at,
    last_at
FROM refusals
"""
