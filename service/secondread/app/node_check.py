"""`secondread check`: whether everything is in place for the node to work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secondread.accept.admission import Admission
from secondread.accept.server import create_server_tls_context
from secondread.app.node import check_gate_names, open_node, open_reader
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.errors import SecondreadError
from secondread.report.sr.wording import describe_operating_point
from secondread.send.commitment_request import check_commitment_support
from secondread.send.find import check_query_support
from secondread.send.outbox import AnswerKind, PeerAddress
from secondread.send.proof import build_query_address
from secondread.send.retrieve import check_retrieve_support
from secondread.send.scu import send_echo
from secondread.settings import (
    DestinationSettings,
    PriorSourceSettings,
    Proof,
    RetrieveMethod,
    Settings,
)
from secondread.track.database import Database


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    subject: str
    is_good: bool | None
    """None for a remark: nothing is wrong, and a person may want to know."""
    message: str


def check_node(settings: Settings) -> list[CheckResult]:
    """Check the parts of the node, each by using it, and every destination by C-ECHO."""
    answers = [
        _try("data folder and database", lambda: _database(settings)),
        _try("detector", lambda: _detector(settings)),
        _try("receiver's settings", lambda: _receiver(settings)),
        _try("durable engine's database", lambda: _engine(settings)),
        _disk(settings),
    ]
    for destination in settings.destinations:
        answers += [_echo(settings, destination), *_proof(settings, destination)]
    for source in settings.priors.active_sources:
        answers += _source(settings, source)
    answers.append(_own_receiver(settings))
    return answers + list(_hints(settings))


def _try(what: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(what, is_good=True, message=check())
    except SecondreadError as error:
        return CheckResult(what, is_good=False, message=str(error))


def _database(settings: Settings) -> str:
    node = open_node(settings)
    return f"{settings.node.data_dir}, installation {node.installation_id[:8]}"


def _detector(settings: Settings) -> str:
    model = open_reader(settings.detect, settings.findings).model
    check_gate_names(settings.detect.override_gates)
    # Loading the graphs checks their digests and their shapes.
    Detector(load_manifest(settings.detect.manifest), settings.detect.threads)
    calibration = "calibrated" if model.calibrated else "certainty not calibrated"
    return f"{model.name} {model.version}, {describe_operating_point(model)}, {calibration}"


def _receiver(settings: Settings) -> str:
    Admission.from_settings(settings)
    if settings.receive.tls is None:
        return f"{len(settings.peers)} peers, unknown ones: {settings.receive.unknown_peers}"
    create_server_tls_context(settings.receive.tls)
    return f"{len(settings.peers)} peers, TLS"


def _engine(settings: Settings) -> str:
    database = Database(settings.engine_url)
    try:
        database.ping()
    finally:
        database.close()
    return "answers"


def _disk(settings: Settings) -> CheckResult:
    free = open_node(settings).archive.measure_free_bytes()
    needed = settings.receive.minimum_free_bytes
    text = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB is the minimum"
    return CheckResult("disk", free > needed, text)


def _echo(settings: Settings, destination: DestinationSettings) -> CheckResult:
    answer = send_echo(destination, settings.node.ae_title)
    where = f"{destination.ae_title}@{destination.host}:{destination.port}"
    return CheckResult(f"destination {destination.name} ({where})", answer.ok, answer.detail)


def _proof(settings: Settings, destination: DestinationSettings) -> Iterator[CheckResult]:
    """Ask whether a destination offers the proof of delivery that is wanted of it."""
    what = f"destination {destination.name}, proof {destination.proof.value}"
    match destination.proof:
        case Proof.COMMITMENT:
            answer = check_commitment_support(destination, settings.node.ae_title)
            yield CheckResult(what, answer.ok, answer.detail)
        case Proof.QUERY:
            answer = check_query_support(build_query_address(destination), settings.node.ae_title)
            yield CheckResult(what, answer.ok, answer.detail)
        case Proof.STORE_STATUS:
            text = 'the weakest there is; proof = "commitment" or "query" where it offers either'
            yield CheckResult(what, is_good=None, message=text)


def _source(settings: Settings, source: PriorSourceSettings) -> Iterator[CheckResult]:
    """Ask whether an archive answers, and offers what fetching priors from it needs."""
    title = settings.node.ae_title
    what = f"archive {source.name}"
    answer = send_echo(source, title)
    where = f"{source.ae_title}@{source.host}:{source.port}"
    yield CheckResult(f"{what} ({where})", answer.ok, answer.detail)
    if not answer.ok:
        return
    query = check_query_support(source, title, "priors cannot be looked for there")
    yield CheckResult(f"{what}, query", query.ok, query.detail)
    offered = check_retrieve_support(source, title)
    yield CheckResult(f"{what}, retrieval", offered.ok, offered.detail)
    if source.retrieve is RetrieveMethod.MOVE:
        if (
            settings.find_peer(source.ae_title) is None
            and settings.receive.unknown_peers == "refuse"
        ):
            words = f"calls this node to deliver: add [[peers]] with ae_title {source.ae_title}"
            yield CheckResult(f"{what}, peers", is_good=False, message=words)
        words = f"has to know {title} with the host and port of this node; only a move shows it"
        yield CheckResult(f"{what}, C-MOVE", is_good=None, message=words)


def _own_receiver(settings: Settings) -> CheckResult:
    # Called as the first peer would call it, because unknown titles are refused.
    title = settings.peers[0].ae_title if settings.peers else settings.node.ae_title
    host = "127.0.0.1" if settings.receive.host == "0.0.0.0" else settings.receive.host  # noqa: S104
    address = PeerAddress(
        settings.node.ae_title, host, settings.receive.port, tls=settings.receive.tls
    )
    answer = send_echo(address, title)
    what = f"own receiver ({host}:{settings.receive.port})"
    if answer.kind is AnswerKind.UNREACHABLE:
        return CheckResult(what, is_good=None, message="does not run; `secondread serve` starts it")
    if answer.kind is AnswerKind.REJECTED:
        # Right, if the peer may call from its own address only.
        return CheckResult(
            what,
            is_good=None,
            message=f"runs; from this machine it answers {title}: {answer.detail}",
        )
    return CheckResult(what, answer.ok, answer.detail)


def _hints(settings: Settings) -> Iterator[CheckResult]:
    if not settings.peers and settings.receive.unknown_peers == "refuse":
        yield CheckResult(
            "peers", is_good=None, message="none may call: add [[peers]] with an ae_title"
        )
    if not settings.destinations:
        yield CheckResult(
            "destinations", is_good=None, message="none: results stay on the operations page"
        )
