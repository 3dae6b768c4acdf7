"""`secondread check`: whether everything is in place for the node to work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secondread.accept.admission import Admission
from secondread.accept.server import server_tls
from secondread.app.node import gate_names, open_node, open_reader
from secondread.detect.detector import Detector
from secondread.detect.manifest import load
from secondread.errors import SecondreadError
from secondread.report.wording import operating_point
from secondread.send.commitment import offers_commitment
from secondread.send.find import offers_query
from secondread.send.outbox import Address, AnswerKind
from secondread.send.proof import query_address
from secondread.send.retrieve import offers_retrieve
from secondread.send.scu import echo
from secondread.settings import DestinationSettings, PriorSourceSettings, Proof, Retrieve, Settings
from secondread.track.database import Database


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check found."""

    what: str
    good: bool | None
    """None for a remark: nothing is wrong, and a person may want to know."""
    text: str


def run(settings: Settings) -> list[Answer]:
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
    for source in settings.priors.asked:
        answers += _source(settings, source)
    answers.append(_own_receiver(settings))
    return answers + list(_hints(settings))


def _try(what: str, check: Callable[[], str]) -> Answer:
    try:
        return Answer(what, good=True, text=check())
    except SecondreadError as error:
        return Answer(what, good=False, text=str(error))


def _database(settings: Settings) -> str:
    node = open_node(settings)
    return f"{settings.node.data_dir}, installation {node.installation_id[:8]}"


def _detector(settings: Settings) -> str:
    model = open_reader(settings.detect, settings.findings).model
    gate_names(settings.detect.override_gates)
    # Loading the graphs checks their digests and their shapes.
    Detector(load(settings.detect.manifest), settings.detect.threads)
    calibration = "calibrated" if model.calibrated else "certainty not calibrated"
    return f"{model.name} {model.version}, {operating_point(model)}, {calibration}"


def _receiver(settings: Settings) -> str:
    Admission.from_settings(settings)
    if settings.receive.tls is None:
        return f"{len(settings.peers)} peers, unknown ones: {settings.receive.unknown_peers}"
    server_tls(settings.receive.tls)
    return f"{len(settings.peers)} peers, TLS"


def _engine(settings: Settings) -> str:
    database = Database(settings.engine_url)
    try:
        database.ping()
    finally:
        database.close()
    return "answers"


def _disk(settings: Settings) -> Answer:
    free = open_node(settings).archive.free_bytes()
    needed = settings.receive.minimum_free_bytes
    text = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB is the minimum"
    return Answer("disk", free > needed, text)


def _echo(settings: Settings, destination: DestinationSettings) -> Answer:
    answer = echo(destination, settings.node.ae_title)
    where = f"{destination.ae_title}@{destination.host}:{destination.port}"
    return Answer(f"destination {destination.name} ({where})", answer.ok, answer.detail)


def _proof(settings: Settings, destination: DestinationSettings) -> Iterator[Answer]:
    """Ask whether a destination offers the proof of delivery that is wanted of it."""
    what = f"destination {destination.name}, proof {destination.proof.value}"
    match destination.proof:
        case Proof.COMMITMENT:
            answer = offers_commitment(destination, settings.node.ae_title)
            yield Answer(what, answer.ok, answer.detail)
        case Proof.QUERY:
            answer = offers_query(query_address(destination), settings.node.ae_title)
            yield Answer(what, answer.ok, answer.detail)
        case Proof.STORE_STATUS:
            text = 'the weakest there is; proof = "commitment" or "query" where it offers either'
            yield Answer(what, good=None, text=text)


def _source(settings: Settings, source: PriorSourceSettings) -> Iterator[Answer]:
    """Ask whether an archive answers, and offers what fetching priors from it needs."""
    title = settings.node.ae_title
    what = f"archive {source.name}"
    answer = echo(source, title)
    where = f"{source.ae_title}@{source.host}:{source.port}"
    yield Answer(f"{what} ({where})", answer.ok, answer.detail)
    if not answer.ok:
        return
    query = offers_query(source, title, "priors cannot be looked for there")
    yield Answer(f"{what}, query", query.ok, query.detail)
    offered = offers_retrieve(source, title)
    yield Answer(f"{what}, retrieval", offered.ok, offered.detail)
    if source.retrieve is Retrieve.MOVE:
        if settings.peer(source.ae_title) is None and settings.receive.unknown_peers == "refuse":
            words = f"calls this node to deliver: add [[peers]] with ae_title {source.ae_title}"
            yield Answer(f"{what}, peers", good=False, text=words)
        words = f"has to know {title} with the host and port of this node; only a move shows it"
        yield Answer(f"{what}, C-MOVE", good=None, text=words)


def _own_receiver(settings: Settings) -> Answer:
    # Called as the first peer would call it, because unknown titles are refused.
    title = settings.peers[0].ae_title if settings.peers else settings.node.ae_title
    host = "127.0.0.1" if settings.receive.host == "0.0.0.0" else settings.receive.host  # noqa: S104
    address = Address(settings.node.ae_title, host, settings.receive.port, tls=settings.receive.tls)
    answer = echo(address, title)
    what = f"own receiver ({host}:{settings.receive.port})"
    if answer.kind is AnswerKind.UNREACHABLE:
        return Answer(what, good=None, text="does not run; `secondread serve` starts it")
    if answer.kind is AnswerKind.REJECTED:
        # Right, if the peer may call from its own address only.
        return Answer(
            what, good=None, text=f"runs; from this machine it answers {title}: {answer.detail}"
        )
    return Answer(what, answer.ok, answer.detail)


def _hints(settings: Settings) -> Iterator[Answer]:
    if not settings.peers and settings.receive.unknown_peers == "refuse":
        yield Answer("peers", good=None, text="none may call: add [[peers]] with an ae_title")
    if not settings.destinations:
        yield Answer("destinations", good=None, text="none: results stay on the operations page")
