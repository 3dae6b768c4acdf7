"""One frozen `Settings`, read once from a TOML file and the environment, and passed on.

An environment variable ``SECONDREAD__SECTION__KEY`` overrides ``key`` in ``[section]`` of the
file. A relative path, wherever it is given, is taken from the folder of the file, or without one
from the present folder. Nothing else in the package reads the environment. Unknown keys are
errors, so that a misspelt one is noticed.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic import field_validator as _field_validator
from pydantic import model_validator as _model_validator

from secondread.errors import SettingsError
from secondread.settings_faults import Location, describe_location, list_faults

AeTitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$"),
]
"""An application entity title: 1 to 16 printable ASCII characters, no backslash; spaces around it
do not count (PS3.5 6.2)."""


def _is_network(text: str) -> str:
    ip_network(text, strict=False)  # its ValueError names the text
    return text


Network = Annotated[str, AfterValidator(_is_network)]
"""An IP address, or a network in CIDR notation."""

ShortName = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9_-]*$")
]
"""A short name of ours, used in URLs, metrics and file names: lower case, digits, - and _."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None else Path(base) / path.expanduser()


RelativePath = Annotated[Path, AfterValidator(_resolve)]
"""A path; a relative one is taken from the folder of the settings file, as everywhere in it."""


def _resolve_database(url: str, info: ValidationInfo) -> str:
    base = (info.context or {}).get("base")
    file = url.removeprefix(_SQLITE)
    if base is None or file == url or not file or file.startswith((":memory:", "file:")):
        return url
    return f"{_SQLITE}{Path(base) / file}"


_SQLITE = "sqlite:///"

DatabaseUrl = Annotated[str, AfterValidator(_resolve_database)]
"""An SQLAlchemy URL; the file of a SQLite database is a path like any other."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class IntakeMode(StrEnum):
    """What becomes of the studies that a peer sends."""

    REPORT = "report"
    PRIOR_ONLY = "prior-only"
    IGNORE = "ignore"


class TreatmentScope(StrEnum):
    """Which patients' studies are read, by what is known of their treatment."""

    ALL = "all"
    TREATED = "treated"
    UNKNOWN_OR_TREATED = "unknown-or-treated"


class NodeSettings(_Section):
    """`[node]`: who this node is and where it keeps its data."""

    data_dir: Path = Path("secondread-data")
    """Folder of the archive, the outbox, the spool and, with SQLite, the databases. A relative
    path, as of all files in the settings, is taken from the folder of the settings file."""
    ae_title: AeTitle = "SECONDREAD"
    """The AE title that peers call, and that the node calls with."""
    institution: str = ""
    """Institution name written into results; empty leaves it to the images."""
    time_zone: str = ""
    """The site's time zone by its IANA name, for example ``Europe/Athens``: what dates and times
    in results are given in. Empty takes the machine's."""

    @_field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key if name else name
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone is called {name!r}") from error


class DatabaseSettings(_Section):
    """`[database]`: where the tracker lives."""

    url: DatabaseUrl = ""
    """SQLAlchemy URL. Empty: SQLite in the data folder. PostgreSQL:
    ``postgresql+psycopg://user:password@host/name``."""
    engine_url: DatabaseUrl = ""
    """URL of the durable engine's own tables. Empty: beside the tracker (a second SQLite file,
    or the same PostgreSQL database in a schema of its own)."""


CertificateFile = RelativePath
"""A PEM file."""


class TlsSettings(_Section):
    """`[receive.tls]`: certificate files of the receiver, for DICOM over TLS."""

    certificate: CertificateFile
    """PEM file with the certificate of this node, followed by those between it and its CA."""
    key: CertificateFile
    """PEM file with its private key, not encrypted."""
    trusted: CertificateFile | None = None
    """PEM file with the certificates that peers are checked against: of authorities, or of the
    peers themselves. When set, every peer has to show one (mutual TLS)."""


