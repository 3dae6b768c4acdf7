"""The DICOM conformance statement: a template, filled from the tables that the program uses."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.tag import Tag
from pydicom.uid import UID

from secondread import __version__
from secondread.accept.admission import ASSOCIATION_REJECTIONS
from secondread.accept.commitment import EventReportStatus
from secondread.accept.dispositions import REJECTION_TITLES, RETENTION_EXPIRED
from secondread.accept.intake import StoreStatus
from secondread.accept.sop_classes import (
    SOP_CLASSES,
    STORAGE_COMMITMENT_PUSH_MODEL,
    TRANSFER_SYNTAXES,
    InstanceUse,
)
from secondread.app.point_costs import list_cost_cells
from secondread.assemble.header_attributes import ATTRIBUTE_ROWS, AttributeRow
from secondread.assemble.image_kinds import KIND_NAMES, MODIFIER_NAMES
from secondread.codes import Code, CodedEnum
from secondread.detect.manifest import load_manifest
from secondread.report import concepts
from secondread.report.sr.header import (
    COPIED_ATTRIBUTES,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    RESULT_SERIES,
    RESULT_SYNTAX,
)
from secondread.report.sr.own_codes import SCHEME, list_own_codes
from secondread.send.find import STUDY_ROOT_FIND
from secondread.send.outbox import DUPLICATE_STATUS, WARNING_STATUSES
from secondread.send.retrieve import RETRIEVE_MODELS
from secondread.settings import (
    PRESETS,
    ArrivalsSettings,
    CallTlsSettings,
    DestinationSettings,
    NodeSettings,
    PeerSettings,
    PriorSourceSettings,
    ProfileSettings,
    ReceiveSettings,
    TlsSettings,
)
from secondread.tls import CIPHER_SUITES, MINIMUM_TLS_VERSION

_SETTINGS_SECTIONS = (
    ("[node]", NodeSettings),
    ("[receive]", ReceiveSettings),
    ("[[peers]]", PeerSettings),
    ("[[destinations]]", DestinationSettings),
    ("[[priors.sources]]", PriorSourceSettings),
    ("[arrivals]", ArrivalsSettings),
    ("profile of a destination", ProfileSettings),
)

_TLS_SECTIONS = (
    ("[receive.tls]", TlsSettings),
    ("tls of a destination or an archive", CallTlsSettings),
)


def build_statement(validation: str = "") -> str:
    """Return the conformance statement as Markdown.

    Parameters
    ----------
    validation
        What validators found in the golden set: Markdown without headings, as the conformance
        tests write it; empty leaves the section with a reference to them.
    """
    detector = load_manifest()
    environment = Environment(
        loader=PackageLoader("secondread.app.conformance", "."),
        autoescape=False,  # noqa: S701  (Markdown of our own texts)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _format_cell, "rows": _format_rows, "hex": _format_status}
    return environment.get_template("statement.md.j2").render(
        version=__version__,
        overview_rows=_list_overview_rows(),
        sop_classes=SOP_CLASSES,
        transfer_syntaxes=TRANSFER_SYNTAXES,
        little_endian="Explicit VR Little Endian, Implicit VR Little Endian",
        receive=ReceiveSettings(),
        rejections=ASSOCIATION_REJECTIONS,
        store_statuses=StoreStatus,
        event_report_statuses=EventReportStatus,
        rejection_titles=REJECTION_TITLES,
        retention_expired=RETENTION_EXPIRED,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        result_series=RESULT_SERIES,
        result_syntax=RESULT_SYNTAX,
        push_model=STORAGE_COMMITMENT_PUSH_MODEL,
        find_model=STUDY_ROOT_FIND,
        retrieve_models=RETRIEVE_MODELS,
        warning_statuses=WARNING_STATUSES,
        duplicate_status=DUPLICATE_STATUS,
        settings_sections=[
            (name, _list_setting_rows(section)) for name, section in _SETTINGS_SECTIONS
        ],
        preset_rows=_list_preset_rows(),
        character_sets=get_args(ProfileSettings.model_fields["character_set"].annotation),
        minimum_tls=MINIMUM_TLS_VERSION.name.replace("TLSv", "").replace("_", "."),
        cipher_suites=CIPHER_SUITES,
        tls_sections=[(name, _list_setting_rows(section)) for name, section in _TLS_SECTIONS],
        copied_rows=[_describe_attribute(keyword) for keyword in COPIED_ATTRIBUTES],
        code_groups=CodedEnum.__subclasses__(),
        concept_codes=_list_concept_codes(),
        own_scheme=SCHEME,
        own_codes=list_own_codes(),
        attribute_rows=ATTRIBUTE_ROWS,
        describe_sources=_describe_sources,
        name_rows=[
            *((kind.value, row) for kind, row in KIND_NAMES.items()),
            *((f"{m.code.meaning} (modifier)", row) for m, row in MODIFIER_NAMES.items()),
        ],
        detector=detector,
        cost_rows=list(list_cost_cells(detector)),
        costs_on=next((point.costs_on for point in detector.operating_points), ""),
        validation=validation.strip()
        or "`make conformance` runs the validators over the golden set and prints a summary.",
    )


def _format_cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _format_rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(_format_cell, row))} |" for row in rows)


def _format_status(status: int) -> str:
    return f"{status:04X}H"


def _list_overview_rows() -> Iterator[tuple[str, UID, str, str]]:
    created = {series.sop_class for series in RESULT_SERIES.values()}
    sent = {*created, STORAGE_COMMITMENT_PUSH_MODEL}
    for row in SOP_CLASSES:
        is_sent = row.uid in sent or row.use is InstanceUse.ANSWERED
        # A report on a commitment comes from its SCP; the node is SCU of that service.
        is_received = row.use is not InstanceUse.REPORTS
        yield row.uid.name, row.uid, _YES_NO[is_sent], _YES_NO[is_received]
    for uid in (STUDY_ROOT_FIND, *RETRIEVE_MODELS.values()):
        yield uid.name, uid, "Yes", "No"


_YES_NO = {True: "Yes", False: "No"}


def _list_setting_rows(section: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for name, field in section.model_fields.items():
        default = "required" if field.is_required() else _format_value(field.default)
        yield f"`{name}`", default, field.description or ""


def _list_preset_rows() -> Iterator[tuple[str, str]]:
    for preset, fields in PRESETS.items():
        values = ", ".join(f"`{name}` = {_format_value(value)}" for name, value in fields.items())
        yield f"`{preset.value}`", values


def _format_value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_format_value, value)) or "none"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == "" else str(value)


def _describe_attribute(keyword: str) -> tuple[str, str]:
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"{keyword} is not an attribute of DICOM")
    tag = Tag(number)
    return dictionary_description(tag), f"({tag.group:04X},{tag.element:04X})"


def _describe_sources(row: AttributeRow) -> str:
    return "; ".join(
        " in ".join(_describe_attribute(keyword)[0] for keyword in reversed(source.split("/")))
        for source in row.sources
    )


def _list_concept_codes() -> list[Code]:
    named = (value for value in vars(concepts).values() if isinstance(value, Code))
    return sorted(named, key=lambda code: (code.scheme, code.value))
