"""What PixelMed's validator (20220618) says of CAD SRs that are right, alarm by alarm.

An alarm is silenced at the exact row, at the exact place in the tree and in the exact words; and,
where a real fault of the row is told in the same words, only if the document itself is right
there. Whatever else the validator says is a complaint.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from secondread.codes import ClockFace, CodedEnum, QuadrantLocation

Position = tuple[int, ...]

_TOLD = re.compile(
    r"(?P<kind>Error|Warning): (?:Template (?P<row>.+?): )?(?:within )?(?P<position>1(?:\.\d+)*): "
    r"/CONTAINER .+?: (?P<fault>.+)"
)
_FORBIDDEN = re.compile(
    r"Parent content item \([\d.]+: CODE\) has illegal relationship HAS PROPERTIES "
    r"with child content item \((?P<position>[\d.]+): CONTAINER\)"
)


_ILLEGAL = "illegal relationship HAS PROPERTIES of a CODE with a CONTAINER"


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the validator."""

    kind: str
    row: str
    """The template's row; empty where the line names none."""
    position: Position
    fault: str


def read_line(line: str) -> Said | None:
    """Read what a line says; None where no alarm is told in such a form."""
    if forbidden := _FORBIDDEN.fullmatch(line):
        return Said("Forbidden", "", _numbers(forbidden["position"]), _ILLEGAL)
    told = _TOLD.fullmatch(line)
    if told is None:
        return None
    return Said(told["kind"], told["row"] or "", _numbers(told["position"]), told["fault"])


def _numbers(position: str) -> Position:
    return tuple(map(int, position.split(".")))


@dataclass(frozen=True)
class Place:
    """An item of a document, seen from its root."""

    root: Dataset
    position: Position

    @property
    def item(self) -> Dataset:
        """The item itself."""
        item = self.root
        for number in self.position[1:]:
            item = item.ContentSequence[number - 1]
        return item

    @property
    def parent(self) -> "Place":
        """What it hangs below."""
        return Place(self.root, self.position[:-1])

    @property
    def path(self) -> str:
        """Code values of the concept names on the way to it; ``*`` for a reference."""
        ways = (self.position[:length] for length in range(1, len(self.position) + 1))
        return "/".join(_name(Place(self.root, way).item) or "*" for way in ways)

    def below(self, concept: str = "") -> list[Dataset]:
        """Return the items right below it, or those of this concept."""
        items: list[Dataset] = self.item.get("ContentSequence", [])
        return [item for item in items if not concept or _name(item) == concept]

    def targets(self) -> Iterator[Dataset]:
        """Yield what the references right below it point at."""
        for item in self.below():
            if "ReferencedContentItemIdentifier" in item:
                yield _target(self.root, item)


def _target(root: Dataset, reference: Dataset) -> Dataset:
    return Place(root, tuple(map(int, reference.ReferencedContentItemIdentifier))).item


def _code(item: Dataset, sequence: str) -> str:
    held = item.get(sequence)
    return str(held[0].get("CodeValue", "")) if held else ""


def _name(item: Dataset) -> str:
    return _code(item, "ConceptNameCodeSequence")


def _value(item: Dataset) -> str:
    return _code(item, "ConceptCodeSequence")


def _number(item: Dataset) -> int:
    return int(item.MeasuredValueSequence[0].NumericValue)


def _unit(item: Dataset) -> tuple[str, str]:
    unit = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    return str(unit.CodeValue), str(unit.CodeMeaning)


def _is_property(place: Place) -> bool:
    return bool(place.item.RelationshipType == "HAS PROPERTIES")


# What of the document is right where a line is a false alarm.


def _always(_: Place) -> bool:
    return True


def _has_value(*values: str) -> Callable[[Place], bool]:
    return lambda place: _value(place.item) in values


def _is_quality_of_image(place: Place) -> bool:
    """Whether row 18 is in its place: an image quality finding, of no region (row 19)."""
    return _value(place.item) == "111101" and not place.below("111030")


def _ranges_to_maximum(first: int, performed: Place, item: Dataset) -> bool:
    (maximum,) = performed.below("111072")
    last = _number(maximum)
    return _unit(item) == (f"{{{first}:{last}}}", f"range: {first}:{last}")