class CallTlsSettings(_Section):
    """`tls` of a destination or an archive: how this node calls it over TLS."""

    certificate: CertificateFile | None = None
    """PEM file with the certificate that this node shows where it is asked for one."""
    key: CertificateFile | None = None
    """PEM file with its private key, not encrypted."""
    trusted: CertificateFile | None = None
    """PEM file with the certificates that the peer's is checked against; without it, those that
    the machine trusts."""
    server_name: str | None = None
    """The host name that the peer's certificate has to be for, where it is not the host called."""
    check_server_name: bool = True
    """Whether the name is checked. Without it, any certificate that is trusted passes: only with
    a `trusted` that holds the peer's own certificate."""

    @_model_validator(mode="after")
    def _key_has_its_certificate(self) -> "CallTlsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together")
        if not self.check_server_name and self.trusted is None:
            raise ValueError("check_server_name = false needs trusted")
        return self


def _expand_switch(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    return value


CallTls = Annotated[CallTlsSettings | None, BeforeValidator(_expand_switch)]
"""How a peer is called over TLS; ``true`` stands for a table with the defaults."""


class ReceiveSettings(_Section):
    """`[receive]`: the C-STORE and C-ECHO SCP."""

    host: str = "0.0.0.0"  # noqa: S104  (a PACS node is there to be called; callers are allow-listed)
    """Address to listen on."""
    port: int = Field(default=11112, ge=0, le=65535)
    """TCP port; 0 takes a free one and logs it."""
    maximum_associations: int = Field(default=128, ge=1, le=1000)
    """Associations served at the same time; more are refused with "local limit exceeded"."""
    maximum_per_peer: int = Field(default=64, ge=1, le=1000)
    """Associations of one calling AE title at the same time."""
    maximum_per_address: int = Field(default=64, ge=1, le=1000)
    """Associations from one IP address at the same time; raise it where peers share an address."""
    maximum_unknown: int = Field(default=64, ge=0, le=1000)
    """Associations at the same time of all callers that are not under `[[peers]]`, where these are
    accepted."""
    reserved_per_peer: int = Field(default=2, ge=0, le=1000)
    """Places that are kept free for each peer under `[[peers]]`, at most half of all places."""
    maximum_pdu_bytes: int = Field(default=131072, ge=16384, le=1048576)
    """Largest PDU offered. 128 KiB was measured fastest."""
    acse_seconds: float = Field(default=5.0, gt=0)
    """How long a connection may stay open without asking for an association."""
    network_seconds: float = Field(default=60.0, gt=0)
    """How long a peer may be silent inside or between PDUs before it is cut off."""
    minimum_free_bytes: int = Field(default=2 * 1024**3, ge=0)
    """Below this much free disk, instances are answered A700 and the sender keeps its copy."""
    not_analysed_days: float = Field(default=30.0, gt=0)
    """Objects that come beside mammograms and are not analysed (captures, documents, ultrasound)
    are removed so many days after they last came."""
    unknown_peers: Literal["refuse", "accept"] = "refuse"
    """What happens to calling AE titles that are not under `[[peers]]`."""
    tls: TlsSettings | None = None
    """When set, the port speaks TLS only."""


class PeerSettings(_Section):
    """`[[peers]]`: an AE title that may call."""

    ae_title: AeTitle
    """Its calling AE title."""
    addresses: tuple[Network, ...] = ()
    """IP addresses or networks (CIDR) it may call from; empty: any."""
    intake: IntakeMode = IntakeMode.REPORT
    """What becomes of its studies."""
    maximum_age_days: int | None = Field(default=30, ge=0)
    """Studies older than this are kept as priors; leave out the limit with -1 in the file."""
    treatment: TreatmentScope = TreatmentScope.ALL
    """Which patients' studies are read."""
    may_change: bool | None = None
    """Whether it may replace images (the same SOP Instance UID with another content) and reject
    them by a note: any, or none at all. Without it, it may change what it sent itself, and any
    image if its AE title is that of a destination or of a source of priors. Every peer may add
    images."""

    @_model_validator(mode="before")
    @classmethod
    def _no_limit(cls, data: object) -> object:
        # TOML has no null, so -1 stands for "no limit".
        if isinstance(data, Mapping) and data.get("maximum_age_days") == -1:
            return {**data, "maximum_age_days": None}
        return data


class AssembleSettings(_Section):
    """`[assemble]`: when a study counts as complete."""

    settle_seconds: float = Field(default=20.0, ge=0)
    """After the last expected view came: how long to wait for extra views and retakes."""
    quiet_seconds: float = Field(default=120.0, ge=0)
    """Without the expected views: how long nothing may arrive until the study is read anyway."""
    late_window_days: float = Field(default=7.0, ge=0)
    """Images that come later than this after a reading no longer make a revision by themselves."""


class RetrieveMethod(StrEnum):
    """How images are asked for (PS3.4 C.4)."""

    MOVE = "move"
    """C-MOVE: the archive opens an association of its own to this node, which it has to know by
    AE title, host and port."""
    GET = "get"
    """C-GET: the images come over the association that this node opened."""


class PriorSourceSettings(_Section):
    """`[[priors.sources]]`: an archive that is asked for priors."""

    name: ShortName
    """A short name for pages, metrics and logs."""
    ae_title: AeTitle
    """Its AE title."""
    host: str
    """Its host name or address."""
    port: int = Field(ge=1, le=65535)
    """Its TCP port."""
    retrieve: RetrieveMethod = RetrieveMethod.MOVE
    """How images are asked for. With ``move`` the archive calls this node to deliver them, so its
    AE title has to be under `[[peers]]` as well."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """How long to wait for a connection, and for each answer to a query."""
    attempt_seconds: float = Field(default=240.0, gt=0)
    """How long one attempt to retrieve a study may take altogether; then it is broken off."""
    maximum_pause_seconds: float = Field(default=600.0, gt=0)
    """The longest pause between two attempts."""
    tls: CallTls = None
    """When set, the node calls over TLS: ``true``, or a table."""


class PriorsSettings(_Section):
    """`[priors]`: earlier studies to compare with, and where they are fetched from."""

    fetch: bool = True
    """Whether the sources are asked; priors that the node holds are used in any case."""
    sources: tuple[PriorSourceSettings, ...] = ()
    """The archives to ask, as `[[priors.sources]]`; none: nothing is fetched."""
    count: int = Field(default=2, ge=1, le=5)
    """How many priors a study is compared with: the nearest ones in time, the last of them
    replaced by the oldest."""
    minimum_age_days: int = Field(default=182, ge=1)
    """A study less than this much earlier is a work-up of the same visit, not a prior."""
    maximum_age_days: int = Field(default=3650, ge=1)
    """Archives are not asked for studies earlier than this."""
    wait_seconds: float = Field(default=600.0, ge=0)
    """How long a complete study waits for its priors, from the first query on; then it is read
    without. 0: it never waits, and priors lead to a later revision."""
    give_up_hours: float = Field(default=24.0, gt=0)
    """How long to try to get a prior; one that comes after the wait makes a revision, within
    `assemble.late_window_days`."""

    @_model_validator(mode="after")
    def _window_is_open(self) -> "PriorsSettings":
        if self.maximum_age_days <= self.minimum_age_days:
            raise ValueError("maximum_age_days must be more than minimum_age_days")
        return self

    @property
    def active_sources(self) -> tuple[PriorSourceSettings, ...]:
        """The sources that priors are fetched from."""
        return self.sources if self.fetch else ()


class ArrivalsSettings(_Section):
    """`[arrivals]`: the daily comparison of archives' lists of mammography with what arrived."""

    check: bool = True
    """Whether that is done; never without `[[priors.sources]]`, which are asked (C-FIND)."""
    sources: tuple[ShortName, ...] = ()
    """The names of the `[[priors.sources]]` whose lists are compared; none: all of them."""
    hour: int = Field(default=5, ge=0, le=23)
    """The hour of the day at which it is done, by the site's clock."""
    every_hours: float | None = Field(default=None, ge=0.1)
    """Instead of once a day: how many hours after the last time."""
    days: int = Field(default=7, ge=1, le=60)
    """How many days back studies are asked for; more, where an archive could not be asked."""
    grace_hours: float = Field(default=12.0, ge=0)
    """A study younger than this may still be under way, and is not missing."""


class DetectSettings(_Section):
    """`[detect]`: the detector and the child process it runs in."""

    manifest: RelativePath | None = None
    """Manifest of the model; None takes the one that came with the package."""
    site_calibration: RelativePath | None = None
    """File that `secondread calibrate` made from exams of this site; None: the manifest's own
    operating points."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of one inference. One thread a view and several workers were measured steadiest."""
    view_seconds: float = Field(default=120.0, gt=0)
    """Time limit for one view, from file to marks."""
    memory_bytes: int = Field(default=3 * 1024**3, ge=256 * 1024**2)
    """Address space that the child may use beyond what it holds after loading the model."""
    start_seconds: float = Field(default=120.0, gt=0)
    """How long the child may take to load its model, at first: each start that takes longer has
    the next one wait twice as long, up to eight times. No image is blamed for it."""
    attempts: int = Field(default=3, ge=1)
    """How often an image may kill the child before it is given up."""
    override_gates: tuple[str, ...] = ()
    """Names of gates whose refusals become flags, for tests with images that are known to fail
    them; ``all`` overrides every gate."""


class FindingsSettings(_Section):
    """`[findings]`: which findings are shown."""

    operating_point: int = Field(default=0, ge=0)
    """Number of the operating point in the model's manifest; 0 takes the manifest's default."""


class WorkSettings(_Section):
    """`[work]`: the worker processes."""

    processes: int = Field(default=1, ge=0, le=64)
    """Workers that `secondread serve` starts."""
    detectors: int = Field(default=0, ge=0, le=64)
    """Detector children of each worker, which read images side by side. 0: as many as there are
    cores, and no more than the memory has room for by `detect.memory_bytes`, shared among the
    workers."""
    read_ahead: bool = True
    """Whether detectors that have nothing to do read images of studies that are not complete yet.
    What they find is used once the study is read, so that its report comes sooner. Several
    `processes` never do."""
    poll_seconds: float = Field(default=0.2, gt=0)
    """How often a worker looks whether there may be work: due studies, due deliveries."""
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    """How often each process shows that it is alive."""
    takeover_seconds: float = Field(default=20.0, gt=0)
    """After this long without a heartbeat, another worker takes over what a dead one started. At
    least three heartbeats; a worker that was only slow then loses some work, and nothing else."""
    step_seconds: float = Field(default=1800.0, gt=0)
    """Time limit for one step of a reading, all images' detector time included: a worker in which
    a step takes longer ends and begins the step anew, three times at most."""
    memory_bytes: int = Field(default=8 * 1024**3, ge=512 * 1024**2)
    """Address space that a worker may use beyond what it holds at its start. A reading that needs
    more fails, instead of having the kernel choose what to kill."""


class Role(StrEnum):
    """What a caller of the web server may do; each role may also do what those before it may."""

    METRICS = "metrics"
    """Ask for `/metrics`, which has no patient data."""
    LOOK = "look"
    """See the pages."""
    ACT = "act"
    """Have studies read again and results sent again, pause a destination, dismiss what was looked
    into, write treatments down, merge patients."""
    ADMIN = "admin"
    """Change what the node does: modes of destinations, for example."""

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what the other may.

        >>> Role.ACT.includes(Role.LOOK), Role.LOOK.includes(Role.ACT)
        (True, False)
        """
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", max_length=60)]
"""A name of an HTTP header."""


def _as_origin(text: str) -> str:
    origin = text.lower()
    parts = urlsplit(origin)
    if origin and (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
        or origin != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError("expected https://HOST or https://HOST:PORT, and no more")
    return origin


class ProxySettings(_Section):
    """`[web.proxy]`: a reverse proxy that signs people in, and names them in headers."""

    addresses: tuple[Network, ...] = Field(min_length=1)
    """The addresses that it calls from; headers from elsewhere count for nothing."""
    user_header: HeaderName = "X-Remote-User"
    """The header that names who signed in; the proxy has to remove it from what it is sent."""
    groups_header: HeaderName = "X-Remote-Groups"
    """The header with the groups of that user, separated by commas."""
    look: tuple[str, ...] = ()
    """The groups whose members may look."""
    act: tuple[str, ...] = ()
    """The groups whose members may act."""
    admin: tuple[str, ...] = ()
    """The groups whose members may administer."""
    everyone: Literal[Role.LOOK, Role.ACT, Role.ADMIN] | None = None
    """The role of users in none of these groups; without it they are refused."""

    @_model_validator(mode="after")
    def _headers_are_its_own(self) -> "ProxySettings":
        names = {self.user_header.lower(), self.groups_header.lower()}
        if len(names) < 2 or names & {"authorization", "cookie", "host", "origin"}:
            raise ValueError("user_header and groups_header must be two headers of the proxy's own")
        return self


class WebSettings(_Section):
    """`[web]`: the operations page, health and metrics."""

    host: str = "127.0.0.1"
    """Address to listen on; loopback unless a proxy with TLS stands in front."""
    port: int = Field(default=8042, ge=0, le=65535)
    """TCP port."""
    public_url: Annotated[str, AfterValidator(_as_origin)] = ""
    """How browsers reach the pages, where a proxy stands in front: ``https://HOST``. With https,
    cookies are sent over TLS only."""
    session_hours: float = Field(default=12.0, gt=0, le=24 * 31)
    """How long a person stays signed in."""
    maximum_connections: int = Field(default=256, ge=256, le=10_000)
    """Connections open at the same time; beyond that, the one that has waited longest for its
    peer is ended for the newcomer."""
    request_seconds: float = Field(default=10.0, gt=0)
    """How long the header of a request, its body, and the taking of its answer may last, each."""
    proxy: ProxySettings | None = None
    """A proxy whose headers say who calls; without it, tokens do."""

    @property
    def session_lifetime(self) -> timedelta:
        """How long a person stays signed in."""
        return timedelta(hours=self.session_hours)

    @property
    def is_behind_tls(self) -> bool:
        """Whether the settings say that browsers reach the pages by TLS."""
        return self.public_url.startswith("https://")


class LogSettings(_Section):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level written."""


class SyslogTransport(StrEnum):
    """How a syslog server is reached."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class SyslogSettings(_Section):
    """`[audit.syslog]`: a server that takes the audit trail (RFC 5424)."""

    host: str
    """Host name or IP address; over TLS, its certificate has to be for it."""
    port: int = Field(default=6514, ge=1, le=65535)
    """Its port: 6514 for TLS, commonly 514 for the others."""
    transport: SyslogTransport = SyslogTransport.TLS
    """``tls``, ``tcp`` or ``udp``; over the last two, patients' IDs cross the network readable."""
    trusted: CertificateFile | None = None
    """PEM file with the certificates that the server's is checked against; without it, those that
    the machine trusts."""
    certificate: CertificateFile | None = None
    """PEM file with the certificate that this node shows where the server asks for one."""
    key: CertificateFile | None = None
    """PEM file with its private key, not encrypted."""

    @_model_validator(mode="after")
    def _key_has_its_certificate(self) -> "SyslogSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together")
        return self


