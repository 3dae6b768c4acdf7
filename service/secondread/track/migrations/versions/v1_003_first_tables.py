"""The first tables, and the read-only views for people who query the tracker themselves.

Nothing here is imported from the program: a migration must not change with it.

Revises: nothing
"""

from functools import partial

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "v1_003"
down_revision = None
branch_labels = None
depends_on = None

CODE = sa.String(40)
UID = sa.String(64)
DIGEST = sa.String(64)
AE_TEXT = sa.String(64)
PERSON = sa.String(80)
INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

TABLES = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_key = partial(sa.Column, primary_key=True)
_required = partial(sa.Column, nullable=False)
_optional = partial(sa.Column, nullable=True)


def _table(name: str, *columns_and_constraints: sa.schema.SchemaItem) -> None:
    sa.Table(name, TABLES, *columns_and_constraints)


def _index_some(name: str, *columns: str, where: str) -> sa.Index:
    condition = sa.text(where)
    return sa.Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def _dismissible() -> tuple[sa.Column[object], ...]:
    return (
        _optional("dismissed_at", INSTANT),
        _optional("dismissed_by", PERSON),
        _optional("dismiss_reason", sa.Text()),
    )


IS_UNDELIVERED = "state IN ('pending', 'sending', 'stored')"


def upgrade() -> None:
    TABLES.create_all(op.get_bind(), checkfirst=False)
    for view in VIEWS:
        op.execute(view)
    for counted in COUNTED:
        for statement in _count(*counted):
            op.get_bind().exec_driver_sql(statement)


# What came in: patients, studies, series, instances, treatments.

