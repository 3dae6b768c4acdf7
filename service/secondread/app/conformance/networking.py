"""Section 4 of the statement: application entities, associations, configuration."""

from collections.abc import Iterable

from pydantic import BaseModel
from pydicom.uid import ExplicitVRLittleEndian

from secondread.accept.admission import ASSOCIATION_REJECTIONS
from secondread.accept.classify import REJECTION_TITLES, RETENTION_EXPIRED
from secondread.accept.commitment import EventReportStatus
from secondread.accept.contexts import (
    SOP_CLASSES,
    STORAGE_COMMITMENT_PUSH_MODEL,
    SyntaxList,
    list_transfer_syntaxes,
)
from secondread.accept.intake import StoreStatus
from secondread.app.conformance.markdown import format_heading, format_list, format_table
from secondread.report.sr.header import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    RESULT_SERIES,
)
from secondread.send.find import STUDY_ROOT_FIND
from secondread.send.retrieve import RETRIEVE_MODELS
from secondread.send.scu import WARNING_STATUSES
from secondread.settings import (
    PRESETS,
    DestinationSettings,
    NodeSettings,
    PeerSettings,
    PriorSourceSettings,
    ProfileSettings,
    ReceiveSettings,
)

_LITTLE_ENDIAN = "Explicit VR Little Endian, Implicit VR Little Endian"


def build_networking() -> list[str]:
    """Return section 4."""
    return [
        format_heading(2, "4 Networking"),
        *_model(),
        format_heading(3, "4.2 Application entities"),
        "One AE title is used for all entities (`node.ae_title`).",
        *_receiver(),
        *_sender(),
        *_finder(),
        *_interfaces(),
        *_configuration(),
    ]


def _model() -> list[str]:
    return [
        format_heading(3, "4.1 Implementation model"),
        format_list(
            [
                "RECEIVE accepts associations: modalities and archives store images over them, "
                "archives report on storage commitments.",
                "SEND opens associations to destinations: it stores results, and proves what was "
                "delivered by storage commitment or by a query.",
                "FETCH opens associations to the archives that may hold priors: it queries for "
                "them, and retrieves them with C-MOVE (to RECEIVE) or C-GET.",
            ]
        ),
        "A study is read when its expected views are there and nothing more arrives for a while. "
        "Results are written once; what is sent again is the same object, byte by byte. A later "
        "revision of a reading has new UIDs, and its structured reports name the ones that they "
        "replace. An object that comes back to the node is answered Success and dropped.",
    ]


def _syntax_rows(kind: SyntaxList) -> Iterable[tuple[str, str, str]]:
    return ((row.uid.name, row.uid, row.coding.value) for row in list_transfer_syntaxes(kind))


def _receiver() -> list[str]:
    receive = ReceiveSettings()
    return [
        format_heading(4, "4.2.1 RECEIVE"),
        format_table(
            ["SOP class", "UID", "transfer syntaxes", "what becomes of instances"],
            [
                (row.uid.name, row.uid, f"list {row.syntax_list.value}", row.use.value)
                for row in SOP_CLASSES
            ],
        ),
        f"List {SyntaxList.IMAGE.value}, in order of preference where a peer proposes several "
        "in one context:",
        format_table(["transfer syntax", "UID", "pixels"], _syntax_rows(SyntaxList.IMAGE)),
        f"List {SyntaxList.DOCUMENT.value}: those of list {SyntaxList.IMAGE.value} that are "
        "not encapsulated. List "
        f"{SyntaxList.SERVICE.value}: {_LITTLE_ENDIAN}.",
        "Association policy: callers are known by AE title, and by address where one is set; "
        f"others are rejected. At most {receive.maximum_associations} associations at a time "
        "(setting). Asynchronous operations are not negotiated. A report on a storage commitment "
        "is taken over an association that the SCP of the service opens (role selection SCP), or "
        "over the one of the request.",
        format_table(
            ["rejected because", "result", "source", "reason"],
            [
                (reason.sentence, code.result, code.source, code.diagnostic)
                for reason, code in ASSOCIATION_REJECTIONS.items()
            ],
        ),
        "C-STORE is answered when the instance is on the disk and in the database. Statuses:",
        format_table(
            ["status", "code"], [(_words(one.name), f"{one.value:04X}H") for one in StoreStatus]
        ),
        "N-EVENT-REPORT statuses:",
        format_table(
            ["status", "code"],
            [(_words(one.name), f"{one.value:04X}H") for one in EventReportStatus],
        ),
        "Rejection notes (Key Object Selection with a title of CID 7010; IHE RAD, Imaging Object "
        "Change Management) are used within their own study, and may come before the instances:",
        format_table(
            ["title", "meaning", "instances", "report"],
            _rejection_rows(),
        ),
        *_identification(),
    ]


