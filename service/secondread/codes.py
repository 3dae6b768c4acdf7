"""Every coded concept that this package reads or writes, each with its context group.

Codes are written out rather than taken from a library's keywords: some of those carry a code
outside the context group, or characters that do not survive a DICOM character set. A test
compares them with pydicom's copy of PS3.16 where that copy has the group.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: Code Value, Coding Scheme Designator, Code Meaning (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str

    def matches(self, value: str, scheme: str) -> bool:
        """Whether this is the concept, whichever of SCT, SRT, SNM3 or 99SDM it is written in."""
        if (value, scheme) == (self.value, self.scheme):
            return True
        if scheme in {"SRT", "SNM3", "99SDM"} and self.scheme == "SCT":
            return _SCT_TO_SRT.get(self.value) == value
        return False

    def to_srt(self) -> Self:
        """Return the concept in the retired SRT scheme, for workstations that know only that.

        Concepts of other schemes, and those without a known SRT code, are returned unchanged.
        """
        value = _SCT_TO_SRT.get(self.value) if self.scheme == "SCT" else None
        return self if value is None else type(self)(value, "SRT", self.meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


class CodedEnum(Enum):
    """An enumeration of `Code`s, whose members are found by the codes of a data set."""

    @property
    def code(self) -> Code:
        """The coded concept."""
        code: Code = self.value
        return code

    @classmethod
    def from_code(cls, value: str, scheme: str) -> Self | None:
        """Return the member with this code, in SCT or its retired SRT form; else None."""
        return next((member for member in cls if member.code.matches(value, scheme)), None)


class Laterality(CodedEnum):
    """CID 6023 Breast laterality, which Image Laterality (0020,0062) gives as one letter."""

    RIGHT = _sct("73056007", "Right breast")
    LEFT = _sct("80248007", "Left breast")
    BOTH = _sct("63762007", "Both breasts")

    @property
    def letter(self) -> str:
        """The value of Image Laterality: R, L or B."""
        return self.name[0]

    @classmethod
    def from_letter(cls, letter: str) -> Self | None:
        """Return the side for R, L or B, else None."""
        return next((side for side in cls if side.letter == letter), None)


class View(CodedEnum):
    """CID 4014 View for mammography."""

    CC = _sct("399162004", "cranio-caudal")
    MLO = _sct("399368009", "medio-lateral oblique")
    ML = _sct("399260004", "medial-lateral")
    LM = _sct("399352003", "latero-medial")
    LMO = _sct("399099002", "latero-medial oblique")
    FB = _sct("399196006", "caudo-cranial")
    SIO = _sct("399188001", "superolateral to inferomedial oblique")
    ISO = _sct("441555000", "inferomedial to superolateral oblique")
    XCC = _sct("399265009", "cranio-caudal exaggerated")
    XCCL = _sct("399192008", "cranio-caudal exaggerated laterally")
    XCCM = _sct("399101009", "cranio-caudal exaggerated medially")
    SPECIMEN = _sct("127457009", "tissue specimen from breast")

    @property
    def is_cc_like(self) -> bool:
        """Whether the view stands for the cranio-caudal one in a view set."""
        return self in {View.CC, View.FB, View.XCC, View.XCCL, View.XCCM}

    @property
    def is_mlo_like(self) -> bool:
        """Whether the view stands for the oblique one in a view set."""
        return self in {View.MLO, View.LMO, View.ML, View.LM, View.SIO, View.ISO}


class ViewModifier(CodedEnum):
    """CID 4015 View modifier for mammography."""

    CLEAVAGE = _sct("399161006", "Cleavage")
    AXILLARY_TAIL = _sct("399011000", "Axillary Tail")
    ROLLED_LATERAL = _sct("399197002", "Rolled Lateral")
    ROLLED_MEDIAL = _sct("399226006", "Rolled Medial")
    ROLLED_INFERIOR = _sct("414493004", "Rolled Inferior")
    ROLLED_SUPERIOR = _sct("415670009", "Rolled Superior")
    IMPLANT_DISPLACED = _sct("399209000", "Implant Displaced")
    MAGNIFICATION = _sct("399163009", "Magnification")
    SPOT = _sct("399055006", "Spot Compression")
    TANGENTIAL = _sct("399110001", "tangential")
    NIPPLE_IN_PROFILE = _sct("442581004", "Nipple in profile")
    ANTERIOR_COMPRESSION = _sct("441752004", "Anterior compression")
    INFRA_MAMMARY_FOLD = _sct("442593008", "Infra-mammary fold")
    AXILLARY_TISSUE = _sct("442580003", "Axillary tissue")


class FindingType(CodedEnum):
    """CID 6014 Mammography single image finding: the ones that the node writes."""

    CLUSTER = _sct("129769006", "Calcification Cluster")
    CALCIFICATION = _sct("129770007", "Individual Calcification")
    IMAGE_QUALITY = _dcm("111101", "Image Quality")
    NON_LESION = _dcm("111102", "Non-lesion")


class Morphology(CodedEnum):
    """CID 6011 Calcification type."""

    COARSE = _sct("129749001", "Coarse (popcorn-like) calcification")
    DYSTROPHIC = _sct("129750001", "Dystrophic calcification")
    EGGSHELL = _sct("129751002", "Eggshell calcification")
    LARGE_ROD_LIKE = _sct("129752009", "Large rod-like calcification")
    MILK_OF_CALCIUM = _sct("129753004", "Milk of calcium calcification")
    LUCENT_CENTERED = _sct("129754005", "Lucent-centered calcification")
    PUNCTATE = _sct("129755006", "Punctate calcification")
    ROUND = _sct("129756007", "Round shaped calcification")
    SKIN = _sct("129757003", "Calcified skin of breast")
    SUTURE = _sct("129758008", "Calcified suture material")
    VASCULAR = _sct("129759000", "Vascular calcification")
    AMORPHOUS = _sct("129760005", "Amorphous calcification")
    FINE_LINEAR = _sct("129761009", "Fine, linear (casting) calcification")
    FINE_LINEAR_BRANCHING = _sct("129762002", "Fine linear, branching (casting) calcification")
    COARSE_HETEROGENEOUS = _sct("129763007", "Heterogeneous calcification")
    FINE_PLEOMORPHIC = _dcm("111344", "Fine pleomorphic calcification")


class Distribution(CodedEnum):
    """CID 6013 Calcification distribution."""

    DIFFUSE = _sct("129764001", "Diffuse calcification distribution")
    LINEAR = _sct("129765000", "Linear calcification distribution")
    GROUPED = _sct("129766004", "Grouped calcification distribution")
    REGIONAL = _sct("129767008", "Regional calcification distribution")
    SEGMENTAL = _sct("129768003", "Segmental calcification distribution")


class Change(CodedEnum):
    """CID 6003 Mammography finding change."""

    NEW = _sct("129721008", "New finding")
    PARTIALLY_REMOVED = _sct("129722001", "Finding partially removed")
    UNCHANGED = _sct("129723006", "No significant changes in the finding")
    LARGER = _sct("15454001", "Increase in size")
    SMALLER = _sct("19776001", "Decrease in size")
    MORE = _sct("129726003", "Increase in number of calcifications")
    FEWER = _sct("129727007", "Decrease in number of calcifications")


class BreastProcedure(CodedEnum):
    """CID 6058 Procedure modifiers for breast: the operations that treat."""

    LUMPECTOMY = _sct("392021009", "Lumpectomy")
    QUADRANTECTOMY = _sct("172049005", "Quadrantectomy of breast")
    MASTECTOMY = Code("C0024881", "UMLS", "Mastectomy")


class ProcedureReason(CodedEnum):
    """CID 6051 Breast procedure reason: those which show that a breast was treated."""

    CONSERVATION = _dcm(
        "111421", "Personal history of breast cancer with breast conservation therapy"
    )
    MASTECTOMY = _dcm("111124", "Personal history of breast cancer with mastectomy")
    RADIATION = _sct("429479009", "History of radiation therapy")
    BRACHYTHERAPY = _sct("384692006", "Brachytherapy")


class RenderingIntent(CodedEnum):
    """CID 6034 Intended use of CAD output."""

    REQUIRED = _dcm("111150", "Presentation Required: Rendering device is expected to present")
    OPTIONAL = _dcm("111151", "Presentation Optional: Rendering device may present")
    NOT = _dcm("111152", "Not for Presentation: Rendering device expected not to present")


class ResultStatus(CodedEnum):
    """CID 6042 Status of results."""

    SUCCEEDED = _dcm("111222", "Succeeded")
    PARTIALLY_SUCCEEDED = _dcm("111223", "Partially Succeeded")
    FAILED = _dcm("111224", "Failed")
    NOT_ATTEMPTED = _dcm("111225", "Not Attempted")


class ProcessingSummary(CodedEnum):
    """CID 6047 CAD processing and findings summary."""

    ALL_WITHOUT_FINDINGS = _dcm("111241", "All algorithms succeeded; without findings")
    ALL_WITH_FINDINGS = _dcm("111242", "All algorithms succeeded; with findings")
    SOME_WITHOUT_FINDINGS = _dcm("111243", "Not all algorithms succeeded; without findings")
    SOME_WITH_FINDINGS = _dcm("111244", "Not all algorithms succeeded; with findings")
    NONE = _dcm("111245", "No algorithms succeeded; without findings")


class CompositeType(CodedEnum):
    """CID 6035 Composite feature relation: the ones that the node writes."""

    TEMPORAL = _dcm("111153", "Target Content Items are related temporally")
    SPATIAL = _dcm("111154", "Target Content Items are related spatially")


class FeatureScope(CodedEnum):
    """CID 6036 Feature scope: the one that the node writes."""

    MULTIPLE_IMAGES = _dcm("111158", "Feature detected on multiple images")


class TemporalDifference(CodedEnum):
    """CID 6037 Mammography quantitative temporal difference type: the one that is written."""

    NUMBER = _sct("129810007", "Difference in number of calcifications")


class AnalysisType(CodedEnum):
    """CID 6043 Mammography CAD analysis type: the ones that the node makes."""

    COLLOCATION = _sct("133884007", "Spatial collocation analysis")
    TEMPORAL = _sct("133886009", "Temporal correlation")
    IMAGE_QUALITY = _sct("133887000", "Image quality analysis")


class QualityFinding(CodedEnum):
    """CID 6041 Mammography image quality finding: the ones for reasons of the node."""

    POSITIONING = _dcm("111209", "Positioning")
    OVER_EXPOSED = _dcm("111212", "Over exposed")
    PROCESSING = _dcm("111219", "Inappropriate image processing")


class QuadrantLocation(CodedEnum):
    """CID 6020 Quadrant location."""

    UPPER_INNER = _sct("77831004", "Upper inner quadrant of breast")
    UPPER_OUTER = _sct("76365002", "Upper outer quadrant of breast")
    LOWER_INNER = _sct("19100000", "Lower inner quadrant of breast")
    LOWER_OUTER = _sct("33564002", "Lower outer quadrant of breast")


class ClockFace(CodedEnum):
    """CID 6018 Clockface location or region: the hours, in their order, and the middle."""

    HOUR_1 = _sct("129772004", "1 o'clock position")
    HOUR_2 = _sct("129773009", "2 o'clock position")
    HOUR_3 = _sct("129774003", "3 o'clock position")
    HOUR_4 = _sct("129775002", "4 o'clock position")
    HOUR_5 = _sct("129776001", "5 o'clock position")
    HOUR_6 = _sct("129777005", "6 o'clock position")
    HOUR_7 = _sct("129778000", "7 o'clock position")
    HOUR_8 = _sct("129779008", "8 o'clock position")
    HOUR_9 = _sct("129780006", "9 o'clock position")
    HOUR_10 = _sct("129781005", "10 o'clock position")
    HOUR_11 = _sct("129782003", "11 o'clock position")
    HOUR_12 = _sct("129783008", "12 o'clock position")
    CENTRAL = _sct("129786000", "Central region of breast")


class OperatingPointAxis(CodedEnum):
    """CID 6048 CAD operating point axis label: the ones that are stated for an operating point."""

    FALSE_MARKERS_PER_IMAGE = _dcm("111086", "False Markers per Image")
    CERTAINTY = _dcm("111012", "Certainty of Finding")


class MarkClass(StrEnum):
    """What a mark or a finding is; the detector's heads and `findings.json` use these words."""

    CALCIFICATION = "calcification"
    CLUSTER = "cluster"
    VASCULAR = "vascular"
    METAL = "metal"
    SKIN = "skin"
    BENIGN = "benign"


