"""TID 4000 Mammography CAD Document Root and what it includes (PS3.16 2024c), as tables.

Written from the standard, not from what the builder does: it holds what other makers write too.
The findings and features, TID 4004 to 4014, are in `finding_templates`. `template.row` explains the
columns.
"""

from secondread.codes import Code
from secondread.report.check.finding_templates import FINDING_TEMPLATES
from secondread.report.check.template import (
    PERCENT,
    Condition,
    NumberRange,
    require_value,
    row,
    template,
)

_FOLLOW_UP_DATE = Code("111054", "DCM", "Recommended Follow-up Date")

# fmt: off

INTERVAL = NumberRange(("d", "wk", "mo", "a"), low=0)
HIGHEST_POINT = NumberRange(("[arb'U]",), is_whole=True, low=0)
ZERO_TO_N = NumberRange(("{0:*",), is_whole=True, low=0)
SPACING = NumberRange(("um", "mm"), low=0)
PIXELS = NumberRange(("{pixels}",), is_whole=True, low=1)

SUCCEEDED = require_value("Succeeded or Partially Succeeded", "111222", "111223")
FAILED = require_value("Failed or Partially Succeeded", "111224", "111223")
NO_DATE = Condition(
    lambda parent: parent.find_child(_FOLLOW_UP_DATE) is None,
    "no Recommended Follow-up Date is given",
)

TID_4000 = template(
    "4000",
    row("1",   "",         "CONTAINER", "111036 Mammography CAD Report", "1 M"),
    row(">2",  "MOD",      "INCLUDE",   "1204",                          "1 M"),
    row(">3",  "CONTAINS", "CONTAINER", "111028 Image Library",          "1 M"),
    row(">>4", "CONTAINS", "INCLUDE",   "4020",                          "1-n M"),
    row(">5",  "CONTAINS", "INCLUDE",   "4001",                          "1 M"),
    row(">6",  "CONTAINS", "CODE",      "111064 Summary of Detections",  "1 M",   6042),
    row(">>7", "",         "INCLUDE",   "4015",                          "1 U"),
    row(">8",  "CONTAINS", "CODE",      "111065 Summary of Analyses",    "1 M",   6042),
    row(">>9", "",         "INCLUDE",   "4016",                          "1 U"),
)

TID_1204 = template(
    "1204",
    row("1",  "MOD", "CODE", "121049 Language of Content Item and Descendants", "1 M", 5000),
    row(">2", "MOD", "CODE", "121046 Country of Language",                      "1 U"),
)

TID_4001 = template(
    "4001",
    row("1",  "",      "CODE",    "111017 CAD Processing and Findings Summary", "1 M",   6047),
    row(">2", "PROPS", "INCLUDE", "4002",                                       "1 U"),
    row(">3", "",      "INCLUDE", "4003",                                       "1-n U"),
)

TID_4002 = template(
    "4002",
    row("1",   "",         "CODE",    "111005 Assessment Category", "1-n U", 6026),
    row(">2",  "MOD",      "CODE",    "SCT:272741003 Laterality", "1 U", 6022),
    row("3",   "",         "CODE",    "111023 Differential Diagnosis/Impression", "1-n U", 6002),
    row(">4",  "MOD",      "CODE",    "SCT:272741003 Laterality", "1 U", 6022),
    row("5",   "",         "TEXT",    "111033 Impression Description", "1 U"),
    row("6",   "",         "CODE",    "111053 Recommended Follow-up", "1-n U", 6028),
    row(">7",  "MOD",      "CODE",    "SCT:272741003 Laterality", "1 U", 6022),
    row("8",   "", "NUM", "111055 Recommended Follow-up Interval", "1 UC", INTERVAL, NO_DATE),
    row("9",   "",         "DATE",    "111054 Recommended Follow-up Date", "1 U"),
    row("10",  "",         "NUM",     "111013 Certainty of impression", "1 U", PERCENT),
    row("11",  "",         "INCLUDE", "4019", "1-n M"),
    row("12",  "",         "NUM",     6142, "1-n U"),
    row(">13", "MOD",      "CODE",    "SCT:272741003 Laterality", "1 U", 6022),
    row(">14", "MOD",      "CODE",    "121401 Derivation", "1 M", 6140),
    row(">15", "INFERRED", "TEXT",    "112034 Calculation Description", "1 U"),
    one_of=("1", "3", "5", "6", "8", "9"),
)

