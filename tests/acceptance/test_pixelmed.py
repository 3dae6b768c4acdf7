"""A dozen CAD SRs under PixelMed's validator; `make conformance` runs it over all."""

from collections.abc import Callable

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.pixelmed import FALSE_ALARMS, complaints, validate
from tests.report_documents import cad_srs

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("pixelmed", "java")]

DOZEN = (
    "no findings, SCT",
    "findings, SCT",
    "findings, SRT, all findings, MG",
    "findings, a later revision",
    "every image failed, SCT",
    "partial without marks, SCT",
    "partial with marks, SRT, all findings, MG",
    "unilateral, SCT",
    "images: For Processing",
    "images: no spacing",
    "images: Japanese",
    "not eligible, as failed",
    "followed up, without calcifications, SRT",
    "of every kind, all findings",
)


def without_rendering_intent(root: Dataset) -> None:
    """Take the mandatory modifier from the first finding that has one."""
    for holder in walk(root):
        items = holder.get("ContentSequence", [])
        for index, item in enumerate(items):
            if code_of(item) == "111056":
                del items[index]
                return
    raise AssertionError("no rendering intent in the document")


def with_a_forbidden_relationship(root: Dataset) -> None:
    """Relate the language to the document as a child instead of a modifier."""
    (language,) = [item for item in root.ContentSequence if code_of(item) == "121049"]
    language.RelationshipType = "CONTAINS"


FAULTS: dict[str, Callable[[Dataset], None]] = {
    "no rendering intent": without_rendering_intent,
    "a forbidden relationship": with_a_forbidden_relationship,
}


def walk(item: Dataset) -> list[Dataset]:
    return [item, *(found for child in item.get("ContentSequence", []) for found in walk(child))]


def code_of(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the validator says of each; one run for all, because its start is slow."""
    folder = tmp_path_factory.mktemp("reports")
    made = cad_srs(folder)
    files = {name: made[name] for name in DOZEN}
    for name, damage in FAULTS.items():
        ds = pydicom.dcmread(made["unilateral, SCT"])
        damage(ds)
        files[name] = folder / f"{name}.dcm"
        ds.save_as(files[name])
    found = validate(files.values(), seconds=500)
    return {name: found[path] for name, path in files.items()}


@pytest.mark.parametrize("name", DOZEN)
def test_a_report_follows_its_template(told: dict[str, list[str]], name: str) -> None:
    assert told[name] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_noticed(told: dict[str, list[str]], name: str) -> None:
    assert told[name] != []


ENDS = "Root Template Validation Complete\nIOD validation complete\n"


_TOLD = ("Error", "Warning")


def test_an_alarm_that_is_known_for_false_hides_no_other_fault_of_the_same_row() -> None:
    for alarm in FALSE_ALARMS:
        assert complaints(f"{alarm.rule}1.3: {alarm.fault}{alarm.end}\n{ENDS}") == []
        told = "Incorrect value type" if alarm.rule.startswith(_TOLD) else "illegal relationship"
        other = f"{alarm.rule}1.3: {told}"
        assert complaints(f"{other}\n{ENDS}") == [other]


def test_a_validation_that_broke_off_and_a_bare_illegal_relationship_are_complaints() -> None:
    assert complaints("Found MammographyCADSR IOD\n") != []
    assert complaints(f"1.3: illegal relationship\n{ENDS}") == ["1.3: illegal relationship"]