class AuditSettings(_Section):
    """`[audit]`: the audit trail (PS3.15 A.5), which names patients and those who saw them."""

    enabled: bool = True
    """Whether it is recorded. Off: nothing says who looked at which study."""
    retention_days: float = Field(default=365.0, gt=0)
    """Messages are removed from the database after so many days."""
    syslog: SyslogSettings | None = None
    """Where it is sent as well."""


class DestinationMode(StrEnum):
    """Whether results leave for a destination."""

    SHADOW = "shadow"
    LIVE = "live"
    PAUSED = "paused"


class ObjectKind(StrEnum):
    """The kinds of result object."""

    CAD_SR = "cad-sr"
    """Mammography CAD SR (TID 4000)."""
    TID1500 = "tid1500"
    """Measurement report (TID 1500), for viewers and archives that know no CAD SR."""
    CAPTURE = "capture"
    """Secondary captures: the views with findings, an overview of the exam, notices."""
    PRESENTATION = "presentation"
    """Presentation states: the marks over the original images."""


class Preset(StrEnum):
    """Names of profiles for the usual kinds of destination; `PRESETS` defines them."""

    MAMMOGRAPHY_WORKSTATION = "mammography-workstation"
    TID1500_VIEWER = "tid1500-viewer"
    CAPTURE_ONLY_PACS = "capture-only-pacs"
    ARCHIVE_WITHOUT_CAD = "archive-without-cad"