TID_4003 = template(
    "4003",
    row("1",  "INFERRED", "CONTAINER", "111034 Individual Impression/Recommendation", "1 M"),
    row(">2", "MOD",      "CODE",      "111056 Rendering Intent", "1 M", 6034),
    row(">3", "CONTAINS", "INCLUDE",   "4002", "1 U"),
    row(">4", "CONTAINS", "INCLUDE",   "4004", "1-n U"),
    row(">5", "CONTAINS", "INCLUDE",   "4006", "1-n U"),
    one_of_below=("4", "5"),
)

TID_4015 = template(
    "4015",
    row("1",  "INFERRED", "CONTAINER", "111063 Successful Detections", "1 MC",  None, SUCCEEDED),
    row(">2", "CONTAINS", "INCLUDE",   "4017",                         "1-n M"),
    row("3",  "INFERRED", "CONTAINER", "111025 Failed Detections",     "1 MC",  None, FAILED),
    row(">4", "CONTAINS", "INCLUDE",   "4017",                         "1-n M"),
)

TID_4016 = template(
    "4016",
    row("1",  "INFERRED", "CONTAINER", "111062 Successful Analyses", "1 MC",  None, SUCCEEDED),
    row(">2", "CONTAINS", "INCLUDE",   "4018",                       "1-n M"),
    row("3",  "INFERRED", "CONTAINER", "111024 Failed Analyses",     "1 MC",  None, FAILED),
    row(">4", "CONTAINS", "INCLUDE",   "4018",                       "1-n M"),
)

TID_4017 = template(
    "4017",
    row("1",   "CONTAINS",   "CODE",    "111022 Detection Performed", "1 M",   6014),
    row(">2",  "PROPS",      "INCLUDE", "4019",                       "1 M"),
    row(">3",  "PROPS",      "IMAGE",   None,                         "1-n U"),
    row(">4",  "R-PROPS",    "IMAGE",   None,                         "1-n U"),
    row(">5",  "PROPS",      "UIDREF",  "112002 Series Instance UID", "1-n U"),
    row(">6",  "INFERRED",   "SCOORD",  "111030 Image Region",        "1 U"),
    row(">>7", "R-SELECTED", "IMAGE",   None,                         "1 U"),
    row(">>8", "SELECTED",   "IMAGE",   None,                         "1 U"),
    row(">9",  "PROPS",      "INCLUDE", "4023",                       "1 U"),
    one_of_below=("3", "4", "5", "6"),
)

TID_4018 = template(
    "4018",
    row("1",   "CONTAINS",   "CODE",    "111004 Analysis Performed",  "1 M",   6043),
    row(">2",  "PROPS",      "INCLUDE", "4019",                       "1 M"),
    row(">3",  "PROPS",      "IMAGE",   None,                         "1-n U"),
    row(">4",  "R-PROPS",    "IMAGE",   None,                         "1-n U"),
    row(">5",  "PROPS",      "UIDREF",  "112002 Series Instance UID", "1-n U"),
    row(">6",  "INFERRED",   "SCOORD",  "111030 Image Region",        "1 U"),
    row(">>7", "R-SELECTED", "IMAGE",   None,                         "1 U"),
    row(">>8", "SELECTED",   "IMAGE",   None,                         "1 U"),
    row(">9",  "PROPS",      "INCLUDE", "4023",                       "1 U"),
    one_of_below=("3", "4", "5", "6"),
)

