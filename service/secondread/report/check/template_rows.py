"""Concepts, conditions and rows that several templates of a Mammography CAD SR share."""

from secondread.codes import Code
from secondread.report.check.template import MANY, Group, Row, Template, When
from secondread.report.readback.content import Content

CONTAINS = "CONTAINS"
PROPERTIES = "HAS PROPERTIES"
OBSERVATION = "HAS OBS CONTEXT"
ACQUISITION = "HAS ACQ CONTEXT"
MODIFIER = "HAS CONCEPT MOD"
INFERRED = "INFERRED FROM"
SELECTED = "SELECTED FROM"

CLUSTER = ("129769006", "SCT")
CALCIFICATION = ("129770007", "SCT")
QUALITY = ("111101", "DCM")
GEOMETRY = ("111100", "DCM")
COMPOSITION = ("129715009", "SCT")
NON_LESION = ("111102", "DCM")
REGION = ("111099", "DCM")
NIPPLE = ("24142002", "SCT")
DENSITIES = (("129793001", "SCT"), ("129788004", "SCT"))
OPTIONAL = ("111151", "DCM")
TEMPORAL = ("111153", "DCM")


def dcm(value: str, meaning: str) -> Code:
    """Return a concept of the DICOM Controlled Terminology."""
    return Code(value, "DCM", meaning)


def sct(value: str, meaning: str) -> Code:
    """Return a SNOMED CT concept."""
    return Code(value, "SCT", meaning)


def has_value(content: Content | None, *codes: tuple[str, str]) -> bool:
    """Whether an item has one of these codes as its value, in whichever scheme of SNOMED."""
    value = content.code if content is not None else None
    return value is not None and any(
        Code(code, scheme, "").matches(value.value, value.scheme) for code, scheme in codes
    )


def where(words: str, *codes: tuple[str, str]) -> When:
    """Return the condition that the item above has one of these codes."""
    return When(lambda parent: has_value(parent, *codes), f"the value is {words}")


def unless(words: str, *codes: tuple[str, str]) -> When:
    """Return the condition that the item above has none of these codes."""
    return When(lambda parent: not has_value(parent, *codes), f"the value is not {words}")


def where_sibling(concept: Code, words: str, *codes: tuple[str, str]) -> When:
    """Return the condition that a sibling has one of these codes."""
    return When(lambda parent: has_value(parent.find_child(concept), *codes), words)


def where_status(words: str, *codes: str) -> When:
    """Return the condition that the summary above has one of these values of CID 6042."""
    return where(words, *((code, "DCM") for code in codes))


INTENT = dcm("111056", "Rendering Intent")
COMPOSITE_TYPE = dcm("111016", "Composite type")
FINDING = dcm("111059", "Single Image Finding")
FEATURE = dcm("111015", "Composite Feature")
LATERALITY = sct("272741003", "Laterality")
QUALITY_ASSESSMENT = dcm("111050", "Quality Assessment")
SOURCE = dcm("111040", "Original Source")
COPIED = When(lambda p: p.find_child(SOURCE) is not None, "it is from another report")
LESION_SIZE_UNITS = ("mm", "cm", "um")
AREA_UNITS = ("mm2", "cm2", "um2")
VOLUME_UNITS = ("mm3", "cm3", "um3", "dm3")

SELECTED_IMAGE = Row("2", SELECTED, "IMAGE", None, by_reference=True)
LATERALITY_ROWS = (Row("2", MODIFIER, "CODE", LATERALITY, least=0, values=Group(6022)),)
CALCULATED = (
    Row("13", MODIFIER, "CODE", LATERALITY, least=0, values=Group(6022)),
    Row("14", MODIFIER, "CODE", dcm("121401", "Derivation"), values=Group(6140)),
    Row("15", INFERRED, "TEXT", dcm("112034", "Calculation Description"), least=0),
)
CALCULATED_IN_IMAGE = CALCULATED[1:]


def percent(number: str, concept: Code, only: When | None = None) -> Row:
    """Return the row of a likelihood in percent."""
    return Row(number, "", "NUM", concept, least=0, units=("%",), low=0, high=100, only=only)


def path(concept: Code) -> tuple[Row, ...]:
    """Return the rows of the graphics that a measurement is inferred from."""
    images = (
        Row("3", SELECTED, "IMAGE", None, least=0, by_reference=True),
        Row("4", SELECTED, "IMAGE", None, least=0),
    )
    shapes = ("POLYLINE", "CIRCLE", "ELLIPSE")
    return (
        Row("2", INFERRED, "SCOORD", concept, least=0, graphics=shapes, below=images),
        Row(
            "5",
            INFERRED,
            "SCOORD",
            dcm("121230", "Path Vertex"),
            least=0,
            most=MANY,
            graphics=("POINT",),
            below=images,
        ),
    )


def measured(number: str, group: int, units: tuple[str, ...], outline: Code) -> Template:
    """Return the template of a measurement: TID 1400, 1401 or 1402."""
    row = Row("1", "", "NUM", Group(group), most=MANY, units=units, low=0, below=path(outline))
    return Template(number, (row,))
