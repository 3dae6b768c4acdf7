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

    def is_in(self, line: str) -> bool:
        """Whether a line is this one."""
        return line.startswith(self.rule) and self.fault in line


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

FALSE_ALARMS = (
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