def _point_of_mark(place: Place) -> bool:
    """Whether the unit of a mark's operating point ends with the maximum of each detection."""
    successful = Place(place.root, (1, _index(place.root, "111064"), 1))
    performed = (Place(place.root, (*successful.position, n + 1)) for n in range(_size(successful)))
    with_points = [one for one in performed if one.below("111072")]
    return any(_ranges_to_maximum(1, one, place.item) for one in with_points)


def _index(root: Dataset, concept: str) -> int:
    return [_name(item) for item in root.ContentSequence].index(concept) + 1


def _size(place: Place) -> int:
    return len(place.below())


def _recommended_point(place: Place) -> bool:
    return _ranges_to_maximum(0, place.parent, place.item)


def _point_of_table(place: Place) -> bool:
    return _ranges_to_maximum(0, place.parent.parent, place.item)


def _one_value_of_each_axis(place: Place) -> bool:
    axes = [_value(axis) for name in ("122698", "122699") for axis in place.parent.below(name)]
    return [_name(item) for item in place.below() if item.ValueType == "NUM"] == axes


def _different_values(place: Place) -> bool:
    values = [_value(item) for item in place.below("111023")]
    return len(set(values)) == len(values)


def _of_group(group: type[CodedEnum]) -> Callable[[Place], bool]:
    def right(place: Place) -> bool:
        (code,) = place.item.ConceptCodeSequence
        known = (one.code for one in group)
        return _is_property(place) and any(
            one.matches(code.CodeValue, code.CodingSchemeDesignator) for one in known
        )

    return right


def _is_number_of_calcifications(item: Dataset) -> bool:
    return bool(item.ValueType == "NUM" and _name(item) == "111038")


def _difference_in_time(place: Place) -> bool:
    """Whether it is of a temporal relation, without unit, and of two numbers."""
    (relation,) = place.parent.below("111016")
    of_numbers = list(map(_is_number_of_calcifications, place.targets()))
    temporal = _value(relation) == "111153"
    return (
        _is_property(place)
        and temporal
        and _unit(place.item)[0] == "1"
        and of_numbers
        == [
            True,
            True,
        ]
    )


def _difference_is_of_it(place: Place) -> bool:
    return (
        place.item.RelationshipType == "INFERRED FROM"
        and _is_number_of_calcifications(_target(place.root, place.item))
        and _difference_in_time(place.parent)
    )


def _size_beside_description(place: Place) -> bool:
    """Whether it is the one length of a cluster that is described by rows 1 to 3 as well."""
    finding = place.parent
    described = any(finding.below(row) for row in ("111009", "111008", "111038"))
    return (
        _is_property(place)
        and _value(finding.item) in {"129769006", "F-01775"}
        and described
        and _unit(place.item)[0] in {"mm", "cm", "um"}
        and len(finding.below(_name(place.item))) == 1
    )


@dataclass(frozen=True)
class FalseAlarm:
    """One thing that the validator says of documents that are right."""

    kind: str
    row: str
    path: str
    """A pattern of `Place.path`."""
    fault: str
    """A pattern of what the row is said to be offended by."""
    why: str
    """Why it is not, and where that is written: PS3.16 of 2024, or what is named."""
    right: Callable[[Place], bool] = _always
    """What is looked at in the document before the alarm is silenced."""

    @property
    def words(self) -> str:
        """What is said of which item, to be read by people."""
        fault = self.fault.replace("\\", "").replace("d+", "n").split(" - found (")[0]
        last = self.path.rpartition("/")[2].replace("|", " or ").replace(r"\*", "reference")
        return f"{self.row or f'item {last}'}: {fault}"

    def is_in(self, line: str, root: Dataset) -> bool:
        """Whether a line about a document is this alarm."""
        said = read_line(line)
        if said is None or (said.kind, said.row) != (self.kind, self.row):
            return False
        if not re.fullmatch(self.fault, said.fault):
            return False
        place = Place(root, said.position)
        try:
            return bool(re.fullmatch(self.path, place.path)) and self.right(place)
        except (AttributeError, LookupError, TypeError, ValueError):
            return False  # What would have to be right is not even there.


