"""PixelMed's validator of structured reports, the one that knows the rows of TID 4000."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

JAR = Path("/usr/share/java/pixelmed.jar")
PROGRAM = Path(__file__).parent / "conformance" / "ValidateReports.java"

# Java 17 limits the size of XPath expressions; the compiled templates exceed it.
_NO_LIMITS = tuple(
    f"-Djdk.xml.xpath{name}=0" for name in ("TotalOpLimit", "ExprOpLimit", "ExprGrpLimit")
)

# The compiled templates recurse: a report with fifty findings overflows the usual stack.
_ROOM = ("-Xmx8g", "-Xss512m")

# The validator ends with these whatever it found; what is missing was not validated.
_ENDED = ("Root Template Validation Complete", "IOD validation complete")


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """Something that the validator (20220618) says of documents that are right."""

    rule: str
    """How the line begins: the template's row."""
    fault: str
    """What the row is said to be offended by."""
    why: str
    """Why it is not (PS3.16 of 2024c unless said otherwise)."""
    end: str = ""
    """How the line ends, where that tells what it is about."""

    def is_in(self, line: str) -> bool:
        """Whether a line is this one."""
        return line.startswith(self.rule) and self.fault in line and line.endswith(self.end)


_FINDING = (
    "Error: Template 4006 MammographyCADSingleImageFinding/"
    '[Row 1] CODE (111059,DCM,"Single Image Finding")/'
)
_NOT_BY_PROPERTIES = "Incorrect relationship - expected HAS PROPERTIES - found CONTAINS"
_NO_CONDITION = "Conditional content item present when condition not satisfied"
_CONTAINER_CONTAINS = (
    "TID 4003 row 3 includes these rows with CONTAINS, and a CONTAINER has no properties "
    "(PS3.3 table A.35.5-2)."
)

_OPERATING_POINTS = "Error: Template 4023 CADOperatingPoints/"
_POINT_TABLE = (
    f'{_OPERATING_POINTS}[Row 3] CONTAINER (111093,DCM,"Operating Point Table")/'
    '[Row 6] NUM (111071,DCM,"CAD Operating Point")'
)
_UNIT_OF_POINTS = 'Incorrect units - expected ({0:n},UCUM,"range:0:n")'
_N_IS_A_NUMBER = "The n of {0:n} stands for the number of operating points."
_NOT_IN_TEMPLATE = "Content Item not in template"
_ROWS_TO_COME = "The validator's TID 4005 ends with row 10; the rows behind it are in the standard."


def _unknown_rows() -> tuple["FalseAlarm", ...]:
    """Return the items that the validator's templates have no row for."""
    features = '/CODE (111015,DCM,"Composite Feature")'
    difference = "Difference in number of calcifications"
    unknown = [
        (f'{features}/CODE (111048,DCM,"Quadrant location"): ', _ROWS_TO_COME),
        (f'{features}/CODE (111014,DCM,"Clockface or region"): ', _ROWS_TO_COME),
    ]
    unknown += [
        (f'{features}/NUM ({code},"{difference}"){reference}: ', _ROWS_TO_COME)
        for code in ("129810007,SCT", "F-017B5,SRT")
        for reference in ("", "/REFERENCE")
    ]
    unknown += [
        (
            f'/CODE (111059,DCM,"Single Image Finding")/NUM ({code},"Long axis"): ',
            "TID 4010 row 4 goes with its rows 1 to 3; the validator has it stand in for them.",
        )
        for code in ("103339001,SCT", "G-A185,SRT")
    ]
    return tuple(FalseAlarm("Warning: 1.3.", what + _NOT_IN_TEMPLATE, why) for what, why in unknown)