PRESETS: dict[Preset, dict[str, object]] = {
    # It draws by Rendering Intent, so it can also be given findings that are not to be drawn.
    Preset.MAMMOGRAPHY_WORKSTATION: {"objects": ("cad-sr", "capture"), "findings": "all"},
    Preset.TID1500_VIEWER: {"objects": ("tid1500",)},
    Preset.CAPTURE_ONLY_PACS: {"objects": ("capture",)},
    # It refuses the class of CAD SRs, and takes what else holds the same findings.
    Preset.ARCHIVE_WITHOUT_CAD: {"objects": ("tid1500", "presentation", "capture")},
}
"""The fields in which a preset differs from the defaults."""

PlainText = StringConstraints(pattern=r"^[ -\[\]-}]*$")
"""Printable ASCII without backslash and tilde, which other character sets read otherwise."""


class ProfileSettings(_Section):
    """What a destination gets, and in which dialect."""

    preset: Preset | None = None
    """Where the values of fields that are not given come from; without it, the defaults."""
    objects: tuple[ObjectKind, ...] = (ObjectKind.CAD_SR, ObjectKind.CAPTURE)
    """Which objects it gets."""
    snomed_codes: Literal["SCT", "SRT"] = "SCT"
    """Scheme of SNOMED codes; some workstations recognise only the retired SRT, which SNOMED
    International licenses only to legacy devices (PS3.16 chapter 8)."""
    findings: Literal["shown", "all"] = "shown"
    """Whether structured reports hold findings below the operating point, as Not for
    Presentation."""
    individual_calcifications: bool = True
    """Whether a CAD SR holds every calcification of a cluster, and not only their number."""
    overview: bool = True
    """Whether captures of findings begin with an overview of the exam."""
    send_empty: bool = True
    """Whether a reading without findings is sent."""
    send_failed: bool = True
    """Whether a reading that failed is sent (as TID 4000 "Failed", and a capture)."""
    send_not_eligible: bool = True
    """Whether a one-line capture is sent for a study with nothing in the detector's scope."""
    not_eligible_as_failed_sr: bool = False
    """Write a not eligible study as CAD SR "Failed", for sites that want "CAD failed" shown."""
    capture_modality: Literal["OT", "MG", "SC"] = "OT"
    """Modality of the capture's series. With MG, hanging protocols may hang it as a mammogram."""
    character_set: Literal["source", "ISO_IR 192"] = "source"
    """Specific Character Set of results: that of the images, which leaves names byte for byte as
    they are, or UTF-8."""
    series_description: Annotated[str, PlainText] = Field(default="Second read", max_length=21)
    """How the description of each series begins."""
    series_number: int = Field(default=9000, ge=1, le=999_000)
    """Series are numbered upwards from here, ten for each revision."""
    manufacturer: Annotated[str, PlainText] = Field(default="", max_length=64)
    """Manufacturer in results, for workstations that accept CAD results only from makers that they
    are configured for. Empty: the node's own."""

    @_model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: object) -> object:
        # A preset that does not exist is left to the field's own check.
        if isinstance(data, Mapping) and data.get("preset") in set(Preset):
            return {**PRESETS[Preset(data["preset"])], **data}
        return data

    @property
    def key(self) -> str:
        """A short name for the content of the profile: equal profiles share their objects."""
        content = self.model_dump_json(exclude={"preset"})
        return hashlib.sha256(content.encode()).hexdigest()[:12]


