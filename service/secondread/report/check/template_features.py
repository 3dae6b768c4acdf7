"""TID 4004 Mammography CAD Composite Feature and its body, TID 4005 (PS3.16 2024c), as tables."""

from secondread.report.check.template import MANY, Group, Include, Row, Template
from secondread.report.check.template_rows import (
    AREA_UNITS,
    CALCIFICATION,
    CALCULATED_IN_IMAGE,
    CLUSTER,
    COMPOSITE_TYPE,
    COPIED,
    DENSITIES,
    FEATURE,
    INFERRED,
    INTENT,
    LESION_SIZE_UNITS,
    MODIFIER,
    OBSERVATION,
    PROPERTIES,
    TEMPORAL,
    VOLUME_UNITS,
    dcm,
    percent,
    sct,
    where,
    where_sibling,
)

FEATURE_TEMPLATES: tuple[Template, ...] = (
    Template(
        "4004",
        (
            Row(
                "1",
                "",
                "CODE",
                FEATURE,
                values=Group(6016),
                below=(
                    Row("2", MODIFIER, "CODE", INTENT, values=Group(6034)),
                    Include("3", "4108", OBSERVATION, least=0),
                    Include("4", "4005", PROPERTIES),
                    Include("5", "4004", INFERRED, least=0, most=MANY),
                    Include("6", "4006", INFERRED, least=0, most=MANY),
                    Include("7", "4022", least=0, only=COPIED),
                ),
            ),
        ),
    ),
    Template(
        "4005",
        (
            Row("1", "", "CODE", COMPOSITE_TYPE, values=Group(6035)),
            Row("2", "", "CODE", dcm("111057", "Scope of Feature"), values=Group(6036)),
            Include("3", "4019"),
            percent("4", dcm("111011", "Certainty of Feature")),
            percent("5", dcm("111047", "Probability of cancer")),
            Row(
                "6", "", "CODE", dcm("111042", "Pathology"), least=0, most=MANY, values=Group(6030)
            ),
            Include("7", "1400", least=0, most=MANY),
            Include("8", "1401", least=0, most=MANY),
            Include("9", "1402", least=0, most=MANY),
            Include("10", "4021", least=0, most=MANY),
            Row(
                "11",
                "",
                "NUM",
                Group(6037),
                least=0,
                most=MANY,
                units=(*LESION_SIZE_UNITS, *AREA_UNITS, *VOLUME_UNITS, "1"),
                only=where_sibling(COMPOSITE_TYPE, "the composite is related temporally", TEMPORAL),
                below=(Row("12", INFERRED, "NUM", None, least=0, most=2, by_reference=True),),
            ),
            Row(
                "13",
                "",
                "CODE",
                dcm("111049", "Qualitative Difference"),
                least=0,
                most=MANY,
                values=Group(6038),
                only=where_sibling(COMPOSITE_TYPE, "the composite is related temporally", TEMPORAL),
                below=(
                    Row("14", PROPERTIES, "TEXT", dcm("111021", "Description of Change"), least=0),
                    Row("15", INFERRED, "CODE", None, least=2, most=2, by_reference=True),
                ),
            ),
            Row("16", "", "CODE", dcm("111048", "Quadrant location"), least=0, values=Group(6020)),
            Row(
                "17", "", "CODE", dcm("111014", "Clockface or region"), least=0, values=Group(6018)
            ),
            Row("18", "", "CODE", dcm("111020", "Depth"), least=0, values=Group(6024)),
            *(
                Row(
                    number,
                    "",
                    "CODE",
                    concept,
                    least=0,
                    most=most,
                    values=Group(group),
                    only=where("a mass or a density", *DENSITIES),
                )
                for number, concept, most, group in (
                    ("19", dcm("111035", "Lesion Density"), 1, 6008),
                    ("20", sct("107644003", "Shape"), 1, 6004),
                    ("21", dcm("111037", "Margins"), MANY, 6006),
                )
            ),
            Row(
                "22",
                "",
                "CODE",
                dcm("111009", "Calcification Type"),
                least=0,
                most=MANY,
                values=Group(6010),
                only=where("a calcification or a cluster", CLUSTER, CALCIFICATION),
            ),
            Row(
                "23",
                "",
                "CODE",
                dcm("111008", "Calcification Distribution"),
                least=0,
                values=Group(6012),
                only=where("a calcification cluster", CLUSTER),
            ),
            Row(
                "24",
                "",
                "NUM",
                dcm("111038", "Number of calcifications"),
                least=0,
                units=("1",),
                whole=True,
                low=1,
                only=where("a calcification cluster", CLUSTER),
            ),
            Row("25", "", "NUM", Group(6142), least=0, most=MANY, below=CALCULATED_IN_IMAGE),
        ),
    ),
)