FALSE_ALARMS = (
    *_unknown_rows(),
    FalseAlarm(
        f'{_OPERATING_POINTS}[Row 2] NUM (111092,DCM,"Recommended CAD Operating Point"): ',
        _UNIT_OF_POINTS,
        _N_IS_A_NUMBER,
    ),
    FalseAlarm(f"{_POINT_TABLE}: ", _UNIT_OF_POINTS, _N_IS_A_NUMBER),
    FalseAlarm(
        f"{_POINT_TABLE}/[Row 8] NUM *: ",
        "Incorrect content item value multiplicity - found 2 content items but expected 1",
        "Rows 8 and 9 are told apart by their concepts; the validator takes any for each.",
    ),
    FalseAlarm(
        f"{_POINT_TABLE}/[Row 9] NUM *: ",
        "Incorrect content item value multiplicity - found 2 content items but expected 1",
        "Rows 8 and 9 are told apart by their concepts; the validator takes any for each.",
    ),
    FalseAlarm(
        "Warning: Template 4023 CADOperatingPoints/[Row 3] CONTAINER "
        '(111093,DCM,"Operating Point Table"): ',
        'Code (111093,DCM,"CAD Operating Point Table") has different code meaning',
        "The meaning of 111093 begins with CAD.",
    ),
    FalseAlarm(
        "Parent content item (1.4.1.",
        ": CODE) has illegal relationship HAS PROPERTIES with child content item (",
        "TID 4023 row 3, and PS3.3 table A.35.5-2 lets a CODE have a CONTAINER as property.",
        ": CONTAINER)",
    ),
    FalseAlarm(
        "Error: Template 4016MammoParameters CADAnalysesPerformedMammo/[Row 1] CONTAINER "
        '(111062,DCM,"Successful Analyses"): ',
        "Missing conditional content item",
        "It is there only if the analyses Succeeded or Partially Succeeded, not if they Failed.",
    ),
    FalseAlarm(
        "Error: Template 4015MammoParameters CADDetectionsPerformedMammo/[Row 3] CONTAINER "
        '(111025,DCM,"Failed  Detections"): ',
        "Missing conditional content item",
        "It is there only if the detections Failed or Partially Succeeded; that the analyses "
        "Failed says nothing of them.",
    ),
    FalseAlarm(
        "Error: Template 4002 MammographyCADImpressionRecommendationBody/[Row 3] CODE "
        '(111023,DCM,"Differential Diagnosis/Impression"): ',
        "Incorrect content item value multiplicity",
        "The value multiplicity of TID 4002 row 3 is 1-n.",
    ),
    FalseAlarm(
        "Warning: Template 4016MammoParameters CADAnalysesPerformedMammo/[Row 3] CONTAINER "
        '(111024,DCM,"Failed  Analyses"): ',
        'Code (111024,DCM,"Failed Analyses") has different code meaning',
        "The meaning of 111024 has one blank; the validator's template has two.",
    ),
    FalseAlarm(
        "Warning: Template 4005 MammographyCADCompositeFeatureBody /[Row 1] CODE "
        '(111016,DCM,"Composite Type"): ',
        'Code (111154,DCM,"Target Content Items are related spatially") has different',
        "The meaning of 111154 has capitals.",
    ),
    FalseAlarm(
        "Warning: Template 4015MammoParameters CADDetectionsPerformedMammo/[Row 3] CONTAINER "
        '(111025,DCM,"Failed  Detections"): ',
        'Code (111025,DCM,"Failed Detections") has different code meaning',
        "The meaning of 111025 has one blank; the validator's template has two.",
    ),
    FalseAlarm(
        "Error: Template 4002 MammographyCADImpressionRecommendationBody/[Row 3] CODE "
        '(111023,DCM,"Differential Diagnosis/Impression"): ',
        _NOT_BY_PROPERTIES,
        _CONTAINER_CONTAINS,
    ),
    FalseAlarm(
        "Error: Template 4002 MammographyCADImpressionRecommendationBody/[Row 5] TEXT "
        '(111033,DCM,"Impression Description"): ',
        _NOT_BY_PROPERTIES,
        _CONTAINER_CONTAINS,
    ),
    FalseAlarm(
        "Error: Template 4019HasProperties CADAlgorithmIdentificationHasProperties/[Row 1] TEXT "
        '(111001,DCM,"Algorithm Name"): ',
        _NOT_BY_PROPERTIES,
        _CONTAINER_CONTAINS,
    ),
    FalseAlarm(
        "Error: Template 4019HasProperties CADAlgorithmIdentificationHasProperties/[Row 2] TEXT "
        '(111003,DCM,"Algorithm Version"): ',
        _NOT_BY_PROPERTIES,
        _CONTAINER_CONTAINS,
    ),
    FalseAlarm(
        _FINDING + '[Row 22] NUM CID 6142/[Row 23] CODE (121401,DCM,"Derivation"): ',
        _NO_CONDITION,
        "Said of every calculated feature (CID 6142) beside a number of calcifications.",
    ),
    FalseAlarm(
        _FINDING + "[Row 18] IMAGE *: ",
        _NO_CONDITION,
        "The rule looks for Image Quality in the concept name; it is the value.",
    ),
    FalseAlarm(
        _FINDING + '[Row 2] CODE (111056,DCM,"Rendering Intent")/'
        '[Row 3] NUM (111071,DCM,"CAD Operating Point"): ',
        'Incorrect units - expected ({1:n},UCUM,"range: 1:n")',
        "The n of {1:n} stands for the number of operating points.",
    ),
    FalseAlarm(
        "Warning: Template 4005 MammographyCADCompositeFeatureBody /[Row 1] CODE "
        '(111016,DCM,"Composite Type"): ',
        'Code (111016,DCM,"Composite type") has different code meaning',
        "The meaning of 111016 has a small t.",
    ),
    FalseAlarm(
        "Warning: Template 4005 MammographyCADCompositeFeatureBody /[Row 1] CODE "
        '(111016,DCM,"Composite Type"): ',
        'Code (111153,DCM,"Target Content Items are related temporally") has different',
        "The meaning of 111153 has capitals.",
    ),
)
"""What is ignored. All else that the validator says is a complaint."""


def complaints(told: str) -> list[str]:
    """Pick out of the validator's words on one document what is wrong with it.

    Forbidden relationships are told without the words "Error" or "Warning".
    """
    lines = told.splitlines()
    wrong = [
        line
        for line in lines
        if line.startswith(("Error", "Warning")) or "illegal relationship" in line.lower()
    ]
    return [
        *(line for line in wrong if not any(known.is_in(line) for known in FALSE_ALARMS)),
        *(f"missing: {end}" for end in _ENDED if end not in lines),
    ]


def validate(paths: Iterable[Path], seconds: float) -> dict[Path, list[str]]:
    """Return the complaints about each document; all are validated in one Java process.

    Raises
    ------
    subprocess.CalledProcessError
        The validator broke off.
    subprocess.TimeoutExpired
        It took longer than `seconds`.
    """
    files = [str(path) for path in paths]
    run = subprocess.run(
        ["java", *_ROOM, *_NO_LIMITS, "-cp", str(JAR), str(PROGRAM), *files],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds,
    )
    told = dict(re.findall(r"(?ms)^##### ([^\n]*)\n(.*?)(?=^##### |\Z)", run.stdout))
    return {Path(file): complaints(told.get(file, "")) for file in files}
