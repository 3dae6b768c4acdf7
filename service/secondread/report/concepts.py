"""The concept names, units and purposes that result objects use, each with where it is used.

Written out once, in plain ASCII, for the reason given in `secondread.codes`: two of pydicom's
own meanings hold a zero-width space, and one of its keywords names a code outside CID 6014.
"""

from secondread.codes import Code


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _ucum(value: str, meaning: str) -> Code:
    return Code(value, "UCUM", meaning)


# TID 4000 Mammography CAD Document Root and TID 1204 Language of Content Item.
CAD_REPORT = _dcm("111036", "Mammography CAD Report")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
IMAGE_LIBRARY = _dcm("111028", "Image Library")
PROCESSING_SUMMARY = _dcm("111017", "CAD Processing and Findings Summary")
DETECTION_SUMMARY = _dcm("111064", "Summary of Detections")
ANALYSIS_SUMMARY = _dcm("111065", "Summary of Analyses")

# TID 4001 to 4003: impressions.
INDIVIDUAL_IMPRESSION = _dcm("111034", "Individual Impression/Recommendation")
RENDERING_INTENT = _dcm("111056", "Rendering Intent")
IMPRESSION_DESCRIPTION = _dcm("111033", "Impression Description")
IMPRESSION = _dcm("111023", "Differential Diagnosis/Impression")

# TID 4004 and 4005: composite features.
COMPOSITE_FEATURE = _dcm("111015", "Composite Feature")
COMPOSITE_TYPE = _dcm("111016", "Composite type")
SCOPE_OF_FEATURE = _dcm("111057", "Scope of Feature")
QUADRANT = _dcm("111048", "Quadrant location")
CLOCK_FACE = _dcm("111014", "Clockface or region")

# TID 4006, 4009, 4010, 4021 and 4108: single image findings.
SINGLE_IMAGE_FINDING = _dcm("111059", "Single Image Finding")
TRACKING_IDENTIFIER = _dcm("112039", "Tracking Identifier")
TRACKING_UID = _dcm("112040", "Tracking Unique Identifier")
CERTAINTY = _dcm("111012", "Certainty of Finding")
CENTER = _dcm("111010", "Center")
OUTLINE = _dcm("111041", "Outline")
CALCIFICATION_TYPE = _dcm("111009", "Calcification Type")
CALCIFICATION_DISTRIBUTION = _dcm("111008", "Calcification Distribution")
NUMBER_OF_CALCIFICATIONS = _dcm("111038", "Number of calcifications")
DIAMETER = Code("81827009", "SCT", "Diameter")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
QUALITY_FINDING = _dcm("111052", "Quality Finding")
ORIGINAL_SOURCE = _dcm("111040", "Original Source")

# TID 4015 to 4019: what ran on which images.
SUCCESSFUL_DETECTIONS = _dcm("111063", "Successful Detections")
FAILED_DETECTIONS = _dcm("111025", "Failed Detections")
DETECTION_PERFORMED = _dcm("111022", "Detection Performed")
SUCCESSFUL_ANALYSES = _dcm("111062", "Successful Analyses")
FAILED_ANALYSES = _dcm("111024", "Failed Analyses")
ANALYSIS_PERFORMED = _dcm("111004", "Analysis Performed")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")

# TID 4023 CAD Operating Points, and TID 4006 row 3.
CAD_OPERATING_POINT = _dcm("111071", "CAD Operating Point")
MAXIMUM_OPERATING_POINT = _dcm("111072", "Maximum CAD Operating Point")
RECOMMENDED_OPERATING_POINT = _dcm("111092", "Recommended CAD Operating Point")
OPERATING_POINT_TABLE = _dcm("111093", "CAD Operating Point Table")
X_CONCEPT = _dcm("122698", "X-Concept")
Y_CONCEPT = _dcm("122699", "Y-Concept")
OPERATING_POINT_DESCRIPTION = _dcm("111081", "CAD Operating Point Description")

# TID 4020 CAD Image Library Entry.
IMAGE_LATERALITY = _dcm("111027", "Image Laterality")
IMAGE_VIEW = _dcm("111031", "Image View")
IMAGE_VIEW_MODIFIER = _dcm("111032", "Image View Modifier")
ORIENTATION_ROW = _dcm("111044", "Patient Orientation Row")
ORIENTATION_COLUMN = _dcm("111043", "Patient Orientation Column")
STUDY_DATE = _dcm("111060", "Study Date")
STUDY_TIME = _dcm("111061", "Study Time")
CONTENT_DATE = _dcm("111018", "Content Date")
CONTENT_TIME = _dcm("111019", "Content Time")
HORIZONTAL_SPACING = _dcm("111026", "Horizontal Pixel Spacing")
VERTICAL_SPACING = _dcm("111066", "Vertical Pixel Spacing")
PIXEL_ROWS = _dcm("110910", "Pixel Data Rows")
PIXEL_COLUMNS = _dcm("110911", "Pixel Data Columns")

# TID 1500 Measurement Report and its groups, TID 1410 and 1501.
IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
DEVICE = _dcm("121007", "Device")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
BREAST = Code("76752008", "SCT", "Breast")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
COMMENT = _dcm("121106", "Comment")

# Purposes of reference: CID 7009 and CID 7202.
REPLACED_REPORT = _dcm("121360", "Replaced report")
SOURCE_IMAGE = _dcm("121322", "Source image for image processing operation")

# Units of measurement (CID 82).
PERCENT = _ucum("%", "Percent")
NO_UNITS = _ucum("1", "no units")
MILLIMETER = _ucum("mm", "millimeter")
MICROMETER = _ucum("um", "micrometer")
PIXELS = _ucum("{pixels}", "pixels")
ARBITRARY = _ucum("[arb'U]", "arbitrary unit")


def range_unit(first: int, last: int) -> Code:
    """Return the unit of an operating point: the range that it is one of.

    >>> range_unit(0, 2).value
    '{0:2}'
    """
    return _ucum(f"{{{first}:{last}}}", f"range: {first}:{last}")
