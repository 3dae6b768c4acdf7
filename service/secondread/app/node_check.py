"""`secondread check`: whether everything is in place for the node to work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secondread.accept.admission import Admission
from secondread.accept.application_entity import WAITING_CONNECTIONS
from secondread.accept.archive import Archive
from secondread.accept.descriptors import provide_descriptors
from secondread.app.certificate_watch import describe_expiry, list_called
from secondread.app.data_folder import prepare_data_folder
from secondread.app.node import check_engine_database, open_node
from secondread.app.point_costs import describe_costs
from secondread.app.reader import check_gate_names, open_reader
from secondread.app.sign_in import TOKEN_FILE, get_base_url
from secondread.certificates import (
    CertificateUse,
    find_earliest_expiry,
    is_open_to_others,
    list_certificate_uses,
    list_keys,
)
from secondread.clock import utc_now
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.errors import SecondreadError, SettingsError, StorageFullError
from secondread.report.sr.header import RESULT_SERIES, RESULT_SYNTAX
from secondread.report.sr.wording import describe_operating_point
from secondread.send.commitment_request import check_commitment_support
from secondread.send.find import check_query_support
from secondread.send.outbox import AnswerKind, PeerAddress, PeerCheck
from secondread.send.proof import build_query_address
from secondread.send.retrieve import check_move_destination, check_retrieve_support
from secondread.send.scu import check_storage_support, send_echo
from secondread.settings import (
    CallTlsSettings,
    DestinationSettings,
    PriorSourceSettings,
    Proof,
    RetrieveMethod,
    Settings,
    TlsSettings,
)
from secondread.tls import open_server_context
from secondread.watch.exposure import describe_exposure


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    subject: str
    is_good: bool | None
    """None for a remark: nothing is wrong, and a person may want to know."""
    message: str


def check_node(settings: Settings) -> list[CheckResult]:
    """Check the parts of the node, each by using it, and call every destination and archive."""
    results = [
        *_check_privacy(settings),
        _run_check("data folder and database", lambda: _check_database(settings)),
        _run_check("detector", lambda: _check_detector(settings)),
        *_list_costs(settings),
        _run_check("receiver's settings", lambda: _check_receiver_settings(settings)),
        _run_check("durable engine's database", lambda: _check_engine(settings)),
        _run_check("disk", lambda: _check_disk(settings)),
        *_check_certificates(settings),
    ]
    for destination in settings.destinations:
        results += _check_destination(settings, destination)
    for source in settings.priors.active_sources:
        results += _check_source(settings, source)
    results.append(_check_own_receiver(settings))
    results.append(_check_web(settings))
    return [*results, *_list_hints(settings)]


def _run_check(subject: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(subject, is_good=True, message=check())
    except SecondreadError as error:
        return CheckResult(subject, is_good=False, message=str(error))
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        return CheckResult(subject, is_good=False, message=text)


def _check_privacy(settings: Settings) -> Iterator[CheckResult]:
    """Have data folder and databases be private; first, because every other check opens them."""
    try:
        for found in prepare_data_folder(settings):
            # What is mended is only worth a remark.
            is_good = None if found.is_tightened else False
            yield CheckResult("access by other users", is_good, str(found))
    except SettingsError as error:
        yield CheckResult("data folder", is_good=False, message=str(error))


def _check_database(settings: Settings) -> str:
    node = open_node(settings)
    return f"{settings.node.data_dir}, installation {node.installation_id[:8]}"


def _check_detector(settings: Settings) -> str:
    model = open_reader(settings.detect, settings.findings).model
    check_gate_names(settings.detect.override_gates)
    # Loading the graphs checks their digests and their shapes.
    Detector(load_manifest(settings.detect.manifest), settings.detect.threads)
    calibration = "calibrated" if model.calibrated else "certainty not calibrated"
    return f"{model.name} {model.version}, {describe_operating_point(model)}, {calibration}"


def _list_costs(settings: Settings) -> Iterator[CheckResult]:
    """State what the operating point in force costs; nothing where that is not stated."""
    try:
        manifest = load_manifest(settings.detect.manifest, settings.detect.site_calibration)
        point = manifest.find_operating_point(settings.findings.operating_point)
    except SecondreadError:
        return  # the check of the detector says why
    for line in describe_costs(point):
        message = f"{line} (on {point.costs_on})"
        yield CheckResult(f"operating point {point.number}", is_good=None, message=message)


def _check_receiver_settings(settings: Settings) -> str:
    Admission.from_settings(settings)
    provide_descriptors(settings.receive.maximum_associations + WAITING_CONNECTIONS)
    if settings.receive.tls is None:
        return f"{len(settings.peers)} peers, unknown ones: {settings.receive.unknown_peers}"
    open_server_context(settings.receive.tls)
    shows = "with" if settings.receive.tls.trusted else "without"
    return f"{len(settings.peers)} peers, TLS {shows} certificates of peers"


def _check_engine(settings: Settings) -> str:
    check_engine_database(settings)
    return "answers"


def _check_disk(settings: Settings) -> str:
    archive = Archive(settings.node.data_dir)
    archive.create()
    free, needed = archive.measure_free_bytes(), settings.receive.minimum_free_bytes
    text = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB is the minimum"
    if free <= needed:
        raise StorageFullError(f"{text} (receive.minimum_free_bytes)")
    return text


def _check_certificates(settings: Settings) -> Iterator[CheckResult]:
    """Check the files of all users of TLS, and until when what is in them is valid."""
    for user, open_context in list_called(settings).items():
        try:
            open_context()
        except SettingsError as error:
            yield CheckResult(f"certificates, {user}", is_good=False, message=str(error))
    for use in list_certificate_uses(settings):
        yield _check_expiry(use)
    for key in list_keys(settings):
        if is_open_to_others(key):
            text = "other users can read this private key: chmod 600, owned by the node's user"
            yield CheckResult(f"key {key}", is_good=None, message=text)


def _check_expiry(use: CertificateUse) -> CheckResult:
    subject = f"certificate, {use.user} (tls.{use.role})"
    try:
        expires_at = find_earliest_expiry(use.file)
    except SettingsError as error:
        return CheckResult(subject, is_good=False, message=str(error))
    now = utc_now()
    alarm = describe_expiry(use, expires_at, now)
    if alarm is not None:
        is_good = False if expires_at <= now else None
        return CheckResult(subject, is_good=is_good, message=alarm[0])
    return CheckResult(subject, is_good=True, message=f"valid until {expires_at:%Y-%m-%d}")


def _report_echo(
    subject: str, peer: DestinationSettings | PriorSourceSettings, answer: PeerCheck
) -> CheckResult:
    where = f"{peer.ae_title}@{peer.host}:{peer.port}"
    return CheckResult(f"{subject} ({where})", answer.ok, answer.detail)


def _check_destination(
    settings: Settings, destination: DestinationSettings
) -> Iterator[CheckResult]:
    """Check that a destination answers, takes what its profile sends, and offers its proof."""
    title, subject = settings.node.ae_title, f"destination {destination.name}"
    echo = send_echo(destination, title)
    yield _report_echo(subject, destination, echo)
    if echo.kind is None or not echo.kind.concerns_the_peer:
        yield _check_storage(subject, destination, title)
    subject = f"{subject}, proof {destination.proof.value}"
    match destination.proof:
        case Proof.COMMITMENT:
            answer = check_commitment_support(destination, title)
            words = f"; it has to know {title} with host and port of this node, to report there"
            yield CheckResult(subject, answer.ok, answer.detail + (words if answer.ok else ""))
        case Proof.QUERY:
            answer = check_query_support(build_query_address(destination), title)
            yield CheckResult(subject, answer.ok, answer.detail)
        case Proof.STORE_STATUS:
            text = 'the weakest there is; proof = "commitment" or "query" where it offers either'
            yield CheckResult(subject, is_good=None, message=text)


def _check_storage(
    subject: str, destination: DestinationSettings, calling_ae_title: str
) -> CheckResult:
    """Propose what the destination's profile sends."""
    kinds = destination.profile.objects
    classes = {str(RESULT_SERIES[kind].sop_class): kind.value for kind in kinds}
    answer = check_storage_support(destination, calling_ae_title, classes, RESULT_SYNTAX)
    return CheckResult(f"{subject}, results", answer.ok, answer.detail)


