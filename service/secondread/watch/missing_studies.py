"""Missing studies as JSON, for other programs: the same from the page and from the command."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from secondread.track.summaries import ArrivalCheckSummary, MissingStudySummary


def write_missing_json(
    studies: Sequence[MissingStudySummary], checks: Sequence[ArrivalCheckSummary]
) -> str:
    """Return the studies that never arrived, and the comparisons that found them, as JSON."""
    document = {
        "missing": [asdict(study) for study in studies if study.ignored_at is None],
        "ignored": [asdict(study) for study in studies if study.ignored_at is not None],
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(document, indent=2, default=lambda value: value.isoformat())