# SNOMED's retired SNOMED-RT identifiers (SRT) of the SCT concepts that have one, from the
# mapping of PS3.16 that pydicom also carries; a test compares the two.
_SCT_TO_SRT = {
    "73056007": "T-04020",
    "80248007": "T-04030",
    "63762007": "T-04080",
    "399162004": "R-10242",
    "399368009": "R-10226",
    "399260004": "R-10224",
    "399352003": "R-10228",
    "399099002": "R-10230",
    "399196006": "R-10244",
    "399188001": "R-102D0",
    "441555000": "R-40AAA",
    "399265009": "R-102CF",
    "399192008": "R-1024A",
    "399101009": "R-1024B",
    "127457009": "G-8310",
    "399161006": "R-102D2",
    "399011000": "R-102D1",
    "399197002": "R-102D3",
    "399226006": "R-102D4",
    "414493004": "R-102CA",
    "415670009": "R-102C9",
    "399209000": "R-102D5",
    "399163009": "R-102D6",
    "399055006": "R-102D7",
    "399110001": "R-102C2",
    "442581004": "R-40AB3",
    "441752004": "P2-00161",
    "442593008": "R-40ABE",
    "442580003": "R-40AB2",
    "129769006": "F-01775",
    "129770007": "F-01776",
    "129749001": "F-01761",
    "129750001": "F-01762",
    "129751002": "F-01763",
    "129752009": "F-01764",
    "129753004": "F-01765",
    "129754005": "F-01766",
    "129755006": "F-01767",
    "129756007": "F-01768",
    "129757003": "F-01769",
    "129758008": "F-0176A",
    "129759000": "F-0176B",
    "129760005": "F-0176C",
    "129761009": "F-0176D",
    "129762002": "F-0176E",
    "129763007": "F-0176F",
    "129764001": "F-01770",
    "129765000": "F-01771",
    "129766004": "F-01772",
    "129767008": "F-01773",
    "129768003": "F-01774",
    "129721008": "F-01721",
    "129722001": "F-01722",
    "129723006": "F-01723",
    "392021009": "P1-030C4",
    "172049005": "P1-4834A",
    "429479009": "P0-099EB",
    "384692006": "P5-C018A",
    "15454001": "M-02520",
    "19776001": "M-02530",
    "129726003": "F-01726",
    "129727007": "F-01727",
    "133884007": "P5-B3402",
    "133886009": "P5-B3406",
    "133887000": "P5-B3408",
    "129810007": "F-017B5",
    "76365002": "T-04004",
    "19100000": "T-04003",
    "33564002": "T-04005",
    "77831004": "T-04002",
    "129772004": "F-01781",
    "129773009": "F-01782",
    "129774003": "F-01783",
    "129775002": "F-01784",
    "129776001": "F-01785",
    "129777005": "F-01786",
    "129778000": "F-01787",
    "129779008": "F-01788",
    "129780006": "F-01789",
    "129781005": "F-0178A",
    "129782003": "F-0178B",
    "129783008": "F-0178C",
    "129786000": "F-0178F",
    "103339001": "G-A185",
    "81827009": "M-02550",
    "363698007": "G-C0E3",
    "272741003": "G-C171",
    "76752008": "T-04000",
    "7771000": "G-A101",
    "24028007": "G-A100",
    "363679005": "P0-0099A",
    "260753009": "G-C05F",
}