TID_4019 = template(
    "4019",
    row("1",  "", "TEXT", "111001 Algorithm Name",       "1 M"),
    row("1b", "", "CODE", "111001 Algorithm Name",       "1 U"),
    row("2",  "", "TEXT", "111003 Algorithm Version",    "1 M"),
    row("3",  "", "TEXT", "111002 Algorithm Parameters", "1-n U"),
    row("4",  "", "CODE", "111000 Algorithm Family",     "1 U"),
)

TID_4020 = template(
    "4020",
    row("1",   "",    "IMAGE", None,                                "1-n M"),
    row(">2",  "ACQ", "CODE",  "111027 Image Laterality",           "1 U",   6022),
    row(">3",  "ACQ", "CODE",  "111031 Image View",                 "1 U",   4014),
    row(">>4", "MOD", "CODE",  "111032 Image View Modifier",        "1-n U", 4015),
    row(">5",  "ACQ", "TEXT",  "111044 Patient Orientation Row",    "1 U"),
    row(">6",  "ACQ", "TEXT",  "111043 Patient Orientation Column", "1 U"),
    row(">7",  "ACQ", "DATE",  "111060 Study Date",                 "1 U"),
    row(">8",  "ACQ", "TIME",  "111061 Study Time",                 "1 U"),
    row(">9",  "ACQ", "DATE",  "111018 Content Date",               "1 U"),
    row(">10", "ACQ", "TIME",  "111019 Content Time",               "1 U"),
    row(">11", "ACQ", "NUM",   "111026 Horizontal Pixel Spacing",   "1 U",   SPACING),
    row(">12", "ACQ", "NUM",   "111066 Vertical Pixel Spacing",     "1 U",   SPACING),
    row(">27", "ACQ", "NUM",   "110910 Pixel Data Rows",            "1 U",   PIXELS),
    row(">28", "ACQ", "NUM",   "110911 Pixel Data Columns",         "1 U",   PIXELS),
    is_extensible=True,
)

TID_4022 = template(
    "4022",
    row("1",        "OBS", "COMPOSITE", "111040 Original Source",                          "1 M"),
    row(">2",       "MOD", "CODE",      "121049 Language of Content Item and Descendants", "1 U"),
    row("3",        "OBS", "CODE",      "121005 Observer Type",                            "1-n U"),
    row("3 UIDREF", "OBS", "UIDREF",    None,                                              "1-n U"),
    row("3 TEXT",   "OBS", "TEXT",      None,                                              "1-n U"),
    row("3 PNAME",  "OBS", "PNAME",     None,                                              "1-n U"),
    row("3 CODE",   "OBS", "CODE",      None,                                              "1-n U"),
)

TID_4023 = template(
    "4023",
    row("1",   "",         "NUM",       "111072 Maximum CAD Operating Point", "1 M", HIGHEST_POINT),
    row("2",   "",         "NUM",       "111092 Recommended CAD Operating Point", "1 U", ZERO_TO_N),
    row("3",   "",         "CONTAINER", "111093 CAD Operating Point Table", "1 U"),
    row(">4",  "CONTAINS", "CODE",      "122698 X-Concept", "1 M", 6048),
    row(">5",  "CONTAINS", "CODE",      "122699 Y-Concept", "1 M", 6048),
    row(">6",  "CONTAINS", "NUM",       "111071 CAD Operating Point", "1-n M", ZERO_TO_N),
    row(">>7", "PROPS",    "TEXT",      "111081 CAD Operating Point Description", "1 U"),
    row(">>8", "PROPS",    "NUM",       6048, "2 U"),
)

TID_4108 = template(
    "4108",
    row("1", "", "TEXT",   "112039 Tracking Identifier",        "1 U"),
    row("2", "", "UIDREF", "112040 Tracking Unique Identifier", "1 U"),
    one_of=("1", "2"),
)

TEMPLATES = {
    table.number: table
    for table in (
        TID_4000, TID_1204, TID_4001, TID_4002, TID_4003, TID_4015, TID_4016, TID_4017, TID_4018,
        TID_4019, TID_4020, TID_4022, TID_4023, TID_4108, *FINDING_TEMPLATES,
    )
}
"""All templates by number."""