def _rejection_rows() -> Iterable[tuple[str, str, str, str]]:
    for title, meaning in REJECTION_TITLES.items():
        if title == RETENTION_EXPIRED:
            instances = "dropped until sent again"
            report = "stays as it is, and is what later studies are compared with"
        else:
            instances = "dropped for good, also if sent again"
            report = "a new revision, of this study and of later ones that were compared with it"
        yield title, meaning, instances, report


def _words(name: str) -> str:
    return name.replace("_", " ").lower()


def _identification() -> list[str]:
    return [
        "Implementation identification, in all associations:",
        format_table(
            ["attribute", "value"],
            [
                ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
                ("Implementation Version Name", IMPLEMENTATION_VERSION_NAME),
                ("maximum PDU size", f"{ReceiveSettings().maximum_pdu_bytes} (setting)"),
            ],
        ),
    ]


def _sender() -> list[str]:
    stores = [
        (uid.name, uid, ExplicitVRLittleEndian.name, f"`{kind.value}`")
        for kind, (_, uid, _) in RESULT_SERIES.items()
    ]
    warnings = ", ".join(f"{status:04X}H" for status in sorted(WARNING_STATUSES))
    return [
        format_heading(4, "4.2.2 SEND"),
        format_table(
            ["SOP class", "UID", "transfer syntaxes", "kind of object in a profile"],
            [
                *stores,
                (
                    STORAGE_COMMITMENT_PUSH_MODEL.name,
                    STORAGE_COMMITMENT_PUSH_MODEL,
                    _LITTLE_ENDIAN,
                    "where the proof is `commitment`",
                ),
                (
                    STUDY_ROOT_FIND.name,
                    STUDY_ROOT_FIND,
                    _LITTLE_ENDIAN,
                    "where the proof is `query`",
                ),
            ],
        ),
        "One association for the objects of a study, with a context for each class in it. "
        f"Success and the warnings {warnings} mean stored; every other status, an abort and a "
        "destination that is away lead to another try after a growing pause, without end. "
        "Verification (C-ECHO) is used by `secondread check`.",
        "Storage commitment: one N-ACTION for what was stored, matched by Transaction UID over "
        "restarts; asked again when no report comes in time; what the SCP does not commit to is "
        "stored again.",
    ]


def _finder() -> list[str]:
    rows = [(STUDY_ROOT_FIND.name, STUDY_ROOT_FIND, "studies, series and images of the patient")]
    rows += [(uid.name, uid, f'`retrieve = "{how.value}"`') for how, uid in RETRIEVE_MODELS.items()]
    return [
        format_heading(4, "4.2.3 FETCH"),
        format_table(["SOP class", "UID", "use"], rows),
        f"Transfer syntaxes of queries: {_LITTLE_ENDIAN}. With C-GET, the mammography image "
        "classes are proposed with the SCP role in the transfer syntaxes of list A, and "
        "Mammography CAD SR in those of list B. Keys of queries: Patient ID with its issuer, Study "
        "Date, Modalities in Study, Modality, Study, Series and SOP Instance UID; relational "
        "queries are not used. Once a prior's images are in, series of its study that hold "
        "Mammography CAD SRs and nothing else are retrieved too.",
    ]


def _interfaces() -> list[str]:
    return [
        format_heading(3, "4.3 Network interfaces"),
        "TCP/IP, IPv4 and IPv6, as the operating system has them; DICOM upper layer over TCP, "
        "with or without TLS (section 7).",
    ]


def _configuration() -> list[str]:
    return [
        format_heading(3, "4.4 Configuration"),
        "One TOML file; a variable `SECONDREAD__SECTION__KEY` of the environment overrides a key.",
        *_settings("[node]", NodeSettings),
        *_settings("[receive]", ReceiveSettings),
        *_settings("[[peers]]", PeerSettings),
        *_settings("[[destinations]]", DestinationSettings),
        *_settings("[[priors.sources]]", PriorSourceSettings),
        *_settings("profile of a destination", ProfileSettings),
        "Presets of profiles, and the fields in which each differs from the defaults:",
        format_table(
            ["preset", "fields"],
            [
                (
                    f"`{preset.value}`",
                    ", ".join(f"`{name}` = {_value(value)}" for name, value in fields.items()),
                )
                for preset, fields in PRESETS.items()
            ],
        ),
    ]


def _settings(name: str, section: type[BaseModel]) -> list[str]:
    rows = [
        (
            f"`{field}`",
            "required" if info.is_required() else _value(info.default),
            info.description or "",
        )
        for field, info in section.model_fields.items()
    ]
    return [f"`{name}`:", format_table(["setting", "default", "meaning"], rows)]


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_value(one) for one in value) or "none"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == "" else str(value)