class Proof(StrEnum):
    """What proves that a destination holds a result."""

    STORE_STATUS = "store-status"
    """It answered the C-STORE with Success: the only proof where it offers nothing else."""
    COMMITMENT = "commitment"
    """It has taken responsibility by Storage Commitment (PS3.4 J)."""
    QUERY = "query"
    """A C-FIND at the level of instances shows it."""


class DestinationSettings(_Section):
    """`[[destinations]]`: where results go."""

    name: ShortName
    """A short name for pages, metrics and commands."""
    ae_title: AeTitle
    """Its AE title."""
    host: str
    """Its host name or address."""
    port: int = Field(ge=1, le=65535)
    """Its TCP port."""
    initial_mode: DestinationMode = DestinationMode.SHADOW
    """The mode it gets when it first enters the database; later the database decides."""
    proof: Proof = Proof.STORE_STATUS
    """What counts as delivered; ``store-status`` is the weakest, for those that offer no other.
    With ``commitment``, the destination must know this node's AE title, host and port: it calls
    back to report what it holds."""
    commitment_seconds: float = Field(default=300.0, gt=0)
    """How long to wait for the report on a storage commitment before asking again; each further
    wait is twice as long, up to twelve times this."""
    commitment_linger_seconds: float = Field(default=1.0, ge=0)
    """How long the association of a storage commitment request stays open for a report over it; a
    report that comes later, or over another association, counts as much."""
    query_seconds: float = Field(default=30.0, gt=0)
    """How long to wait before querying again for what a query did not show; each further wait is
    twice as long, up to twelve times this."""
    query_ae_title: AeTitle | None = None
    """The AE title to query, where it is not `ae_title`."""
    query_host: str | None = None
    """The host to query, where it is not `host`."""
    query_port: int | None = Field(default=None, ge=1, le=65535)
    """The TCP port to query, where it is not `port`."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """How long to wait for its answers."""
    maximum_pause_seconds: float = Field(default=600.0, gt=0)
    """The longest pause between two tries while it is down."""
    alarm_seconds: float = Field(default=900.0, gt=0)
    """How old the oldest result may be that it has not stored, or not proven, before an alarm is
    raised; for a proof, at least four times as long as the wait for it."""
    alarm_studies: int = Field(default=25, ge=1)
    """The alarm is raised sooner where the results of so many studies wait in vain."""
    tls: CallTls = None
    """When set, the node calls over TLS: ``true``, or a table."""
    profile: ProfileSettings = ProfileSettings()
    """What it gets."""


class Settings(_Section):
    """All settings of a node; every field has a default, so an empty file is valid."""

    node: NodeSettings = NodeSettings()
    database: DatabaseSettings = DatabaseSettings()
    receive: ReceiveSettings = ReceiveSettings()
    assemble: AssembleSettings = AssembleSettings()
    priors: PriorsSettings = PriorsSettings()
    arrivals: ArrivalsSettings = ArrivalsSettings()
    detect: DetectSettings = DetectSettings()
    findings: FindingsSettings = FindingsSettings()
    work: WorkSettings = WorkSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    audit: AuditSettings = AuditSettings()
    peers: tuple[PeerSettings, ...] = ()
    destinations: tuple[DestinationSettings, ...] = ()

    @_model_validator(mode="after")
    def _names_fit_together(self) -> "Settings":
        faults = []
        sources = [source.name for source in self.priors.sources]
        for key, names in (
            ("peers.ae_title", [peer.ae_title for peer in self.peers]),
            ("destinations.name", [destination.name for destination in self.destinations]),
            ("priors.sources.name", sources),
        ):
            duplicates = sorted({name for name in names if names.count(name) > 1})
            if duplicates:
                faults.append(f"{key} is given more than once: {', '.join(duplicates)}")
        unknown = sorted(set(self.arrivals.sources) - set(sources))
        if unknown:
            faults.append(f"arrivals.sources: no priors.sources is called {', '.join(unknown)}")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def compared_sources(self) -> tuple[PriorSourceSettings, ...]:
        """The archives whose lists are held against what has arrived."""
        if not self.arrivals.check:
            return ()
        wanted = self.arrivals.sources
        return tuple(
            source for source in self.priors.sources if not wanted or source.name in wanted
        )

    @property
    def zone(self) -> ZoneInfo | None:
        """The site's time zone; None, as `datetime.astimezone` takes it, for the machine's."""
        return ZoneInfo(self.node.time_zone) if self.node.time_zone else None

    @property
    def tracker_url(self) -> str:
        """SQLAlchemy URL of the tracker."""
        return self.database.url or f"sqlite:///{self.node.data_dir / 'tracker.sqlite'}"

    @property
    def work_dir(self) -> Path:
        """Where readings keep files between their steps; losing it costs time only."""
        return self.node.data_dir / "work"

    @property
    def engine_url(self) -> str:
        """SQLAlchemy URL of the durable engine's tables."""
        if self.database.engine_url:
            return self.database.engine_url
        return self.database.url or f"sqlite:///{self.node.data_dir / 'engine.sqlite'}"

    @property
    def profiles(self) -> dict[str, ProfileSettings]:
        """The different profiles of all destinations by key; without any, the default one.

        Results are made in any case, so that the operations page has them.
        """
        profiles = [destination.profile for destination in self.destinations] or [ProfileSettings()]
        return {profile.key: profile for profile in profiles}

    @property
    def reading_digest(self) -> str:
        """Digest of the settings that a reading's content depends on."""
        priors = f"{self.priors.count} {self.priors.minimum_age_days}"
        text = self.findings.model_dump_json() + self.detect.model_dump_json() + priors
        return hashlib.sha256((text + "".join(sorted(self.profiles))).encode()).hexdigest()

    def find_peer(self, ae_title: str) -> PeerSettings | None:
        """Return the settings of a calling AE title, or None if it has none."""
        return next((peer for peer in self.peers if peer.ae_title == ae_title), None)


