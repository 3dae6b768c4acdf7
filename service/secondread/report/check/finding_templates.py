"""TID 4004 to 4014: composite features, single image findings and what describes them, as tables.

With TID 4021 and 1400 to 1402, which they include (PS3.16 2024c). `template.row` explains the
columns.
"""

from secondread.codes import Code
from secondread.report.check.template import (
    PERCENT,
    Condition,
    NumberRange,
    exclude_value,
    has_value,
    require_value,
    row,
    template,
)

_IMAGE_REGION = Code("111030", "DCM", "Image Region")
_COMPOSITE_TYPE = Code("111016", "DCM", "Composite type")
_ORIGINAL_SOURCE = Code("111040", "DCM", "Original Source")
_QUALITY_ASSESSMENT = Code("111050", "DCM", "Quality Assessment")

# fmt: off

LENGTH = NumberRange(("mm", "cm", "um"), low=0)
AREA = NumberRange(("mm2", "cm2", "um2"), low=0)
VOLUME = NumberRange(("mm3", "cm3", "um3", "dm3"), low=0)
DIFFERENCE = NumberRange((*LENGTH.units, *AREA.units, *VOLUME.units, "1"))
COUNT = NumberRange(("1",), is_whole=True, low=1)
RATING = NumberRange(low=0, high=100)
ONE_TO_N = NumberRange(("{1:*",), is_whole=True, low=1)
POINT = ("POINT",)
SHAPE = ("POLYLINE", "CIRCLE", "ELLIPSE")

_CLUSTER, _CALCIFICATION = "SCT:129769006", "SCT:129770007"
_DENSITIES = ("SCT:129793001", "SCT:129788004")
_COMPOSITION, _GEOMETRY, _REGION = "SCT:129715009", "111100", "111099"
_NIPPLE, _QUALITY, _NON_LESION = "SCT:24142002", "111101", "111102"

CLUSTER = require_value("a calcification cluster", _CLUSTER)
CALCIFICATION = require_value("an individual calcification", _CALCIFICATION)
CALCIFIED = require_value("a calcification or a cluster", _CLUSTER, _CALCIFICATION)
DENSITY = require_value("a density", *_DENSITIES)
MASS = require_value("a mass or a density", *_DENSITIES)
COMPOSITION = require_value("breast composition", _COMPOSITION)
GEOMETRY = require_value("breast geometry", _GEOMETRY)
NIPPLE = require_value("a nipple", _NIPPLE)
NON_LESION = require_value("a non-lesion", _NON_LESION)
REGION = require_value("a selected region", _REGION)
QUALITY = require_value("image quality", _QUALITY)
OPTIONAL = require_value("Presentation Optional", "111151")
PLACED = exclude_value("composition, geometry or quality", _COMPOSITION, _GEOMETRY, _QUALITY)
LESION = exclude_value(
    "composition, geometry, nipple, region, quality or non-lesion",
    _COMPOSITION, _GEOMETRY, _NIPPLE, _REGION, _QUALITY, _NON_LESION,
)
NO_REGION = Condition(
    lambda parent: has_value(parent, _QUALITY) and parent.find_child(_IMAGE_REGION) is None,
    "the value is image quality and no region is given",
)
TEMPORAL = Condition(
    lambda parent: has_value(parent.find_child(_COMPOSITE_TYPE), "111153"),
    "the composite is related temporally",
)
COPIED = Condition(
    lambda parent: parent.find_child(_ORIGINAL_SOURCE) is not None, "it is from another report"
)
ASSESSED = Condition(
    lambda parent: parent.find_child(_QUALITY_ASSESSMENT) is not None,
    "a Quality Assessment is given",
)