def _check_source(settings: Settings, source: PriorSourceSettings) -> Iterator[CheckResult]:
    """Check that an archive answers, and offers what fetching priors from it needs."""
    title, subject = settings.node.ae_title, f"archive {source.name}"
    echo = send_echo(source, title)
    yield _report_echo(subject, source, echo)
    if not echo.ok:
        return
    query = check_query_support(source, title, "priors cannot be looked for there")
    yield CheckResult(f"{subject}, query", query.ok, query.detail)
    retrieval = check_retrieve_support(source, title)
    yield CheckResult(f"{subject}, retrieval", retrieval.ok, retrieval.detail)
    if retrieval.ok and source.retrieve is RetrieveMethod.MOVE:
        move = check_move_destination(source, title)
        yield CheckResult(f"{subject}, C-MOVE", move.ok, move.detail)
    if source.retrieve is RetrieveMethod.MOVE:
        is_known = settings.find_peer(source.ae_title) is not None
        if not is_known and settings.receive.unknown_peers == "refuse":
            text = f"calls this node to deliver: add [[peers]] with ae_title {source.ae_title}"
            yield CheckResult(f"{subject}, peers", is_good=False, message=text)


def _check_own_receiver(settings: Settings) -> CheckResult:
    # Called as the first peer would call it, because unknown titles are refused.
    title = settings.peers[0].ae_title if settings.peers else settings.node.ae_title
    receive = settings.receive
    host = "127.0.0.1" if receive.host == "0.0.0.0" else receive.host  # noqa: S104
    tls = None if receive.tls is None else _trust_own_certificate(receive.tls)
    address = PeerAddress(settings.node.ae_title, host, receive.port, tls=tls)
    answer = send_echo(address, title)
    subject = f"own receiver ({host}:{receive.port})"
    if answer.kind is AnswerKind.UNREACHABLE:
        text = "does not run; `secondread serve` starts it"
        return CheckResult(subject, is_good=None, message=text)
    if answer.kind is AnswerKind.REJECTED:
        # Right, if the peer may call from its own address only.
        text = f"runs; from this machine it answers {title}: {answer.detail}"
        return CheckResult(subject, is_good=None, message=text)
    if answer.kind is AnswerKind.TLS and receive.tls is not None and receive.tls.trusted:
        # Peers have to show a certificate, and the node's own need not be among those it trusts.
        text = f"runs; from this machine: {answer.detail}"
        return CheckResult(subject, is_good=None, message=text)
    return CheckResult(subject, answer.ok, answer.detail)


def _trust_own_certificate(tls: TlsSettings) -> CallTlsSettings:
    """Return how the node calls itself: by an address that its certificate need not name."""
    return CallTlsSettings(
        certificate=tls.certificate,
        key=tls.key,
        trusted=tls.certificate,
        check_server_name=False,
    )


def _check_web(settings: Settings) -> CheckResult:
    """Say how a person gets in, and whether others can listen."""
    subject = f"operations page ({get_base_url(settings.web)})"
    warning = describe_exposure(settings.web)
    if warning is not None:
        return CheckResult(subject, is_good=None, message=warning)
    file = settings.node.data_dir / TOKEN_FILE
    where = f"the first token is in {file}; " if file.is_file() else ""
    text = f"{where}`secondread web login` prints a link that signs in once"
    return CheckResult(subject, is_good=None, message=text)


def _list_hints(settings: Settings) -> Iterator[CheckResult]:
    if not settings.peers and settings.receive.unknown_peers == "refuse":
        yield CheckResult(
            "peers", is_good=None, message="none may call: add [[peers]] with an ae_title"
        )
    if not settings.destinations:
        yield CheckResult(
            "destinations", is_good=None, message="none: results stay on the operations page"
        )
