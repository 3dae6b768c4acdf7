"""`secondread check`: whether everything is in place for the node to work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secondread.app.node import open_node, open_reader
from secondread.detect.detector import Detector
from secondread.detect.manifest import load
from secondread.errors import SecondreadError
from secondread.send.outbox import Address, AnswerKind
from secondread.send.scu import echo
from secondread.settings import DestinationSettings, Settings


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
        _disk(settings),
    ]
    answers += [_echo(settings, destination) for destination in settings.destinations]
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
    # Loading the graphs checks their digests and their shapes.
    Detector(load(settings.detect.manifest), settings.detect.threads)
    calibration = "calibrated" if model.calibrated else "certainty not calibrated"
    return f"{model.name} {model.version}, operating point {model.operating_point}, {calibration}"


def _disk(settings: Settings) -> Answer:
    free = open_node(settings).archive.free_bytes()
    needed = settings.receive.minimum_free_bytes
    text = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB is the minimum"
    return Answer("disk", free > needed, text)


def _echo(settings: Settings, destination: DestinationSettings) -> Answer:
    answer = echo(destination, settings.node.ae_title)
    where = f"{destination.ae_title}@{destination.host}:{destination.port}"
    return Answer(f"destination {destination.name} ({where})", answer.ok, answer.detail)


def _own_receiver(settings: Settings) -> Answer:
    # Called as the first peer would call it, because unknown titles are refused.
    title = settings.peers[0].ae_title if settings.peers else settings.node.ae_title
    host = "127.0.0.1" if settings.receive.host == "0.0.0.0" else settings.receive.host  # noqa: S104
    answer = echo(Address(settings.node.ae_title, host, settings.receive.port), title)
    what = f"own receiver ({host}:{settings.receive.port})"
    if answer.kind is AnswerKind.UNREACHABLE:
        return Answer(what, good=None, text="does not run; `secondread serve` starts it")
    return Answer(what, answer.ok, answer.detail)


def _hints(settings: Settings) -> Iterator[Answer]:
    if not settings.peers and settings.receive.unknown_peers == "refuse":
        yield Answer("peers", good=None, text="none may call: add [[peers]] with an ae_title")
    if not settings.destinations:
        yield Answer("destinations", good=None, text="none: results stay on the operations page")