TID_4004 = template(
    "4004",
    row("1",  "",         "CODE",    "111015 Composite Feature", "1 M",   6016),
    row(">2", "MOD",      "CODE",    "111056 Rendering Intent",  "1 M",   6034),
    row(">3", "OBS",      "INCLUDE", "4108",                     "1 U"),
    row(">4", "PROPS",    "INCLUDE", "4005",                     "1 M"),
    row(">5", "INFERRED", "INCLUDE", "4004",                     "1-n U"),
    row(">6", "INFERRED", "INCLUDE", "4006",                     "1-n U"),
    row(">7", "",         "INCLUDE", "4022",                     "1 UC",  None, COPIED),
)

TID_4005 = template(
    "4005",
    row("1",   "",           "CODE",    "111016 Composite type", "1 M", 6035),
    row("2",   "",           "CODE",    "111057 Scope of Feature", "1 M", 6036),
    row("3",   "",           "INCLUDE", "4019", "1 M"),
    row("4",   "",           "NUM",     "111011 Certainty of Feature", "1 U", PERCENT),
    row("5",   "",           "NUM",     "111047 Probability of cancer", "1 U", PERCENT),
    row("6",   "",           "CODE",    "111042 Pathology", "1-n U", 6030),
    row("7",   "",           "INCLUDE", "1400", "1-n U"),
    row("8",   "",           "INCLUDE", "1401", "1-n U"),
    row("9",   "",           "INCLUDE", "1402", "1-n U"),
    row("10",  "",           "INCLUDE", "4021", "1-n U"),
    row("11",  "",           "NUM",     6037, "1-n UC", DIFFERENCE, TEMPORAL),
    row(">12", "R-INFERRED", "NUM",     None, "2 U"),
    row("13",  "",           "CODE",    "111049 Qualitative Difference", "1-n UC", 6038, TEMPORAL),
    row(">14", "PROPS",      "TEXT",    "111021 Description of Change", "1 U"),
    row(">15", "R-INFERRED", "CODE",    None, "2 M"),
    row("16",  "",           "CODE",    "111048 Quadrant location", "1 U", 6020),
    row("17",  "",           "CODE",    "111014 Clockface or region", "1 U", 6018),
    row("18",  "",           "CODE",    "111020 Depth", "1 U", 6024),
    row("19",  "",           "CODE",    "111035 Lesion Density", "1 UC", 6008, MASS),
    row("20",  "",           "CODE",    "SCT:107644003 Shape", "1 UC", 6004, MASS),
    row("21",  "",           "CODE",    "111037 Margins", "1-n UC", 6006, MASS),
    row("22",  "",           "CODE",    "111009 Calcification Type", "1-n UC", 6010, CALCIFIED),
    row("23",  "",           "CODE",    "111008 Calcification Distribution", "1 UC", 6012, CLUSTER),
    row("24",  "",           "NUM",     "111038 Number of calcifications", "1 UC", COUNT, CLUSTER),
    row("25",  "",           "NUM",     6142, "1-n U"),
    row(">26", "MOD",        "CODE",    "121401 Derivation", "1 M", 6140),
    row(">27", "INFERRED",   "TEXT",    "112034 Calculation Description", "1 U"),
)

