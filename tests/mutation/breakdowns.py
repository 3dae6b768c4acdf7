"""What must not happen behind an answer: a step that broke, and was given up."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from structlog.testing import capture_logs

from secondread.reasons import Reason

_BREAKDOWNS: Final = frozenset(
    {
        "cad_report_broke",
        "comparison_broke",
        "failed_result_broke",
        "follow_up_broke",
        "instance_not_stored",
        "prior_report_broke",
        "reading_broke",
        "recheck_broke",
        "repeated_view_broke",
    }
)
"""Log events of what is given up so that the rest goes on: each is a bug that somebody found."""


def _is_breakdown(record: MutableMapping[str, Any]) -> bool:
    # A detector that runs into its limits of time or memory does what it should.
    died = record["event"] == "detector_died" and record["reason"] == Reason.DETECTOR_DIED
    return died or record["event"] in _BREAKDOWNS


@contextmanager
def forbid_breakdowns() -> Iterator[None]:
    """Raise `AssertionError` at the end where something broke and was given up meanwhile."""
    with capture_logs() as records:
        yield
    broken = [record for record in records if _is_breakdown(record)]
    assert not broken, f"{broken[0]['event']}: {broken[0].get('error', '')}"
