"""Findings as plain values: the form that `findings.json` and the tracker share."""

from dataclasses import asdict
from typing import Any

from secondread.findings.finding import Finding, ImageReading
from secondread.findings.label_words import describe_distribution, describe_type
from secondread.findings.member_words import count_faint
from secondread.findings.treatment import ZonePlacement


def encode_image(image: ImageReading) -> dict[str, Any]:
    """Return what became of an image, with all its findings, as JSON values."""
    return {
        "sop_instance_uid": image.mammogram.sop_instance_uid,
        "study_uid": image.mammogram.study_uid,
        "status": image.status.value,
        "reasons": [reason.value for reason in image.reasons],
        "detail": image.detail,
        "gates": dict(image.gates),
        "seconds": round(image.seconds, 3),
        "findings": [encode_finding(finding) for finding in image.findings],
    }


def encode_finding(finding: Finding) -> dict[str, Any]:
    """Return one finding as JSON values; points are (column, row) as in SCOORD."""
    return {
        "id": finding.id,
        "kind": finding.mark_class.value,
        "certainty": finding.certainty,
        "certainty_log_odds": finding.certainty_log_odds,
        "suspicion": finding.suspicion,
        "priority": finding.priority,
        "center": [finding.center.col, finding.center.row],
        "outline": [[point.col, point.row] for point in finding.outline],
        "calcifications": len(finding.members),
        "faint": count_faint(finding),
        "long_axis_mm": finding.long_axis_mm,
        "morphology": [
            [label.name.lower(), confidence] for label, confidence in finding.morphology
        ],
        "distribution": [
            [label.name.lower(), confidence] for label, confidence in finding.distribution
        ],
        "type_words": describe_type(finding),
        "distribution_words": describe_distribution(finding),
        "change": finding.change.name.lower() if finding.change else None,
        "zone": finding.placement.zone.value if finding.placement else None,
        "bed": encode_placement(finding.placement) if finding.placement else None,
        "position": asdict(finding.position) if finding.position else None,
        "shown": finding.shown,
        "benign_share": None if finding.benign_share is None else round(finding.benign_share, 3),
        "typically_benign": finding.is_set_aside,
    }


def encode_placement(placement: ZonePlacement) -> dict[str, Any]:
    """Return the grounds of a zone as JSON values."""
    return {
        "basis": placement.basis.value,
        "distance_mm": placement.bed_mm,
        "error_mm": placement.error_mm,
        "clip_mm": placement.clip_mm,
        "views": placement.views,
    }
