"""The check of CAD SRs: nothing is said of what is right, and each planted fault is named."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.codes import Code
from secondread.report import concepts
from secondread.report.check.cad_sr_check import (
    check_against_reading,
    check_cad_sr,
    check_own_cad_sr,
)
from secondread.report.readback.content import Content
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.settings import ProfileSettings
from tests.conftest import EXAMS
from tests.unit.report.readings import make_authorship, make_situations
from tests.worlds.faulty_reports import (
    BASES,
    FAULTS,
    PROFILES,
    build_faulty,
    build_valid,
    find_finding,
    find_item,
    set_code,
    set_number,
)

REFERENCES = sorted((EXAMS.parent / "sr").glob("cad_*.dcm"))
"""CAD SRs that were made and validated elsewhere."""

ALL = {**make_situations(), **{name: make() for name, make in BASES.items()}}


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"findings": "all"},
        {"findings": "all", "individual_calcifications": False, "snomed_codes": "SRT"},
    ],
    ids=["shown", "all", "all without calcifications, SRT"],
)
@pytest.mark.parametrize("situation", ALL)
def test_what_the_node_writes_passes(situation: str, profile: dict[str, object]) -> None:
    reading, sources = ALL[situation]
    settings = ProfileSettings.model_validate(profile)
    ds = build_cad_sr(reading, sources, make_authorship(settings)).dataset

    assert check_cad_sr(ds) == []
    assert check_against_reading(ds, reading, sources, settings) == []


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    ds, planted = build_faulty(name), FAULTS[name]
    faults = check_cad_sr(ds)
    if planted.with_findings:
        # The document alone is as good as any.
        assert faults == []
        faults = check_against_reading(ds, *BASES[planted.base](), PROFILES[planted.base])
    everything = check_own_cad_sr(ds, *BASES[planted.base](), PROFILES[planted.base])
    assert set(faults) <= set(everything)
    assert any(planted.says in fault.message for fault in faults), faults
    assert all(f.position == "header" or f.position.startswith("1") for f in faults)


def test_a_fault_is_named_with_its_position() -> None:
    (fault,) = check_cad_sr(build_faulty("a certainty of 150"))
    assert str(fault) == "1.3.4.5.9: 150 is not between 0 and 100"


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_reports_that_were_made_elsewhere_pass(path: Path) -> None:
    assert check_cad_sr(pydicom.dcmread(path)) == []


def test_a_document_without_content_is_no_cad_sr() -> None:
    assert any("the root is not a" in fault.message for fault in check_cad_sr(Dataset()))


def test_a_document_that_is_nested_without_end_is_told_and_not_followed() -> None:
    ds = Dataset()
    inner = ds
    for _ in range(40):
        child = Dataset()
        inner.ContentSequence = [child]
        inner = child
    assert [fault.message for fault in check_cad_sr(ds)] == ["nested too deeply"]


def test_an_absurd_operating_point_is_a_fault_and_takes_no_time() -> None:
    ds = build_valid("mixed")
    maximum = find_item(ds, concepts.DETECTION_SUMMARY, concepts.MAXIMUM_OPERATING_POINT)
    set_number(maximum, "1e15")
    assert any("0 to 1e+15 are wanted" in fault.message for fault in check_cad_sr(ds))


def test_the_check_takes_time_in_proportion_to_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    is_named = Content.is_named

    def count(content: Content, *concepts: Code) -> bool:
        nonlocal calls
        calls += 1
        return is_named(content, *concepts)

    monkeypatch.setattr(Content, "is_named", count)

    def check_with(copies: int) -> int:
        nonlocal calls
        calls = 0
        ds = build_valid("mixed")
        for item in (find_item(ds, concepts.PROCESSING_SUMMARY), find_finding(ds)):
            item.ContentSequence = Sequence(
                [*item.ContentSequence, *item.ContentSequence[:1] * copies]
            )
        check_cad_sr(ds)
        return calls

    assert check_with(800) - check_with(400) < 1.5 * (check_with(400) - check_with(0))


def test_long_values_are_cut_off_in_messages() -> None:
    ds = build_valid("mixed")
    set_code(find_finding(ds), Code("1", "99ACME", "x" * 5000))
    assert max(len(fault.message) for fault in check_cad_sr(ds)) < 600
