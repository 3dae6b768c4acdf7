"""Which views a study is expected to have, and whether they are in.

The rule that fires early: the expected set is R and L, each with a cranio-caudal and an oblique
view; one breast only after mastectomy, as learnt from the treatment record or from the patient's
earlier studies. It is consulted at intake with values from SQL, so it works on plain view keys.
"""

from collections.abc import Collection, Sequence

from secondread.codes import View

ViewKey = tuple[str, str]
"""Side letter (R or L) and view name (a member name of `codes.View`)."""

ViewSlot = tuple[str, str]
"""Side letter and ``CC`` or ``MLO``: what a screening pair consists of."""

SLOTS: frozenset[ViewSlot] = frozenset({("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO")})


def find_slot(key: ViewKey) -> ViewSlot | None:
    """Return which place of the view set a view fills, or None if it fills none."""
    side, name = key
    view = View.__members__.get(name)
    if side not in {"R", "L"} or view is None:
        return None
    if view.is_cc_like:
        return side, "CC"
    return (side, "MLO") if view.is_mlo_like else None


def find_slots(keys: Collection[ViewKey]) -> frozenset[ViewSlot]:
    """Return the places of the view set that these views fill."""
    return frozenset(place for place in map(find_slot, keys) if place is not None)


def find_expected_slots(
    priors: Sequence[Collection[ViewKey]], mastectomy_sides: Collection[str]
) -> frozenset[ViewSlot]:
    """Return the places that a patient's next study is expected to fill.

    Parameters
    ----------
    priors
        The views of each earlier study, latest first; studies of other kinds may be among them.
    mastectomy_sides
        Letters of breasts that were removed, from treatment records and headers.
    """
    remaining = {side for side in ("R", "L") if side not in mastectomy_sides}
    latest = next((found for found in map(find_slots, priors) if found), None)
    if not mastectomy_sides and latest is not None and _is_whole_one_sided(latest):
        # One breast complete and not a view of the other: read as mastectomy until told otherwise.
        # If that is wrong, the other breast's images make the study wait for the quiet time.
        remaining = {side for side, _ in latest}
    return frozenset(place for place in SLOTS if place[0] in remaining)


def _is_whole_one_sided(found: frozenset[ViewSlot]) -> bool:
    return len({side for side, _ in found}) == 1 and len(found) == 2


def find_missing_slots(
    present: Collection[ViewKey],
    priors: Sequence[Collection[ViewKey]],
    mastectomy_sides: Collection[str],
) -> tuple[ViewSlot, ...]:
    """Return the expected places that no present view fills, sorted."""
    return tuple(sorted(find_expected_slots(priors, mastectomy_sides) - find_slots(present)))


class ExpectedViews:
    """The rule as the tracker asks it at intake."""

    def is_complete(
        self,
        present: Collection[ViewKey],
        priors: Sequence[Collection[ViewKey]],
        mastectomy_sides: Collection[str],
    ) -> bool:
        """Whether every expected view is in; never true of an empty study.

        A view of a breast that was not expected means that the expectation was wrong, so the
        study is not complete and waits for the quiet time.
        """
        found = find_slots(present)
        expected = find_expected_slots(priors, mastectomy_sides)
        return (
            bool(expected)
            and expected <= found
            and {s for s, _ in found} <= {s for s, _ in expected}
        )