_IMPRESSION = "111036/111017/111034"
_FEATURE = f"{_IMPRESSION}(/111015){{1,2}}"
_FINDING = f"{_IMPRESSION}(/111015){{0,2}}/111059"
_PERFORMED = "111036/111064/111063/111022"
_TABLE = f"{_PERFORMED}/111093"
_DIFFERENCE = f"{_FEATURE}/(129810007|F-017B5)"

_BODY = "4002 MammographyCADImpressionRecommendationBody/"
_ALGORITHM = "4019HasProperties CADAlgorithmIdentificationHasProperties/"
_SINGLE = '4006 MammographyCADSingleImageFinding/[Row 1] CODE (111059,DCM,"Single Image Finding")/'
_COMPOSITE = '4005 MammographyCADCompositeFeatureBody /[Row 1] CODE (111016,DCM,"Composite Type")'
_POINTS = "4023 CADOperatingPoints/"
_POINT_TABLE = f'{_POINTS}[Row 3] CONTAINER (111093,DCM,"Operating Point Table")'
_POINT = f'{_POINT_TABLE}/[Row 6] NUM (111071,DCM,"CAD Operating Point")'
_DETECTIONS = "4015MammoParameters CADDetectionsPerformedMammo/"
_ANALYSES = "4016MammoParameters CADAnalysesPerformedMammo/"


def _contained() -> Iterator[FalseAlarm]:
    rows = {
        f'{_BODY}[Row 3] CODE (111023,DCM,"Differential Diagnosis/Impression")': "111023",
        f'{_BODY}[Row 5] TEXT (111033,DCM,"Impression Description")': "111033",
        f'{_ALGORITHM}[Row 1] TEXT (111001,DCM,"Algorithm Name")': "111001",
        f'{_ALGORITHM}[Row 2] TEXT (111003,DCM,"Algorithm Version")': "111003",
        f'{_ALGORITHM}[Row 3] TEXT (111002,DCM,"Algorithm Parameters")': "111002",
    }
    for row, concept in rows.items():
        yield FalseAlarm(
            "Error",
            row,
            f"{_IMPRESSION}/{concept}",
            "Incorrect relationship - expected HAS PROPERTIES - found CONTAINS",
            "TID 4003 row 3 includes TID 4002, and with it TID 4019, by CONTAINS; a CONTAINER has "
            "no properties (PS3.3 table A.35.5-2).",
        )


def _otherwise_meant() -> Iterator[FalseAlarm]:
    """Yield the code meanings that the validator has other than the standard."""
    texts = (
        (_COMPOSITE, f"{_FEATURE}/111016", "111016", "Composite type", "Composite Type"),
        (
            f'{_DETECTIONS}[Row 3] CONTAINER (111025,DCM,"Failed  Detections")',
            "111036/111064/111025",
            "111025",
            "Failed Detections",
            "Failed  Detections",
        ),
        (
            f'{_ANALYSES}[Row 3] CONTAINER (111024,DCM,"Failed  Analyses")',
            "111036/111065/111024",
            "111024",
            "Failed Analyses",
            "Failed  Analyses",
        ),
        (_POINT_TABLE, _TABLE, "111093", "CAD Operating Point Table", "Operating Point Table"),
    )
    for row, path, code, meaning, other in texts:
        yield FalseAlarm(
            "Warning",
            row,
            path,
            _meaning(code, meaning, other, "template concept name"),
            f'The meaning of {code} is "{meaning}" (annex D).',
        )
    for code, what in (("111153", "temporally"), ("111154", "spatially")):
        meaning = f"Target Content Items are related {what}"
        yield FalseAlarm(
            "Warning",
            _COMPOSITE,
            f"{_FEATURE}/111016",
            _meaning(
                code, meaning, f"Target content items are related {what}", "context group 6035"
            ),
            f'The meaning of {code} is "{meaning}" (CID 6035).',
        )


def _meaning(code: str, ours: str, other: str, where: str) -> str:
    return re.escape(
        f'Code ({code},DCM,"{ours}") has different code meaning ("{ours}") '
        f'than code meaning in {where} ("{other}")'
    )


def _range(first: int, expected: str) -> str:
    expected = re.escape(f'Incorrect units - expected ({{{first}:n}},UCUM,"{expected}") - found ')
    return expected + rf'\(\{{{first}:(\d+)\}},UCUM,"range: {first}:\1"\)'


