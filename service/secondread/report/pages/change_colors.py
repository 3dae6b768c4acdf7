"""The colour of a change: the same in every picture."""

from secondread.codes import Change
from secondread.findings.changes import ChangeKind
from secondread.report.pages.drawing import MARK, MUTED, WARNING, Color

_GROWN: Color = (255, 110, 90)
_GONE: Color = (190, 150, 255)
_COLORS: dict[ChangeKind, Color] = {
    ChangeKind.NEW: WARNING,
    ChangeKind.MORE: _GROWN,
    ChangeKind.LARGER: _GROWN,
    ChangeKind.GONE: _GONE,
    ChangeKind.NOT_IN_FIELD: MUTED,
    ChangeKind.NOT_COMPARABLE: MUTED,
}


def choose_color(change: ChangeKind | Change | None) -> Color:
    """Return the colour of a finding by its change; that of plain marks where it has none."""
    kind = ChangeKind[change.name] if isinstance(change, Change) else change
    return MARK if kind is None else _COLORS.get(kind, MARK)
