"""Section 8 of the statement: the objects that are created, their codes, how they were checked."""

from collections.abc import Iterable

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.tag import Tag

from secondread import codes
from secondread.app.conformance.markdown import format_heading, format_list, format_table
from secondread.codes import Code, CodedEnum
from secondread.report import concepts
from secondread.report.sr.header import COPIED_ATTRIBUTES, RESULT_SERIES
from secondread.report.sr.own_codes import SCHEME, list_own_codes
from secondread.settings import ObjectKind

_CONTENT = {
    ObjectKind.CAD_SR: (
        "TID 4000 Mammography CAD Document Root, Modality SR, one document for a reading; "
        "language (en-US, RFC5646). Current images in the evidence sequence, priors in Pertinent "
        "Other Evidence, a replaced report in Predecessor Documents. Checked against our table "
        "of the template before it is sent."
    ),
    ObjectKind.TID1500: (
        "TID 1500 Measurement Report in a Comprehensive SR, Modality SR: a group for each "
        "finding in each view (TID 1410) with a closed POLYLINE that cites its image by value, "
        "a group for each image (TID 1501), evaluations of the whole study. Each group has a "
        "Tracking Unique Identifier of its own; the Tracking Identifier names the lesion."
    ),
    ObjectKind.CAPTURE: (
        "RGB, 8 bits, uncompressed, 1800 columns; the modality of the series is in the profile. "
        "No identity is in the pixels (Burned In Annotation NO), and no Pixel Spacing is given, "
        "because a page mixes scales; it carries its own bars."
    ),
    ObjectKind.PRESENTATION: (
        "Modality PR, one for each image with shown findings: outlines as closed POLYLINE and "
        "numbers as text in PIXEL units, the whole image displayed, the image's own grey scale."
    ),
}


def build_annexes(validation: str) -> list[str]:
    """Return section 8."""
    return [
        format_heading(2, "8 Annexes"),
        format_heading(3, "8.1 Objects created"),
        format_table(
            ["kind", "SOP class", "UID", "series description ends", "content"],
            [
                (f"`{kind.value}`", uid.name, uid, description, _CONTENT[kind])
                for kind, (_, uid, description) in RESULT_SERIES.items()
            ],
        ),
        "![Overview, capture of a view, notice, the overview in Orthanc's web viewer, and a "
        "presentation state in DICOMscope](images/results.png)",
        "SOP Instance, Series and Tracking UIDs are derived (2.25., PS3.5 B.2) from an "
        "installation identifier, study, revision, profile and role: the same reading gives the "
        "same objects. Patient and study attributes that are copied from the images:",
        format_table(
            ["attribute", "tag"],
            [(_name(keyword), _tag(keyword)) for keyword in COPIED_ATTRIBUTES],
        ),
        "No private attributes are written.",
        *_codes(),
        format_heading(3, "8.3 Grey scale"),
        "Images are displayed through Modality LUT, the first VOI LUT or window, and Presentation "
        "LUT Shape; MONOCHROME1 is inverted. Captures are RGB and are not calibrated.",
        format_heading(3, "8.4 Extended and private SOP classes"),
        "None.",
        format_heading(3, "8.5 Validation"),
        validation.strip()
        or "`make conformance` runs the validators over the golden set and prints a summary.",
    ]


def _name(keyword: str) -> str:
    return dictionary_description(_number(keyword))


def _tag(keyword: str) -> str:
    tag = Tag(_number(keyword))
    return f"({tag.group:04X},{tag.element:04X})"


def _number(keyword: str) -> int:
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"{keyword} is no attribute of DICOM")
    return number


def _codes() -> list[str]:
    named = sorted(
        (value for value in vars(concepts).values() if isinstance(value, Code)),
        key=lambda code: (code.scheme, code.value),
    )
    groups = [
        group
        for group in vars(codes).values()
        if isinstance(group, type) and issubclass(group, CodedEnum) and group is not CodedEnum
    ]
    parts = [
        format_heading(3, "8.2 Coded terminology"),
        "SNOMED CT codes are written as SCT, or as SRT where the profile asks for it and the "
        "concept has one; both are read. Values:",
    ]
    for group in groups:
        about = (group.__doc__ or "").strip().splitlines()[0]
        parts += [format_list([about]), _code_table(member.code for member in group)]
    parts += ["Concept names, units and purposes of reference:", _code_table(named)]
    parts.append(
        f"Private scheme {SCHEME}, in TID 1500 only, identified in Coding Scheme Identification "
        "Sequence; codes of more than 16 characters are in Long Code Value:"
    )
    parts += [_code_table(members) for members in list_own_codes().values()]
    return parts


def _code_table(members: Iterable[Code]) -> str:
    return format_table(
        ["code", "scheme", "meaning"], [(one.value, one.scheme, one.meaning) for one in members]
    )