def _operating_points() -> Iterator[FalseAlarm]:
    the_n = "The n of the unit is a number: the value of TID 4023 row 1, which it is here."
    rows: tuple[tuple[str, str, int, str, Callable[[Place], bool]], ...] = (
        (
            f'{_SINGLE}[Row 2] CODE (111056,DCM,"Rendering Intent")/'
            '[Row 3] NUM (111071,DCM,"CAD Operating Point")',
            f"{_FINDING}(/111059)?/111056/111071",
            1,
            "range: 1:n",
            _point_of_mark,
        ),
        (
            f'{_POINTS}[Row 2] NUM (111092,DCM,"Recommended CAD Operating Point")',
            f"{_PERFORMED}/111092",
            0,
            "range:0:n",
            _recommended_point,
        ),
        (_POINT, f"{_TABLE}/111071", 0, "range:0:n", _point_of_table),
    )
    for row, path, first, expected, right in rows:
        yield FalseAlarm("Error", row, path, _range(first, expected), the_n, right)
    for number, axis in ((8, 4), (9, 5)):
        yield FalseAlarm(
            "Error",
            f"{_POINT}/[Row {number}] NUM *",
            f"{_TABLE}/111071",
            "Incorrect content item value multiplicity - found 2 content items but expected 1",
            f"The concept of TID 4023 row {number} is the value of its row {axis}, and there is "
            "one of it; the validator counts the values of both axes.",
            _one_value_of_each_axis,
        )
    yield FalseAlarm(
        "Forbidden",
        "",
        _TABLE,
        _ILLEGAL,
        "TID 4023 row 3 has a CONTAINER as property of Detection Performed, and PS3.3 table "
        "A.35.5-2 lets a CODE have one.",
    )


def _conditions() -> Iterator[FalseAlarm]:
    other_status = (
        "the validator takes the status of any summary for that of this one (it counts codes "
        "of this value among all items below the root)."
    )
    yield FalseAlarm(
        "Error",
        f'{_ANALYSES}[Row 1] CONTAINER (111062,DCM,"Successful Analyses")',
        "111036/111065",
        "Missing conditional content item",
        f"TID 4016 row 1 is not there where all analyses Failed; {other_status}",
        _has_value("111224"),
    )
    yield FalseAlarm(
        "Error",
        f'{_DETECTIONS}[Row 3] CONTAINER (111025,DCM,"Failed  Detections")',
        "111036/111064",
        "Missing conditional content item",
        f"TID 4015 row 3 is not there where all detections Succeeded; {other_status}",
        _has_value("111222"),
    )
    yield FalseAlarm(
        "Error",
        f"{_SINGLE}[Row 18] IMAGE *",
        _FINDING,
        "Conditional content item present when condition not satisfied",
        "TID 4006 row 18 goes with the value Image Quality; the validator looks for that in the "
        "concept name.",
        _is_quality_of_image,
    )
    yield FalseAlarm(
        "Error",
        f'{_BODY}[Row 3] CODE (111023,DCM,"Differential Diagnosis/Impression")',
        _IMPRESSION,
        r"Incorrect content item value multiplicity - found \d+ content items but expected 1",
        "The value multiplicity of TID 4002 row 3 is 1-n.",
        _different_values,
    )


def _without_row() -> Iterator[FalseAlarm]:
    behind = "The validator's TID 4005 ends with row 10."
    rows = (
        (f"{_FEATURE}/111048", f"{behind} It is row 16.", _of_group(QuadrantLocation)),
        (f"{_FEATURE}/111014", f"{behind} It is row 17.", _of_group(ClockFace)),
        (_DIFFERENCE, f"{behind} It is row 11.", _difference_in_time),
        (rf"{_DIFFERENCE}/\*", f"{behind} It is row 12.", _difference_is_of_it),
        (
            f"{_FINDING}/(103339001|G-A185)",
            "TID 4010 row 4 goes with its rows 1 to 3; the validator has it only without them.",
            _size_beside_description,
        ),
    )
    for path, why, right in rows:
        yield FalseAlarm("Warning", "", path, "Content Item not in template", why, right)


FALSE_ALARMS = (
    *_contained(),
    *_conditions(),
    *_operating_points(),
    *_otherwise_meant(),
    *_without_row(),
)
"""What is ignored, and nothing else."""