TID_4006 = template(
    "4006",
    row("1",    "",           "CODE",    "111059 Single Image Finding", "1 M", 6014),
    row(">2",   "MOD",        "CODE",    "111056 Rendering Intent", "1 M", 6034),
    row(">>3",  "PROPS",      "NUM",     "111071 CAD Operating Point", "1 UC", ONE_TO_N, OPTIONAL),
    row(">4",   "OBS",        "INCLUDE", "4108", "1 U"),
    row(">5",   "PROPS",      "INCLUDE", "4019", "1 M"),
    row(">6",   "PROPS",      "NUM",     "111012 Certainty of Finding", "1 U", PERCENT),
    row(">7",   "PROPS",      "NUM",     "111047 Probability of cancer", "1 UC", PERCENT, LESION),
    row(">8",   "PROPS",      "INCLUDE", "4021", "1 MC", None, PLACED),
    row(">9",   "PROPS",      "INCLUDE", "4007", "1 MC", None, COMPOSITION),
    row(">10",  "R-INFERRED", "CODE", "111059 Single Image Finding", "1-n UC", None, COMPOSITION),
    row(">11",  "PROPS",      "INCLUDE", "4008", "1 MC", None, GEOMETRY),
    row(">12",  "PROPS",      "INCLUDE", "4009", "1 UC", None, CALCIFICATION),
    row(">13",  "PROPS",      "INCLUDE", "4010", "1 UC", None, CLUSTER),
    row(">14",  "PROPS",      "INCLUDE", "4011", "1 UC", None, DENSITY),
    row(">15",  "PROPS",      "CODE",    "111297 Nipple Characteristic", "1 UC", None, NIPPLE),
    row(">16",  "PROPS",      "INCLUDE", "4012", "1 MC", None, NON_LESION),
    row(">17",  "PROPS",      "INCLUDE", "4013", "1 MC", None, REGION),
    row(">18",  "R-INFERRED", "IMAGE",   None, "1 MC", None, (QUALITY, NO_REGION)),
    row(">19",  "PROPS",      "SCOORD",  "111030 Image Region", "1-n UC", None, QUALITY),
    row(">>20", "R-SELECTED", "IMAGE",   None, "1 M"),
    row(">21",  "PROPS",      "INCLUDE", "4014", "1-n MC", None, QUALITY),
    row(">22",  "PROPS",      "NUM",     6142, "1-n U"),
    row(">>23", "MOD",        "CODE",    "121401 Derivation", "1 M", 6140),
    row(">>24", "INFERRED",   "TEXT",    "112034 Calculation Description", "1 U"),
    row(">25",  "INFERRED",   "INCLUDE", "4006", "1-n UC", None, CLUSTER),
    row(">26",  "",           "INCLUDE", "4022", "1 UC", None, COPIED),
)

TID_4007 = template(
    "4007",
    row("1", "", "CODE", "SCT:129715009 Breast composition",     "1 U", 6000),
    row("2", "", "NUM",  "111046 Percent Fibroglandular Tissue", "1 U", PERCENT),
    one_of=("1", "2"),
)

TID_4008 = template(
    "4008",
    row("1",  "", "SCOORD", "111007 Breast Outline including Pectoral Muscle Tissue", "1 M"),
    row(">2", "R-SELECTED", "IMAGE",  None, "1 M"),
    row("3",  "",           "SCOORD", "111045 Pectoral Muscle Outline", "1 U"),
    row(">4", "R-SELECTED", "IMAGE",  None, "1 M"),
)

TID_4009 = template(
    "4009",
    row("1", "", "CODE",    "111009 Calcification Type", "1-n U", 6010),
    row("2", "", "INCLUDE", "1400",                      "1-n U"),
    row("3", "", "INCLUDE", "1401",                      "1-n U"),
    row("4", "", "INCLUDE", "1402",                      "1 U"),
)

TID_4010 = template(
    "4010",
    row("1", "", "CODE",    "111009 Calcification Type",         "1-n U", 6010),
    row("2", "", "CODE",    "111008 Calcification Distribution", "1 U",   6012),
    row("3", "", "NUM",     "111038 Number of calcifications",   "1 U",   COUNT),
    row("4", "", "INCLUDE", "1400",                              "1-n U"),
    row("5", "", "INCLUDE", "1401",                              "1-n U"),
    row("6", "", "INCLUDE", "1402",                              "1 U"),
)

TID_4011 = template(
    "4011",
    row("1", "", "CODE",    "111035 Lesion Density", "1 U",   6008),
    row("2", "", "CODE",    "SCT:107644003 Shape",   "1 U",   6004),
    row("3", "", "CODE",    "111037 Margins",        "1-n U", 6006),
    row("4", "", "INCLUDE", "1400",                  "1-n U"),
    row("5", "", "INCLUDE", "1401",                  "1-n U"),
    row("6", "", "INCLUDE", "1402",                  "1-n U"),
)

