from typing import Any

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from secondread import codes
from secondread.codes import CodedEnum


def group(cid: int) -> dict[tuple[str, str], str]:
    known: dict[tuple[str, str], str] = {}
    for scheme, keywords in cid_concepts[cid].items():
        for keyword in keywords:
            entries: Any = concepts[scheme][keyword]
            known |= {(value, scheme): meaning for value, (meaning, _) in entries.items()}
    return known


# CID 4014 of 2024c has the exaggerated cranio-caudal view that pydicom's copy lacks.
NEWER = {codes.View.XCC}


@pytest.mark.parametrize(
    ("cid", "members"),
    [
        (4014, codes.View),
        (4015, codes.ViewModifier),
        (6003, codes.Change),
        (6011, codes.Morphology),
        (6013, codes.Distribution),
        (6023, codes.Laterality),
        (6018, codes.ClockFace),
        (6020, codes.QuadrantLocation),
        (6034, codes.RenderingIntent),
        (6035, codes.CompositeType),
        (6036, codes.FeatureScope),
        (6037, codes.TemporalDifference),
        (6041, codes.QualityFinding),
        (6042, codes.ResultStatus),
        (6043, codes.AnalysisType),
        (6047, codes.ProcessingSummary),
        (6048, codes.OperatingPointAxis),
        (6051, codes.ProcedureReason),
        (6058, codes.BreastProcedure),
    ],
)
def test_codes_are_those_of_their_context_group(cid: int, members: type[CodedEnum]) -> None:
    known = group(cid)
    for member in members:
        if member not in NEWER:
            assert known[member.code.value, member.code.scheme] == member.code.meaning


# Only ever read, from headers: PS3.16 itself gives it a meaning that LO cannot hold.
TOO_LONG = {codes.ProcedureReason.CONSERVATION}


@pytest.mark.parametrize(
    "members", [m for m in vars(codes).values() if isinstance(m, type) and issubclass(m, CodedEnum)]
)
def test_codes_are_ascii_and_no_longer_than_their_vr_allows(members: type[CodedEnum]) -> None:
    for member in members:
        assert member.code.meaning.isascii()
        assert len(member.code.meaning) <= 64 or member in TOO_LONG
        assert len(member.code.value) <= 16


def test_retired_snomed_codes_agree_with_pydicom() -> None:
    for value, retired in codes._SCT_TO_SRT.items():
        assert mapping["SCT"][value] == retired


def test_a_concept_is_found_in_either_scheme() -> None:
    for scheme in ("SRT", "SNM3", "99SDM"):
        assert codes.View.from_code("R-10242", scheme) is codes.View.CC
    assert codes.View.from_code("399162004", "SCT") is codes.View.CC
    assert codes.View.from_code("399162004", "SRT") is None
