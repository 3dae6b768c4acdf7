"""Names of views: every spelling of side, view and modifiers that units and people use."""

import pytest

from secondread.assemble.view_names import parse_view_name
from secondread.codes import View


@pytest.mark.parametrize(
    ("text", "side", "view", "modifiers"),
    [
        ("CC", "", "CC", ""),
        ("lcc", "L", "CC", ""),
        ("RMLO", "R", "MLO", ""),
        ("R-MLO", "R", "MLO", ""),
        ("L CC", "L", "CC", ""),
        ("XCCL", "", "XCCL", ""),
        ("LXCCL", "L", "XCCL", ""),
        ("RXCCM", "R", "XCCM", ""),
        # Two sides and two letters that are each other's, and never a side and a modifier.
        ("LM", "", "LM", ""),
        ("ML", "", "ML", ""),
        ("LLM", "L", "LM", ""),
        ("RLM", "R", "LM", ""),
        ("LML", "L", "ML", ""),
        ("RLMO", "R", "LMO", ""),
        ("FB", "", "FB", ""),
        ("SIO", "", "SIO", ""),
        ("LISO", "L", "ISO", ""),
        ("CCID", "", "CC", "IMPLANT_DISPLACED"),
        ("RMLOID", "R", "MLO", "IMPLANT_DISPLACED"),
        ("MLO-ID", "", "MLO", "IMPLANT_DISPLACED"),
        ("CCRL", "", "CC", "ROLLED_LATERAL"),
        ("LCCRM", "L", "CC", "ROLLED_MEDIAL"),
        ("CC RL", "", "CC", "ROLLED_LATERAL"),
        ("CCNP", "", "CC", "NIPPLE_IN_PROFILE"),
        ("MCC", "", "CC", "MAGNIFICATION"),
        ("RMCC", "R", "CC", "MAGNIFICATION"),
        ("CCMAG", "", "CC", "MAGNIFICATION"),
        ("SMLO", "", "MLO", "SPOT"),
        ("CC SPOT MAG", "", "CC", "SPOT MAGNIFICATION"),
        ("MLOTAN", "", "MLO", "TANGENTIAL"),
        ("CCD", "R", "CC", ""),
        ("MLOE", "L", "MLO", ""),
        ("cranio-caudal", "", "CC", ""),
        ("craneo caudal", "", "CC", ""),
        ("left medio-lateral oblique", "L", "MLO", ""),
        ("mediolateral oblique right", "R", "MLO", ""),
        ("caudo-cranial (from below)", "", "FB", ""),
        ("cranio-caudal exaggerated laterally", "", "XCCL", ""),
        ("Cranio caudal view, implant displaced", "", "CC", "IMPLANT_DISPLACED"),
        ("SPECIMEN", "", "SPECIMEN", ""),
    ],
)
def test_a_name_is_taken_apart(text: str, side: str, view: str, modifiers: str) -> None:
    name = parse_view_name(text)

    assert "".join(side.letter for side in name.sides) == side
    assert {view.name for view in name.views} == {view}
    assert {modifier.name for modifier in name.modifiers} == set(modifiers.split())


@pytest.mark.parametrize(
    ("text", "side", "view"),
    [("AT", "", View.MLO), ("RAT", "R", View.MLO), ("LCV", "L", View.CC), ("ID", "", None)],
)
def test_a_modifier_alone_may_stand_for_its_view(text: str, side: str, view: View | None) -> None:
    name = parse_view_name(text)

    assert (name.views, name.implied_view) == (frozenset(), view)
    assert "".join(side.letter for side in name.sides) == side


@pytest.mark.parametrize("text", ["LAT", "RL", "RLO", "AP", "LL", "90", "REMOVED", "", "?", "ZZCC"])
def test_what_is_no_name_of_a_view_says_nothing(text: str) -> None:
    name = parse_view_name(text)

    assert (name.sides, name.views, name.modifiers) == (frozenset(),) * 3


def test_a_name_may_contradict_itself() -> None:
    assert parse_view_name("RCC LMLO").views == {View.CC, View.MLO}