TID_4012 = template(
    "4012",
    row("1", "", "CODE",    "111039 Object type", "1 M",   6040),
    row("2", "", "INCLUDE", "1400",               "1-n U"),
    row("3", "", "INCLUDE", "1401",               "1-n U"),
    row("4", "", "INCLUDE", "1402",               "1-n U"),
)

TID_4013 = template(
    "4013",
    row("1", "", "TEXT",    "111058 Selected Region Description", "1 M"),
    row("2", "", "INCLUDE", "1400",                               "1-n U"),
    row("3", "", "INCLUDE", "1401",                               "1-n U"),
    row("4", "", "INCLUDE", "1402",                               "1-n U"),
)

TID_4014 = template(
    "4014",
    row("1",  "",      "CODE", "111052 Quality Finding",          "1 M",  6041),
    row(">2", "PROPS", "CODE", "111050 Quality Assessment",       "1 U",  6044),
    row(">3", "PROPS", "CODE", "111051 Quality Control Standard", "1 MC", 6045, ASSESSED),
    row(">4", "PROPS", "NUM",  "111029 Image Quality Rating",     "1 U",  RATING),
)

TID_4021 = template(
    "4021",
    row("1",  "",           "SCOORD", "111010 Center",  "1 M",   POINT),
    row(">2", "R-SELECTED", "IMAGE",  None,             "1 M"),
    row("3",  "",           "SCOORD", "111041 Outline", "1 U",   SHAPE),
    row(">4", "R-SELECTED", "IMAGE",  None,             "1 M"),
    row("5",  "",           "SCOORD", 6166,             "1-n U"),
    row(">6", "R-SELECTED", "IMAGE",  None,             "1 M"),
)

TID_1400 = template(
    "1400",
    row("1",   "",           "NUM",    7470,                 "1-n M", LENGTH),
    row(">2",  "INFERRED",   "SCOORD", "121055 Path",        "1 U",   SHAPE),
    row(">>3", "R-SELECTED", "IMAGE",  None,                 "1 U"),
    row(">>4", "SELECTED",   "IMAGE",  None,                 "1 U"),
    row(">5",  "INFERRED",   "SCOORD", "121230 Path Vertex", "1-n U", POINT),
    row(">>6", "R-SELECTED", "IMAGE",  None,                 "1 U"),
    row(">>7", "SELECTED",   "IMAGE",  None,                 "1 U"),
)

TID_1401 = template(
    "1401",
    row("1",   "",           "NUM",    7471,                  "1-n M", AREA),
    row(">2",  "INFERRED",   "SCOORD", "121056 Area Outline", "1 U",   SHAPE),
    row(">>3", "R-SELECTED", "IMAGE",  None,                  "1 U"),
    row(">>4", "SELECTED",   "IMAGE",  None,                  "1 U"),
    row(">5",  "INFERRED",   "SCOORD", "121230 Path Vertex",  "1-n U", POINT),
    row(">>6", "R-SELECTED", "IMAGE",  None,                  "1 U"),
    row(">>7", "SELECTED",   "IMAGE",  None,                  "1 U"),
)

TID_1402 = template(
    "1402",
    row("1",   "",           "NUM",    7472,                       "1-n M", VOLUME),
    row(">2",  "INFERRED",   "SCOORD", "121057 Perimeter Outline", "1 U",   SHAPE),
    row(">>3", "R-SELECTED", "IMAGE",  None,                       "1 U"),
    row(">>4", "SELECTED",   "IMAGE",  None,                       "1 U"),
    row(">5",  "INFERRED",   "SCOORD", "121230 Path Vertex",       "1-n U", POINT),
    row(">>6", "R-SELECTED", "IMAGE",  None,                       "1 U"),
    row(">>7", "SELECTED",   "IMAGE",  None,                       "1 U"),
)

FINDING_TEMPLATES = (
    TID_4004, TID_4005, TID_4006, TID_4007, TID_4008, TID_4009, TID_4010, TID_4011, TID_4012,
    TID_4013, TID_4014, TID_4021, TID_1400, TID_1401, TID_1402,
)