_table(
    "installation",
    _key("id", sa.Integer(), autoincrement=False),
    _required("uid", sa.String(32)),
    sa.CheckConstraint("id = 1", name="one_row"),
)
_table(
    "patients",
    _key("id", sa.Integer()),
    _required("patient_id", sa.Text()),
    _required("issuer", sa.Text()),
    _optional("merged_into", sa.Integer(), sa.ForeignKey("patients.id")),
    sa.UniqueConstraint("patient_id", "issuer"),
    sa.Index("ix_patients_id_in_any_case", sa.text("lower(patient_id)")),
    _index_some("ix_patients_merged_into", "merged_into", where="merged_into IS NOT NULL"),
)
_table(
    "patient_identities",
    _key("id", sa.Integer()),
    _required("patient", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("name", sa.Text()),
    _required("born", sa.String(24)),
    _optional("confirmed_at", INSTANT),
    _optional("confirmed_by", PERSON),
    sa.UniqueConstraint("patient", "name", "born"),
)
_table(
    "patient_merges",
    _key("id", sa.Integer()),
    _required("merged", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("into", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("studies", sa.Integer()),
    _required("treatments", sa.Integer()),
    _required("merged_at", INSTANT),
    _required("merged_by", PERSON),
    sa.Index(None, "merged"),
    sa.Index(None, "into"),
)
_table(
    "treatments",
    _key("id", sa.Integer()),
    _required("patient", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("side", sa.String(1)),
    _required("procedure", CODE),
    _optional("started_on", sa.Date()),
    _optional("ended_on", sa.Date()),
    _required("site", sa.Text()),
    _required("source", sa.String(40)),
    _required("recorded_at", INSTANT),
    sa.Index(None, "patient"),
)
_table(
    "treatment_changes",
    _key("id", sa.Integer()),
    _required("patient", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("added", sa.Boolean()),
    _required("side", sa.String(1)),
    _required("procedure", CODE),
    _optional("started_on", sa.Date()),
    _optional("ended_on", sa.Date()),
    _required("site", sa.Text()),
    _required("changed_at", INSTANT),
    _required("changed_by", PERSON),
    sa.Index(None, "patient"),
)
_table(
    "studies",
    _key("study_uid", UID),
    _optional("patient", sa.Integer(), sa.ForeignKey("patients.id")),
    _optional("study_date", sa.Date()),
    _optional("accession_number", sa.String(64)),
    _optional("device", sa.String(200)),
    _required("peer", AE_TEXT),
    _required("state", CODE),
    _optional("hold_reason", CODE),
    _required("exempt", sa.Boolean()),
    _required("first_arrived_at", INSTANT),
    _required("last_arrived_at", INSTANT),
    _optional("quiet_due_at", INSTANT),
    _optional("settle_due_at", INSTANT),
    _optional("next_cause", CODE),
    _optional("requested_by", PERSON),
    _required("revision", sa.Integer()),
    _optional("outcome", CODE),
    _required("shown_findings", sa.Integer()),
    _optional("reported_at", INSTANT),
    _optional("priors_due_at", INSTANT),
    *_dismissible(),
    _index_some("ix_studies_quiet_due_at", "quiet_due_at", where="quiet_due_at IS NOT NULL"),
    _index_some("ix_studies_settle_due_at", "settle_due_at", where="settle_due_at IS NOT NULL"),
    _index_some("ix_studies_priors_due_at", "priors_due_at", where="priors_due_at IS NOT NULL"),
    sa.Index(None, "patient", "study_date"),
    sa.Index(None, "last_arrived_at", "study_uid"),
    sa.Index(None, "state", "last_arrived_at", "study_uid"),
    sa.Index(None, "outcome", "last_arrived_at", "study_uid"),
    sa.Index(None, "first_arrived_at"),
    sa.Index(None, "study_date", "study_uid"),
    sa.Index("ix_studies_accession", sa.text("lower(accession_number)")),
    _index_some(
        "ix_studies_failed",
        "last_arrived_at",
        "study_uid",
        where="dismissed_at IS NULL AND (outcome = 'failed' OR state = 'stuck')",
    ),
)
_table(
    "series",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("series_uid", UID),
    _required("modality", sa.String(64)),
    sa.UniqueConstraint("study_uid", "series_uid"),
)
_table(
    "instances",
    _key("id", sa.Integer()),
    _required("sop_instance_uid", UID),
    _required("sha256", DIGEST),
    _required("sop_class_uid", UID),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("series", sa.Integer(), sa.ForeignKey("series.id")),
    _required("transfer_syntax", UID),
    _required("path", sa.Text()),
    _required("size_bytes", sa.BigInteger()),
    _required("peer", AE_TEXT),
    _required("address", sa.String(64)),
    _required("association", sa.String(64)),
    _required("arrived_at", INSTANT),
    _required("disposition", CODE),
    _optional("scope_reason", CODE),
    _optional("identity", sa.Integer(), sa.ForeignKey("patient_identities.id")),
    _optional("laterality", sa.String(1)),
    _optional("view", sa.String(16)),
    _optional("intent", sa.String(16)),
    _required("current", sa.Boolean()),
    _required("conflict", sa.Boolean()),
    _optional("withheld", CODE),
    _required("set_aside", sa.Boolean()),
    _optional("rejected_at", INSTANT),
    _required("late", sa.Boolean()),
    sa.UniqueConstraint("sop_instance_uid", "sha256"),
    sa.Index(None, "study_uid", "current"),
    sa.Index(None, "identity"),
)
_table(
    "other_objects",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("series_uid", UID),
    _required("sop_instance_uid", UID),
    _required("sop_class_uid", UID),
    _required("transfer_syntax", UID),
    _required("sha256", DIGEST),
    _required("path", sa.Text()),
    _required("size_bytes", sa.BigInteger()),
    _required("peer", AE_TEXT),
    _required("arrived_at", INSTANT),
    _required("disposition", CODE),
    _required("is_altered", sa.Boolean()),
    sa.UniqueConstraint("sop_instance_uid", "sha256"),
    sa.Index(None, "study_uid"),
    sa.Index(None, "arrived_at"),
    sa.Index(None, "peer", "is_altered"),
)
_table(
    "rejections",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("sop_instance_uid", UID),
    _required("note_uid", UID),
    _required("code", sa.String(16)),
    _required("peer", AE_TEXT),
    _required("address", sa.String(64)),
    _required("state", CODE),
    _required("rejected_at", INSTANT),
    sa.UniqueConstraint("study_uid", "sop_instance_uid", "note_uid", "peer", "address"),
)

# What was read: revisions, images, findings, lesions.

_table(
    "revisions",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("number", sa.Integer()),
    _required("cause", CODE),
    _required("inputs", DOCUMENT),
    _required("set_aside", DOCUMENT),
    _required("settings_digest", DIGEST),
    _required("model_digest", DIGEST),
    _required("state", CODE),
    _optional("outcome", CODE),
    _required("reasons", DOCUMENT),
    _optional("predecessor", sa.Integer()),
    _optional("requested_by", PERSON),
    _required("worker", sa.String(80)),
    _required("run", sa.Integer()),
    _optional("step", sa.String(100)),
    _required("in_step", sa.Boolean()),
    _required("faults", sa.Integer()),
    _required("deaths", sa.Integer()),
    _optional("held_up_at", INSTANT),
    _required("content_at", INSTANT),
    _optional("due_at", INSTANT),
    _required("started_at", INSTANT),
    _optional("finished_at", INSTANT),
    _optional("error", sa.Text()),
    _optional("priors", DOCUMENT),
    _required("doubtful", DOCUMENT),
    _optional("basis_digest", DIGEST),
    _optional("exam_score", sa.Double()),
    _optional("exam_log_odds", sa.Double()),
    _optional("priority", sa.Double()),
    sa.UniqueConstraint("study_uid", "number"),
    sa.Index(None, "started_at"),
    sa.Index(None, "finished_at"),
    _index_some("ix_revisions_under_way", "started_at", where="state = 'started'"),
)
_table(
    "image_results",
    _key("id", sa.Integer()),
    _required("revision", sa.Integer(), sa.ForeignKey("revisions.id")),
    _required("sop_instance_uid", UID),
    _required("label", sa.String(32)),
    _optional("status", CODE),
    _required("reasons", DOCUMENT),
    _required("gates", DOCUMENT),
    _required("seconds", sa.Double()),
    _required("detail", sa.Text()),
    _optional("answer", sa.Text()),
    sa.UniqueConstraint("revision", "sop_instance_uid"),
)
_table(
    "known_answers",
    _key("id", sa.Integer()),
    _required("sha256", DIGEST),
    _required("maker", DIGEST),
    _required("path", sa.Text()),
    sa.UniqueConstraint("sha256", "maker"),
)
_table(
    "lesions",
    _key("id", sa.Integer()),
    _optional("patient", sa.Integer(), sa.ForeignKey("patients.id")),
    _required("tracking_uid", UID),
    _required("first_study_uid", UID, sa.ForeignKey("studies.study_uid")),
    sa.UniqueConstraint("tracking_uid"),
    sa.Index(None, "patient"),
)
_table(
    "findings",
    _key("id", sa.Integer()),
    _required("revision", sa.Integer(), sa.ForeignKey("revisions.id")),
    _required("finding_id", sa.String(40)),
    _required("sop_instance_uid", UID),
    _required("kind", sa.String(40)),
    _required("certainty", sa.Double()),
    _optional("certainty_log_odds", sa.Double()),
    _optional("suspicion", sa.Double()),
    _optional("priority", sa.Double()),
    _required("shown", sa.Boolean()),
    _optional("lesion", sa.Integer(), sa.ForeignKey("lesions.id")),
    _required("document", DOCUMENT),
    sa.UniqueConstraint("revision", "finding_id"),
    sa.Index(None, "lesion"),
    sa.Index(None, "sop_instance_uid"),
)
_table(
    "prior_findings",
    _key("id", sa.Integer()),
    _required("revision", sa.Integer(), sa.ForeignKey("revisions.id")),
    _required("study_uid", UID),
    _required("sop_instance_uid", UID),
    _required("finding_id", sa.String(40)),
    _required("label", sa.String(32)),
    _required("kind", sa.String(40)),
    _required("certainty", sa.Double()),
    _optional("certainty_log_odds", sa.Double()),
    _optional("suspicion", sa.Double()),
    _optional("priority", sa.Double()),
    _required("shown", sa.Boolean()),
    _required("lesion", sa.Integer(), sa.ForeignKey("lesions.id")),
    _optional("missed", sa.String(40)),
    _required("document", DOCUMENT),
    sa.UniqueConstraint("revision", "sop_instance_uid", "finding_id"),
    sa.Index(None, "lesion"),
    sa.Index(None, "sop_instance_uid"),
)
_table(
    "verdicts",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("revision", sa.Integer()),
    _required("finding_id", sa.String(40)),
    _required("verdict", CODE),
    _required("recorded_at", INSTANT),
    _required("recorded_by", PERSON),
    sa.Index(None, "study_uid", "revision"),
    sa.Index(None, "recorded_at"),
)
_table(
    "assessments",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("side", sa.String(1)),
    _required("category", sa.String(2)),
    _required("recorded_at", INSTANT),
    _required("recorded_by", PERSON),
    sa.Index(None, "study_uid"),
)

# What leaves, and what archives are asked for.

_table(
    "destinations",
    _key("name", sa.String(40)),
    _required("mode", CODE),
    _required("changed_at", INSTANT),
    _required("changed_by", PERSON),
)
_table(
    "destination_changes",
    _key("id", sa.Integer()),
    _required("destination", sa.String(40), sa.ForeignKey("destinations.name")),
    _optional("old_mode", CODE),
    _required("new_mode", CODE),
    _required("changed_at", INSTANT),
    _required("changed_by", PERSON),
    sa.Index(None, "destination"),
)
_table(
    "outbox",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("revision", sa.Integer(), sa.ForeignKey("revisions.id")),
    _required("profile", sa.String(80)),
    _required("kind", CODE),
    _required("index", sa.Integer()),
    _required("sop_class_uid", UID),
    _required("series_uid", UID),
    _required("sop_instance_uid", UID),
    _optional("source_uid", UID),
    _required("path", sa.Text()),
    _required("sha256", DIGEST),
    _required("size_bytes", sa.BigInteger()),
    _required("written_at", INSTANT),
    sa.UniqueConstraint("revision", "profile", "kind", "index"),
    sa.UniqueConstraint("sop_instance_uid"),
    sa.Index(None, "study_uid"),
)
_table(
    "deliveries",
    _key("id", sa.Integer()),
    _required("outbox", sa.Integer(), sa.ForeignKey("outbox.id")),
    _required("destination", sa.String(40), sa.ForeignKey("destinations.name")),
    _required("state", CODE),
    _required("created_at", INSTANT),
    _required("due_at", INSTANT),
    _required("attempts", sa.Integer()),
    _optional("claim", sa.String(64)),
    _optional("leased_by", sa.String(80)),
    _optional("lease_until", INSTANT),
    _optional("last_status", sa.Integer()),
    _optional("last_error", sa.Text()),
    _optional("delivered_at", INSTANT),
    _optional("proof", CODE),
    _optional("first_stored_at", INSTANT),
    _optional("stored_at", INSTANT),
    _required("proof_asked", sa.Integer()),
    _required("proof_refused", sa.Integer()),
    sa.UniqueConstraint("outbox", "destination"),
    _index_some("ix_deliveries_leased_by", "leased_by", where="leased_by IS NOT NULL"),
    sa.Index(None, "destination", "state", "due_at"),
    sa.Index(None, "claim"),
    _index_some(
        "ix_deliveries_delivered",
        "destination",
        "delivered_at",
        where="delivered_at IS NOT NULL",
    ),
    _index_some("ix_deliveries_waiting", "destination", "created_at", where=IS_UNDELIVERED),
    _index_some(
        "ix_deliveries_unproven",
        "destination",
        "first_stored_at",
        where=f"first_stored_at IS NOT NULL AND {IS_UNDELIVERED}",
    ),
    _index_some(
        "ix_deliveries_failed",
        "destination",
        "due_at",
        where=f"last_error IS NOT NULL AND {IS_UNDELIVERED}",
    ),
)
_table(
    "commitments",
    _key("id", sa.Integer()),
    _required("transaction_uid", UID),
    _required("destination", sa.String(40), sa.ForeignKey("destinations.name")),
    _required("state", CODE),
    _required("requested_at", INSTANT),
    _required("due_at", INSTANT),
    _optional("reported_at", INSTANT),
    _optional("error", sa.Text()),
    sa.UniqueConstraint("transaction_uid"),
    sa.Index(None, "destination", "state", "due_at"),
)
_table(
    "commitment_items",
    _key("commitment", sa.Integer(), sa.ForeignKey("commitments.id")),
    _key("delivery", sa.Integer(), sa.ForeignKey("deliveries.id")),
    _optional("committed", sa.Boolean()),
    _optional("failure_reason", sa.Integer()),
    sa.Index(None, "delivery"),
)
_table(
    "prior_requests",
    _key("id", sa.Integer()),
    _required("study_uid", UID, sa.ForeignKey("studies.study_uid")),
    _required("source", sa.String(40)),
    _required("errand", CODE),
    _required("prior_study_uid", UID),
    _optional("prior_study_date", sa.Date()),
    _required("series", DOCUMENT),
    _required("state", CODE),
    _optional("reason", CODE),
    _optional("detail", sa.Text()),
    _required("attempts", sa.Integer()),
    _required("created_at", INSTANT),
    _required("due_at", INSTANT),
    _required("gives_up_at", INSTANT),
    _optional("settles_at", INSTANT),
    _optional("claim", sa.String(64)),
    _optional("leased_by", sa.String(80)),
    _optional("lease_until", INSTANT),
    _optional("claimed_at", INSTANT),
    _optional("finished_at", INSTANT),
    sa.UniqueConstraint("study_uid", "source", "prior_study_uid"),
    _index_some("ix_prior_requests_leased_by", "leased_by", where="leased_by IS NOT NULL"),
    sa.Index(None, "source", "state", "due_at"),
    sa.Index(None, "source", "claimed_at"),
    sa.Index(None, "prior_study_uid"),
    sa.Index(None, "settles_at"),
)

# The running node: processes, associations, refusals, alarms.

_table(
    "alarms",
    _key("id", sa.Integer()),
    _required("kind", sa.String(40)),
    _required("subject", sa.String(120)),
    _required("severity", CODE),
    _required("detail", sa.Text()),
    _required("raised_at", INSTANT),
    _optional("cleared_at", INSTANT),
    *_dismissible(),
    sa.UniqueConstraint("kind", "subject"),
    sa.Index(None, "cleared_at"),
    sa.Index(None, "subject"),
)
_table(
    "refusals",
    _key("id", sa.Integer()),
    _required("what", sa.String(32)),
    _required("reason", CODE),
    _required("calling_ae_title", AE_TEXT),
    _required("called_ae_title", AE_TEXT),
    _required("address", sa.String(64)),
    _required("sop_class_uid", UID),
    _required("transfer_syntax", UID),
    _required("count", sa.Integer()),
    _required("first_at", INSTANT),
    _required("last_at", INSTANT),
    *_dismissible(),
    sa.UniqueConstraint(
        "what",
        "reason",
        "calling_ae_title",
        "called_ae_title",
        "address",
        "sop_class_uid",
        "transfer_syntax",
        # Fits the 63 characters that PostgreSQL allows a name.
        name="uq_refusals_alike",
    ),
)
_table(
    "arrival_checks",
    _key("source", sa.String(40)),
    _required("due_at", INSTANT),
    _required("attempts", sa.Integer()),
    _optional("checked_at", INSTANT),
    _optional("listed", sa.Integer()),
    _optional("unreadable", sa.Integer()),
    _optional("last_error", sa.Text()),
    _optional("claim", sa.String(64)),
    _optional("leased_by", sa.String(80)),
    _optional("lease_until", INSTANT),
)
_table(
    "missing_studies",
    _key("study_uid", UID),
    _required("source", sa.String(40)),
    _required("study_date", sa.Date()),
    _required("first_listed_at", INSTANT),
    _required("last_listed_at", INSTANT),
    _optional("ignored_at", INSTANT),
    _optional("ignored_by", sa.String(80)),
    _optional("ignore_reason", sa.Text()),
    sa.Index(None, "source", "study_date"),
)
_table(
    "open_associations",
    _key("id", sa.String(64)),
    _required("receiver", sa.String(80)),
    _required("peer", AE_TEXT),
    _required("address", sa.String(64)),
    _required("opened_at", INSTANT),
    sa.Index(None, "receiver"),
)
_table(
    "association_studies",
    _key("association", sa.String(64), sa.ForeignKey("open_associations.id", ondelete="CASCADE")),
    _key("study_uid", UID),
    sa.Index(None, "study_uid"),
)
_table(
    "processes",
    _key("name", sa.String(80)),
    _required("kind", sa.String(20)),
    _required("host", sa.String(255)),
    _required("pid", sa.Integer()),
    _required("version", sa.String(40)),
    _required("started_at", INSTANT),
    _required("beat_at", INSTANT),
)

# Who may call the web server.

_table(
    "web_tokens",
    _key("id", sa.Integer()),
    _required("name", sa.String(80)),
    _required("role", CODE),
    _required("digest", DIGEST),
    _required("made_at", INSTANT),
    _required("made_by", PERSON),
    _optional("revoked_at", INSTANT),
    _optional("revoked_by", PERSON),
    sa.UniqueConstraint("name"),
    sa.UniqueConstraint("digest"),
)
_table(
    "web_sessions",
    _key("digest", DIGEST),
    _required("name", sa.String(80)),
    _required("role", CODE),
    _optional("token", sa.Integer(), sa.ForeignKey("web_tokens.id")),
    _required("began_at", INSTANT),
    _required("expires_at", INSTANT),
    sa.Index(None, "token"),
    sa.Index(None, "expires_at"),
)
_table(
    "login_links",
    _key("digest", DIGEST),
    _required("name", sa.String(80)),
    _required("role", CODE),
    _required("expires_at", INSTANT),
    sa.Index(None, "expires_at"),
)

# Which devices made the exams, and how their first readings were scored.

_table(
    "devices",
    _key("id", sa.Integer()),
    _required("manufacturer", sa.Text()),
    _required("model", sa.Text()),
    sa.UniqueConstraint("manufacturer", "model"),
)
_table(
    "device_readings",
    _key("id", sa.Integer()),
    _required("device", sa.Integer(), sa.ForeignKey("devices.id")),
    _required("revision", sa.Integer(), sa.ForeignKey("revisions.id")),
    _required("model_digest", DIGEST),
    _required("exam_score", sa.Double()),
    _required("shown", sa.Integer()),
    _required("read_at", INSTANT),
    sa.UniqueConstraint("revision"),
    sa.Index(None, "device", "model_digest", "id"),
)

# Who did what; not part of any view.

_table(
    "audit_messages",
    _key("id", sa.Integer()),
    _required("at", INSTANT),
    _required("kind", CODE),
    _required("user", PERSON),
    _required("address", sa.String(64)),
    _required("study_uid", UID),
    _required("process", sa.String(80)),
    _required("sender", sa.String(80)),
    _required("message", sa.Text()),
    _required("is_sent", sa.Boolean()),
    sa.Index(None, "at"),
    sa.Index(None, "is_sent", "sender"),
    sa.Index(None, "study_uid"),
)

_table(
    "seen_settings",
    _key("place", sa.String(64)),
    _required("document", DOCUMENT),
    _required("seen_at", INSTANT),
)

# How many rows there are in each state, as changes that are summed up: a count is not read from
# its table, and no two transactions wait for the same row.

_table(
    "count_changes",
    _key("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
    _required("counted", CODE),
    _required("state", sa.String(40)),
    _required("label", sa.String(40)),
    _required("change", sa.Integer()),
)

# What is counted, of which table, in which state and by what else, and which of its rows.
COUNTED = (
    ("studies", "studies", "{row}.state", "coalesce({row}.outcome, '')", "1 = 1"),
    ("deliveries", "deliveries", "{row}.state", "{row}.destination", "1 = 1"),
    (
        "warned_deliveries",
        "deliveries",
        "''",
        "{row}.destination",
        # B000, B006 and B007: stored with a warning.
        "{row}.last_status IN (45056, 45062, 45063)",
    ),
    ("prior_requests", "prior_requests", "{row}.state", "{row}.source", "1 = 1"),
)


def _note_change(row: str, change: int, counted: str, state: str, label: str, which: str) -> str:
    values = f"SELECT '{counted}', {state}, {label}, {change} WHERE {which};"
    return "INSERT INTO count_changes (counted, state, label, change) " + values.replace(
        "{row}", row
    )


def _has_changed(*values: str) -> str:
    """Return the condition that an update has changed one of a row's values."""
    changes = "coalesce(({old}) <> ({new}), ({old}) IS NOT NULL OR ({new}) IS NOT NULL)"
    return " OR ".join(
        changes.format(old=value.replace("{row}", "OLD"), new=value.replace("{row}", "NEW"))
        for value in values
    )


def _count(counted: str, table: str, state: str, label: str, which: str) -> list[str]:
    """Return the statements that make the triggers of one count."""
    added = _note_change("NEW", 1, counted, state, label, which)
    removed = _note_change("OLD", -1, counted, state, label, which)
    changed = _has_changed(state, label, which)
    if op.get_bind().dialect.name == "sqlite":
        bodies = {
            "INSERT": f"BEGIN {added} END",
            "DELETE": f"BEGIN {removed} END",
            "UPDATE": f"WHEN {changed} BEGIN {removed} {added} END",
        }
        return [
            f"CREATE TRIGGER count_{counted}_{event.lower()} AFTER {event} ON {table} {body}"
            for event, body in bodies.items()
        ]
    each = f"ON {table} FOR EACH ROW"
    run = f"EXECUTE FUNCTION count_{counted}()"
    return [
        f"CREATE FUNCTION count_{counted}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN {removed} END IF; "
        f"IF TG_OP <> 'DELETE' THEN {added} END IF; RETURN NULL; END $$",
        f"CREATE TRIGGER count_{counted}_rows AFTER INSERT OR DELETE {each} {run}",
        f"CREATE TRIGGER count_{counted}_changed AFTER UPDATE {each} WHEN ({changed}) {run}",
    ]


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
    r.exam_score,
    r.exam_log_odds,
    r.priority,
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
    f.certainty_log_odds,
    f.suspicion,
    f.priority,
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

# One row for each object beside the images of a study that is stored for a time, not analysed.
V_OTHER_OBJECTS = """
CREATE VIEW v_other_objects AS
SELECT
    study_uid,
    series_uid,
    sop_instance_uid,
    sop_class_uid,
    disposition,
    is_altered,
    peer,
    size_bytes,
    arrived_at
FROM other_objects
"""

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
    v.priority,
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
    p.priority,
    p.shown,
    p.missed
FROM v_studies s
JOIN revisions r ON r.study_uid = s.study_uid AND r.number = s.revision
JOIN prior_findings p ON p.revision = r.id
JOIN lesions l ON l.id = p.lesion
"""

VIEWS = (V_STUDIES, V_FINDINGS, V_DELIVERIES, V_REFUSALS, V_PRIORS, V_OTHER_OBJECTS, V_LESIONS)
