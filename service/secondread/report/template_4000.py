"""TID 4000 Mammography CAD Document Root and all that it includes (PS3.16 2024c), as tables.

Written from the standard, not from what the builder does: it holds what other makers write too.
"""

from secondread.report.template import MANY, Group, Include, Row, Template, When
from secondread.report.template_features import FEATURE_TEMPLATES
from secondread.report.template_findings import FINDING_TEMPLATES
from secondread.report.template_rows import (
    ACQUISITION,
    CALCULATED,
    CONTAINS,
    INFERRED,
    INTENT,
    LATERALITY_ROWS,
    MODIFIER,
    OBSERVATION,
    PROPERTIES,
    SELECTED,
    SOURCE,
    dcm,
    percent,
    where_status,
)

_DOCUMENT_TEMPLATES = (
    Template(
        "4000",
        (
            Include("2", "1204", MODIFIER),
            Row(
                "3",
                CONTAINS,
                "CONTAINER",
                dcm("111028", "Image Library"),
                below=(Include("4", "4020", CONTAINS, most=MANY),),
            ),
            Include("5", "4001", CONTAINS),
            Row(
                "6",
                CONTAINS,
                "CODE",
                dcm("111064", "Summary of Detections"),
                values=Group(6042),
                below=(Include("7", "4015", least=0),),
            ),
            Row(
                "8",
                CONTAINS,
                "CODE",
                dcm("111065", "Summary of Analyses"),
                values=Group(6042),
                below=(Include("9", "4016", least=0),),
            ),
        ),
    ),
    Template(
        "1204",
        (
            Row(
                "1",
                MODIFIER,
                "CODE",
                dcm("121049", "Language of Content Item and Descendants"),
                values=Group(5000),
                below=(Row("2", MODIFIER, "CODE", dcm("121046", "Country of Language"), least=0),),
            ),
        ),
    ),
    Template(
        "4001",
        (
            Row(
                "1",
                "",
                "CODE",
                dcm("111017", "CAD Processing and Findings Summary"),
                values=Group(6047),
                below=(
                    Include("2", "4002", PROPERTIES, least=0),
                    Include("3", "4003", least=0, most=MANY),
                ),
            ),
        ),
    ),
    Template(
        "4002",
        (
            Row(
                "1",
                "",
                "CODE",
                dcm("111005", "Assessment Category"),
                least=0,
                most=MANY,
                values=Group(6026),
                below=LATERALITY_ROWS,
            ),
            Row(
                "3",
                "",
                "CODE",
                dcm("111023", "Differential Diagnosis/Impression"),
                least=0,
                most=MANY,
                values=Group(6002),
                below=LATERALITY_ROWS,
            ),
            Row("5", "", "TEXT", dcm("111033", "Impression Description"), least=0),
            Row(
                "6",
                "",
                "CODE",
                dcm("111053", "Recommended Follow-up"),
                least=0,
                most=MANY,
                values=Group(6028),
                below=LATERALITY_ROWS,
            ),
            Row(
                "8",
                "",
                "NUM",
                dcm("111055", "Recommended Follow-up Interval"),
                least=0,
                units=("d", "wk", "mo", "a"),
                low=0,
                only=When(
                    lambda p: p.first(dcm("111054", "")) is None,
                    "no Recommended Follow-up Date is given",
                ),
            ),
            Row("9", "", "DATE", dcm("111054", "Recommended Follow-up Date"), least=0),
            percent("10", dcm("111013", "Certainty of impression")),
            Include("11", "4019", most=MANY),
            Row("12", "", "NUM", Group(6142), least=0, most=MANY, below=CALCULATED),
        ),
        one_of=("1", "3", "5", "6", "8", "9"),
    ),
    Template(
        "4003",
        (
            Row(
                "1",
                INFERRED,
                "CONTAINER",
                dcm("111034", "Individual Impression/Recommendation"),
                below=(Include("", "4003 content"),),
            ),
        ),
    ),
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
        "4020",
        (Row("1", "", "IMAGE", None, most=MANY, below=(Include("", "4020 context"),)),),
    ),
    Template(
        "4020 context",
        (
            Row("2", ACQUISITION, "CODE", dcm("111027", "Image Laterality"), 0, values=Group(6022)),
            Row(
                "3",
                ACQUISITION,
                "CODE",
                dcm("111031", "Image View"),
                least=0,
                values=Group(4014),
                below=(
                    Row(
                        "4",
                        MODIFIER,
                        "CODE",
                        dcm("111032", "Image View Modifier"),
                        least=0,
                        most=MANY,
                        values=Group(4015),
                    ),
                ),
            ),
            Row("5", ACQUISITION, "TEXT", dcm("111044", "Patient Orientation Row"), least=0),
            Row("6", ACQUISITION, "TEXT", dcm("111043", "Patient Orientation Column"), least=0),
            Row("7", ACQUISITION, "DATE", dcm("111060", "Study Date"), least=0),
            Row("8", ACQUISITION, "TIME", dcm("111061", "Study Time"), least=0),
            Row("9", ACQUISITION, "DATE", dcm("111018", "Content Date"), least=0),
            Row("10", ACQUISITION, "TIME", dcm("111019", "Content Time"), least=0),
            *(
                Row(number, ACQUISITION, "NUM", concept, least=0, units=("um", "mm"), low=0)
                for number, concept in (
                    ("11", dcm("111026", "Horizontal Pixel Spacing")),
                    ("12", dcm("111066", "Vertical Pixel Spacing")),
                )
            ),
            *(
                Row(number, ACQUISITION, "NUM", concept, 0, units=("{pixels}",), whole=True, low=1)
                for number, concept in (
                    ("27", dcm("110910", "Pixel Data Rows")),
                    ("28", dcm("110911", "Pixel Data Columns")),
                )
            ),
        ),
        extensible=True,
    ),
    Template(
        "4022",
        (
            Row(
                "1",
                OBSERVATION,
                "COMPOSITE",
                SOURCE,
                below=(
                    Row(
                        "2",
                        MODIFIER,
                        "CODE",
                        dcm("121049", "Language of Content Item and Descendants"),
                        least=0,
                    ),
                ),
            ),
            Row("3", OBSERVATION, "CODE", dcm("121005", "Observer Type"), least=0, most=MANY),
            *(
                Row(f"3 {value_type}", OBSERVATION, value_type, None, least=0, most=MANY)
                for value_type in ("UIDREF", "TEXT", "PNAME", "CODE")
            ),
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
    Template(
        "4108",
        (
            Row("1", "", "TEXT", dcm("112039", "Tracking Identifier"), least=0),
            Row("2", "", "UIDREF", dcm("112040", "Tracking Unique Identifier"), least=0),
        ),
        one_of=("1", "2"),
    ),
)

TEMPLATES = {
    template.number: template
    for template in (*_DOCUMENT_TEMPLATES, *FEATURE_TEMPLATES, *FINDING_TEMPLATES)
}
"""By number; what hangs below the root row of a template that is more than a list of siblings has
a name of its own."""

ROOT = Row(
    "1",
    "",
    "CONTAINER",
    dcm("111036", "Mammography CAD Report"),
    below=(Include("", "4000"),),
)
"""The root row of TID 4000."""
