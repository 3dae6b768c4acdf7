"""TID 4007 to 4014: what describes each kind of single image finding (PS3.16 2024c), as tables."""

from secondread.report.check.template import MANY, Group, Include, Row, Template, When
from secondread.report.check.template_rows import (
    PROPERTIES,
    QUALITY_ASSESSMENT,
    SELECTED_IMAGE,
    dcm,
    sct,
)

DESCRIPTION_TEMPLATES: tuple[Template, ...] = (
    Template(
        "4007",
        (
            Row(
                "1",
                "",
                "CODE",
                sct("129715009", "Breast composition"),
                least=0,
                values=Group(6000),
            ),
            Row(
                "2",
                "",
                "NUM",
                dcm("111046", "Percent Fibroglandular Tissue"),
                least=0,
                units=("%",),
                low=0,
                high=100,
            ),
        ),
        one_of=("1", "2"),
    ),
    Template(
        "4008",
        (
            Row(
                "1",
                "",
                "SCOORD",
                dcm("111007", "Breast Outline including Pectoral Muscle Tissue"),
                below=(SELECTED_IMAGE,),
            ),
            Row(
                "3",
                "",
                "SCOORD",
                dcm("111045", "Pectoral Muscle Outline"),
                least=0,
                below=(SELECTED_IMAGE,),
            ),
        ),
    ),
    Template(
        "4009",
        (
            Row(
                "1",
                "",
                "CODE",
                dcm("111009", "Calcification Type"),
                least=0,
                most=MANY,
                values=Group(6010),
            ),
            Include("2", "1400", least=0, most=MANY),
            Include("3", "1401", least=0, most=MANY),
            Include("4", "1402", least=0),
        ),
    ),
    Template(
        "4010",
        (
            Row(
                "1",
                "",
                "CODE",
                dcm("111009", "Calcification Type"),
                least=0,
                most=MANY,
                values=Group(6010),
            ),
            Row(
                "2",
                "",
                "CODE",
                dcm("111008", "Calcification Distribution"),
                least=0,
                values=Group(6012),
            ),
            Row(
                "3",
                "",
                "NUM",
                dcm("111038", "Number of calcifications"),
                least=0,
                units=("1",),
                whole=True,
                low=1,
            ),
            Include("4", "1400", least=0, most=MANY),
            Include("5", "1401", least=0, most=MANY),
            Include("6", "1402", least=0),
        ),
    ),
    Template(
        "4011",
        (
            Row("1", "", "CODE", dcm("111035", "Lesion Density"), least=0, values=Group(6008)),
            Row("2", "", "CODE", sct("107644003", "Shape"), least=0, values=Group(6004)),
            Row("3", "", "CODE", dcm("111037", "Margins"), least=0, most=MANY, values=Group(6006)),
            Include("4", "1400", least=0, most=MANY),
            Include("5", "1401", least=0, most=MANY),
            Include("6", "1402", least=0, most=MANY),
        ),
    ),
    Template(
        "4012",
        (
            Row("1", "", "CODE", dcm("111039", "Object type"), values=Group(6040)),
            Include("2", "1400", least=0, most=MANY),
            Include("3", "1401", least=0, most=MANY),
            Include("4", "1402", least=0, most=MANY),
        ),
    ),
    Template(
        "4013",
        (
            Row("1", "", "TEXT", dcm("111058", "Selected Region Description")),
            Include("2", "1400", least=0, most=MANY),
            Include("3", "1401", least=0, most=MANY),
            Include("4", "1402", least=0, most=MANY),
        ),
    ),
    Template(
        "4014",
        (
            Row(
                "1",
                "",
                "CODE",
                dcm("111052", "Quality Finding"),
                values=Group(6041),
                below=(
                    Row("2", PROPERTIES, "CODE", QUALITY_ASSESSMENT, least=0, values=Group(6044)),
                    Row(
                        "3",
                        PROPERTIES,
                        "CODE",
                        dcm("111051", "Quality Control Standard"),
                        least=0,
                        values=Group(6045),
                        only=When(
                            lambda p: p.find_child(QUALITY_ASSESSMENT) is not None,
                            "a Quality Assessment is given",
                        ),
                        needed=When(
                            lambda p: p.find_child(QUALITY_ASSESSMENT) is not None,
                            "a Quality Assessment is given",
                        ),
                    ),
                    Row(
                        "4",
                        PROPERTIES,
                        "NUM",
                        dcm("111029", "Image Quality Rating"),
                        least=0,
                        low=0,
                        high=100,
                    ),
                ),
            ),
        ),
    ),
)
