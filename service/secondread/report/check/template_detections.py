"""TID 4015 to 4019 and 4023: what was done to which images, by what (PS3.16 2024c), as tables."""

from secondread.report.check.template import MANY, Group, Include, Row, Template
from secondread.report.check.template_rows import (
    CONTAINS,
    INFERRED,
    INTENT,
    MODIFIER,
    PROPERTIES,
    SELECTED,
    dcm,
    where_status,
)

DETECTION_TEMPLATES: tuple[Template, ...] = (
    Template(
        "4003 content",
        (
            Row("2", MODIFIER, "CODE", INTENT, values=Group(6034)),
            Include("3", "4002", CONTAINS, least=0),
            Include("4", "4004", CONTAINS, least=0, most=MANY),
            Include("5", "4006", CONTAINS, least=0, most=MANY),
        ),
        one_of=("4", "5"),
    ),
    *(
        Template(
            number,
            tuple(
                Row(
                    row,
                    INFERRED,
                    "CONTAINER",
                    concept,
                    least=0,
                    only=when,
                    needed=when,
                    below=(Include(str(int(row) + 1), performed, CONTAINS, most=MANY),),
                )
                for row, concept, when in (
                    (
                        "1",
                        dcm(*succeeded),
                        where_status("Succeeded or Partially Succeeded", "111222", "111223"),
                    ),
                    (
                        "3",
                        dcm(*failed),
                        where_status("Failed or Partially Succeeded", "111224", "111223"),
                    ),
                )
            ),
        )
        for number, performed, succeeded, failed in (
            (
                "4015",
                "4017",
                ("111063", "Successful Detections"),
                ("111025", "Failed Detections"),
            ),
            (
                "4016",
                "4018",
                ("111062", "Successful Analyses"),
                ("111024", "Failed Analyses"),
            ),
        )
    ),
    *(
        Template(
            number,
            (
                Row(
                    "1",
                    CONTAINS,
                    "CODE",
                    concept,
                    values=Group(group),
                    below=(Include("", f"{number} content"),),
                ),
            ),
        )
        for number, concept, group in (
            ("4017", dcm("111022", "Detection Performed"), 6014),
            ("4018", dcm("111004", "Analysis Performed"), 6043),
        )
    ),
    *(
        Template(
            f"{number} content",
            (
                Include("2", "4019", PROPERTIES),
                Row("3", PROPERTIES, "IMAGE", None, least=0, most=MANY),
                Row("4", PROPERTIES, "IMAGE", None, least=0, most=MANY, by_reference=True),
                Row(
                    "5",
                    PROPERTIES,
                    "UIDREF",
                    dcm("112002", "Series Instance UID"),
                    least=0,
                    most=MANY,
                ),
                Row(
                    "6",
                    INFERRED,
                    "SCOORD",
                    dcm("111030", "Image Region"),
                    least=0,
                    below=(
                        Row("7", SELECTED, "IMAGE", None, least=0, by_reference=True),
                        Row("8", SELECTED, "IMAGE", None, least=0),
                    ),
                ),
                Include("9", "4023", PROPERTIES, least=0),
            ),
            one_of=("3", "4", "5", "6"),
        )
        for number in ("4017", "4018")
    ),
    Template(
        "4019",
        (
            Row("1", "", "TEXT", dcm("111001", "Algorithm Name")),
            Row("1b", "", "CODE", dcm("111001", "Algorithm Name"), least=0),
            Row("2", "", "TEXT", dcm("111003", "Algorithm Version")),
            Row("3", "", "TEXT", dcm("111002", "Algorithm Parameters"), least=0, most=MANY),
            Row("4", "", "CODE", dcm("111000", "Algorithm Family"), least=0),
        ),
    ),
    Template(
        "4023",
        (
            Row(
                "1",
                "",
                "NUM",
                dcm("111072", "Maximum CAD Operating Point"),
                units=("[arb'U]",),
                whole=True,
                low=0,
            ),
            Row(
                "2",
                "",
                "NUM",
                dcm("111092", "Recommended CAD Operating Point"),
                least=0,
                units=("{0:*",),
                whole=True,
                low=0,
            ),
            Row(
                "3",
                "",
                "CONTAINER",
                dcm("111093", "CAD Operating Point Table"),
                least=0,
                below=(
                    Row("4", CONTAINS, "CODE", dcm("122698", "X-Concept"), values=Group(6048)),
                    Row("5", CONTAINS, "CODE", dcm("122699", "Y-Concept"), values=Group(6048)),
                    Row(
                        "6",
                        CONTAINS,
                        "NUM",
                        dcm("111071", "CAD Operating Point"),
                        most=MANY,
                        units=("{0:*",),
                        whole=True,
                        low=0,
                        below=(
                            Row(
                                "7",
                                PROPERTIES,
                                "TEXT",
                                dcm("111081", "CAD Operating Point Description"),
                                least=0,
                            ),
                            Row("8", PROPERTIES, "NUM", Group(6048), least=0, most=2),
                        ),
                    ),
                ),
            ),
        ),
    ),
)
