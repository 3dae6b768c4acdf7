"""Which views a study is expected to have, and whether they are in.

Expected are a cranio-caudal and an oblique view of each breast, or of one breast after a
mastectomy, as known from the treatment record or from the patient's earlier studies. The rule is
applied to rows of SQL as images arrive, so it works on plain view keys.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from secondread.codes import View

ViewKey = tuple[str, str]
"""Side letter (R or L) and view name (a member name of `codes.View`)."""

ViewSlot = tuple[str, str]
"""Side letter and ``CC`` or ``MLO``: a place in the usual set of four views."""

SLOTS: frozenset[ViewSlot] = frozenset({("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO")})


def _find_slot(key: ViewKey) -> ViewSlot | None:
    """Return which place of the view set a view fills, or None if it fills none."""
    side, name = key
    view = View.__members__.get(name)
    if side not in {"R", "L"} or view is None:
        return None
    if view.is_cc_like:
        return side, "CC"
    return (side, "MLO") if view.is_mlo_like else None


def _find_slots(keys: Collection[ViewKey]) -> frozenset[ViewSlot]:
    """Return the places of the view set that these views fill."""
    return frozenset(slot for slot in map(_find_slot, keys) if slot is not None)


class StudyViews(NamedTuple):
    """The views of a study, and what determines which ones are expected."""

    present: Collection[ViewKey]
    priors: Sequence[Collection[ViewKey]]
    """The views of each earlier study, latest first; studies of other kinds may be among them."""
    mastectomy_sides: Collection[str]
    """Letters of breasts that were removed, from treatment records and headers."""

    def is_complete(self) -> bool:
        """Whether every expected view is in; never true of an empty study.

        A view of a breast that was not expected means that the expectation was wrong, so the
        study is not complete and waits for the quiet time.
        """
        expected, filled = self._find_expected_slots(), _find_slots(self.present)
        is_as_expected = _find_sides(filled) <= _find_sides(expected)
        return bool(expected) and expected <= filled and is_as_expected

    def find_missing_slots(self) -> tuple[ViewSlot, ...]:
        """Return the expected places that no present view fills, sorted.

        Both views of one breast and none of the other, of a patient of whom nothing is known, are
        a whole exam of one breast; where the other one is on its way, the quiet time waits for it.
        """
        filled = _find_slots(self.present)
        if self._is_exam_of_one_breast(filled):
            return ()
        return tuple(sorted(self._find_expected_slots() - filled))

    def _is_exam_of_one_breast(self, filled: frozenset[ViewSlot]) -> bool:
        is_unknown = not self.mastectomy_sides and not any(map(_find_slots, self.priors))
        return is_unknown and _shows_one_breast(filled)

    def _find_expected_slots(self) -> frozenset[ViewSlot]:
        expected_sides = {"R", "L"}.difference(self.mastectomy_sides)
        latest = next((slots for slots in map(_find_slots, self.priors) if slots), frozenset())
        if not self.mastectomy_sides and _shows_one_breast(latest):
            # Both views of one breast and none of the other are taken for a mastectomy. Where
            # that is wrong, the other breast's images make the study wait for the quiet time.
            expected_sides = _find_sides(latest)
        return frozenset(slot for slot in SLOTS if slot[0] in expected_sides)


def _shows_one_breast(slots: Collection[ViewSlot]) -> bool:
    """Whether these are both views of one breast and none of the other."""
    return len(slots) == 2 and len(_find_sides(slots)) == 1


def _find_sides(slots: Collection[ViewSlot]) -> set[str]:
    return {side for side, _ in slots}
