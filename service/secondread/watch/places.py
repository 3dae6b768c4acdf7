"""Places in the list of studies, as they stand in links.

A page is named by the study that it begins below, or ends above: however long the list is, it is
found at once, and it stays where it is while studies come in.
"""

from datetime import UTC, datetime, timedelta

from starlette.exceptions import HTTPException

from secondread.track.summaries import StudyPlace, StudySummary
from secondread.uids import is_uid

_SEPARATOR = "_"
_LONGEST = 100
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MICROSECONDS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def write_place(study: StudySummary) -> str:
    """Return the place of a study as a text for links."""
    return f"{(study.last_arrived_at - _EPOCH) // _MICROSECOND}{_SEPARATOR}{study.study_uid}"


def parse_place(text: str | None) -> StudyPlace | None:
    """Return the place that a link names; None without a text.

    Raises
    ------
    HTTPException
        400: it names none.
    """
    if not text:
        return None
    digits, _, study_uid = text[:_LONGEST].partition(_SEPARATOR)
    if not (digits.isascii() and digits.isdigit() and is_uid(study_uid)):
        raise HTTPException(400, "There is no such page.")
    microseconds = int(digits)
    if microseconds > _MOST_MICROSECONDS:
        raise HTTPException(400, "There is no such page.")
    return StudyPlace(_EPOCH + microseconds * _MICROSECOND, study_uid)
