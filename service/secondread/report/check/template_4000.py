"""TID 4000 Mammography CAD Document Root and all that it includes (PS3.16 2024c), as tables.

Written from the standard, not from what the builder does: it holds what other makers write too.
"""

from secondread.report.check.template import MANY, Group, Include, Row, Template, When
from secondread.report.check.template_descriptions import DESCRIPTION_TEMPLATES
from secondread.report.check.template_detections import DETECTION_TEMPLATES
from secondread.report.check.template_features import FEATURE_TEMPLATES
from secondread.report.check.template_findings import FINDING_TEMPLATES
from secondread.report.check.template_rows import (
    ACQUISITION,
    CALCULATED,
    CONTAINS,
    INFERRED,
    LATERALITY_ROWS,
    MODIFIER,
    OBSERVATION,
    PROPERTIES,
    SOURCE,
    dcm,
    percent,
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
                    lambda p: p.find_child(dcm("111054", "")) is None,
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
    for template in (
        *_DOCUMENT_TEMPLATES,
        *DETECTION_TEMPLATES,
        *FEATURE_TEMPLATES,
        *FINDING_TEMPLATES,
        *DESCRIPTION_TEMPLATES,
    )
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