ENVIRONMENT_PREFIX = "SECONDREAD__"


def load_settings(
    path: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings from a TOML file and the environment.

    Parameters
    ----------
    path
        The file; None for the defaults alone.
    environment
        Variables to look at; the process's own if None.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, or a key is unknown or has a wrong value. The
        message names the file, the key and the rule.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"settings file {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings file {path} is not valid TOML: {error}") from error
    variables, faults = _merge_environment(
        values, os.environ if environment is None else environment
    )
    base = path.resolve().parent if path is not None else Path.cwd()
    context = {"base": base}
    try:
        settings = Settings.model_validate(values, context=context)
    except ValidationError as error:
        for location, rule in list_faults(Settings, values, context):
            where = variables.get(location) or describe_location(location, values)
            faults += [f"{where}: {rule}"] if where else rule.splitlines()
        raise SettingsError(_join_faults(faults, path)) from error
    if faults:
        raise SettingsError(_join_faults(faults, path))
    data_dir = (base / settings.node.data_dir.expanduser()).resolve()
    return settings.model_copy(
        update={"node": settings.node.model_copy(update={"data_dir": data_dir})}
    )


def _merge_environment(
    values: dict[str, Any], environment: Mapping[str, str]
) -> tuple[dict[Location, str], list[str]]:
    """Put the variables into a document; return each one's name by its place, and what is wrong."""
    variables, faults = dict[Location, str](), list[str]()
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        parts = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        section = values.setdefault(parts[0], {}) if len(parts) == 2 and all(parts) else None
        if section is None:
            faults.append(f"{variable}: expected {ENVIRONMENT_PREFIX}SECTION__KEY")
        elif isinstance(section, dict):
            section[parts[1]] = text
            variables[parts[0], parts[1]] = f"environment variable {variable}"
        else:
            faults.append(f"{variable}: [[{parts[0]}]] is a list; set it in the file")
    return variables, faults


def _join_faults(faults: Sequence[str], path: Path | None) -> str:
    where = "settings" if path is None else f"settings file {path}"
    number = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
    return "\n  ".join([f"{where}: {number}", *faults])
