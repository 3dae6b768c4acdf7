"""Comparisons as plain values: the form that `findings.json` and `comparison.json` share."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from secondread.findings.cad_report import CadReport
from secondread.findings.changes import (
    FindingChange,
    FindingRef,
    MeasuredDifference,
    Recheck,
    StudyComparison,
    ViewComparison,
)
from secondread.findings.view_pair import ViewPair
from secondread.followup.recheck import RecheckedFinding
from secondread.geometry import PointPx


def encode_comparison(comparison: StudyComparison) -> dict[str, Any]:
    """Return a study's comparison with one prior as JSON values."""
    day = comparison.prior_date
    return {
        "prior_study_uid": comparison.prior_study_uid,
        "prior_date": day.isoformat() if day else None,
        "compared": comparison.compared,
        "why_not": comparison.why_not,
        "basis": comparison.basis,
        "views": [_encode_view(view) for view in comparison.views],
        "changes": [_encode_change(change) for change in comparison.changes],
    }


def _encode_view(view: ViewComparison) -> dict[str, Any]:
    return {
        "sop_instance_uid": view.sop_instance_uid,
        "prior_sop_instance_uid": view.prior_sop_instance_uid,
        "same_unit": view.same_unit,
        "registration_error_mm": view.error_mm,
        "tissue_aligned": view.aligned,
        "why_not": view.why_not,
    }


def _encode_change(change: FindingChange) -> dict[str, Any]:
    return {
        "verdict": change.kind.value,
        "words": change.kind.words,
        "current": change.current and asdict(change.current),
        "prior": [asdict(ref) for ref in change.prior],
        "calcifications": _encode_difference(change.number),
        "extent_mm": _encode_difference(change.extent_mm),
        "diameter_mm": _encode_difference(change.diameter_mm),
        "found_in_both": [[[p.col, p.row], [q.col, q.row]] for p, q in change.pairs],
        "place": [[p.col, p.row] for p in change.place],
        "error_mm": change.error_mm,
        "why": change.why_not,
        "counted_with": [asdict(ref) for ref in change.counted_with],
        "seen_then_at_second_look": change.seen_again,
        "new_calcifications": [[p.col, p.row] for p in change.new_calcifications],
        "second_look": change.recheck and _encode_outcome(change.recheck),
    }


def _encode_outcome(recheck: Recheck) -> dict[str, Any]:
    return {
        "seen": recheck.seen,
        "words": recheck.words,
        "other_places": recheck.other_places,
        "as_high": recheck.as_similar,
        "why_not": recheck.why_not,
        "prior_image": recheck.prior_image,
    }


def encode_recheck(rechecked: RecheckedFinding) -> dict[str, Any]:
    """Return what came of a recheck as JSON values that `decode_recheck` reads."""
    return {
        "current": asdict(rechecked.current),
        "about": rechecked.subject,
        "look": _encode_outcome(rechecked.recheck),
        "place": _encode_points(rechecked.place),
        "error_mm": rechecked.error_mm,
        "seen": _encode_points(rechecked.seen),
        "unseen": _encode_points(rechecked.unseen),
    }


def decode_recheck(values: dict[str, Any]) -> RecheckedFinding:
    """Read what `encode_recheck` wrote."""
    outcome = values["look"]
    return RecheckedFinding(
        FindingRef(**values["current"]),
        values["about"],
        Recheck(
            seen=outcome["seen"],
            other_places=outcome["other_places"],
            as_similar=outcome["as_high"],
            why_not=outcome["why_not"],
            prior_image=outcome["prior_image"],
        ),
        _decode_points(values["place"]),
        values["error_mm"],
        *(_decode_points(values.get(name, ())) for name in ("seen", "unseen")),
    )


def _encode_points(points: Iterable[PointPx]) -> list[list[float]]:
    return [[round(point.col, 1), round(point.row, 1)] for point in points]


def _decode_points(values: Iterable[Sequence[float]]) -> tuple[PointPx, ...]:
    return tuple(PointPx(col, row) for col, row in values)


def _encode_difference(difference: MeasuredDifference | None) -> dict[str, float] | None:
    if difference is None:
        return None
    return {
        "current": difference.current,
        "prior": difference.prior,
        "unchanged_from": difference.lower,
        "unchanged_to": difference.upper,
    }


def encode_view_pair(pair: ViewPair) -> dict[str, Any]:
    """Return a cluster that was recognised in both views as JSON values."""
    return {
        "cc": asdict(pair.cc),
        "mlo": asdict(pair.mlo),
        "confidence": pair.confidence,
        "depths_mm": list(pair.depths_mm),
        "quadrant": pair.place.quadrant,
        "half": pair.place.half,
        "clock_hour": pair.place.clock_hour,
    }


def encode_cad_report(report: CadReport) -> dict[str, Any]:
    """Return the content of a prior's CAD report, and who made it, as JSON values."""
    day = report.written_on or report.study_date
    return {
        "study_uid": report.study_uid,
        "sop_instance_uid": report.sop_instance_uid,
        "title": report.title,
        "origin": report.origin.value,
        "manufacturer": report.equipment.manufacturer,
        "date": day.isoformat() if day else None,
        "marks": report.mark_counts,
        "not_readable": [str(remark) for remark in report.remarks],
    }
