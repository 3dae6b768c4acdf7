"""The counters and histograms of every process, in Prometheus terms.

What the database knows (studies by state, deliveries waiting, alarms) are gauges read from SQL
when Prometheus asks (`watch.gauges`), so they are right whichever process answers. What only one
process sees as it happens is counted here. Where several processes share one
``PROMETHEUS_MULTIPROC_DIR``, as under ``secondread serve``, the counts are added up.
"""

from prometheus_client import Counter, Histogram

INSTANCES = Counter(
    "secondread_instances_total", "Instances answered at C-STORE, by answer.", ["answer"]
)
INSTANCE_BYTES = Counter("secondread_instance_bytes_total", "Bytes of instances stored.")
REFUSALS = Counter(
    "secondread_refusals_total",
    "Associations and instances refused, and contexts whose lack kept a peer from sending, by "
    "coded reason.",
    ["what", "reason"],
)
CONTEXTS_REJECTED = Counter(
    "secondread_contexts_rejected_total",
    "Presentation contexts that peers proposed and that were rejected; most propose more than they "
    "send.",
)
CHANGES_REFUSED = Counter(
    "secondread_changes_refused_total",
    "Images that peers tried to replace or reject without the right to.",
    ["change"],
)
STORE_SECONDS = Histogram(
    "secondread_store_seconds",
    "Seconds from the last byte of an instance to its Success (fsync and SQL commit).",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
READINGS = Counter("secondread_readings_total", "Readings finished, by outcome.", ["outcome"])
_WAITS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)
TURNAROUND_SECONDS = Histogram(
    "secondread_turnaround_seconds",
    "Seconds from the last image of a study until a destination has stored all results of its "
    "first reading.",
    ["destination"],
    buckets=_WAITS,
)
STAGE_SECONDS = Histogram(
    "secondread_stage_seconds",
    "Seconds of a study's first reading by stage: assembling (last image to claim, waiting for "
    "priors included), reading (claim to results), sending (results to all of them stored).",
    ["stage"],
    buckets=_WAITS,
)
EXAM_SCORES = Histogram(
    "secondread_exam_score",
    "Exam scores (0-100) of first readings, by device as `secondread devices list` names it.",
    ["device"],
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 50, 70, 90, 95, 99, 99.9, 100),
)
DEVICE_READINGS = Counter(
    "secondread_device_readings_total",
    "First readings, by device and outcome.",
    ["device", "outcome"],
)
DEVICE_FINDINGS = Counter(
    "secondread_device_findings_total",
    "Findings that first readings showed, by device.",
    ["device"],
)
REVISIONS_SPARED = Counter(
    "secondread_revisions_spared_total",
    "Revisions that were due and not made, because nothing that their reading depends on had "
    "changed, by cause.",
    ["cause"],
)
VIEW_SECONDS = Histogram(
    "secondread_view_seconds",
    "Seconds to read one view, from file to marks.",
    buckets=(0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 120),
)
DETECTOR_DEATHS = Counter(
    "secondread_detector_deaths_total", "Times a detector child was killed, by reason.", ["reason"]
)
DELIVERY_ATTEMPTS = Counter(
    "secondread_delivery_attempts_total",
    "Sends tried, by destination and answer.",
    ["destination", "answer"],
)
COMMITMENT_REPORTS = Counter(
    "secondread_commitment_reports_total",
    "Storage commitment reports received, by what became of them.",
    ["outcome"],
)
PRIOR_ATTEMPTS = Counter(
    "secondread_prior_attempts_total",
    "Queries and retrievals of priors tried, by source, kind and what came of it.",
    ["source", "kind", "answer"],
)
PROOFS = Counter(
    "secondread_proofs_total",
    "Proofs of delivery asked for, by destination, kind and what came of asking, per study.",
    ["destination", "proof", "answer"],
)
AUDIT_EVENTS_LOST = Counter(
    "secondread_audit_events_lost_total", "Events that the audit trail had no room for."
)
LIBRARY_RECORDS = Counter(
    "secondread_library_records_total",
    "Records that libraries logged and that were not written, by library and level.",
    ["library", "level"],
)
