"""What to do about a refusal: where there are any, the settings lines that would let it in."""

import json

from pydantic import TypeAdapter, ValidationError

from secondread.reasons import Reason
from secondread.settings import AeTitle, Settings
from secondread.track.summaries import RefusalSummary

_AE_TITLE: TypeAdapter[str] = TypeAdapter(AeTitle)


def propose_settings(refusal: RefusalSummary, settings: Settings) -> str | None:
    """Return TOML for the settings file that lets the refused caller in.

    None where no setting would, or where the caller's words are no proper AE title.
    """
    title = refusal.calling_ae_title
    if not _is_ae_title(title):
        return None
    if refusal.reason is Reason.CALLING_AE_UNKNOWN:
        lines = ["[[peers]]", f"ae_title = {_quoted(title)}"]
        if refusal.address:
            lines.append(f"addresses = [{_quoted(refusal.address)}]")
        return "\n".join(lines)
    peer = settings.find_peer(title)
    if refusal.reason is Reason.ADDRESS_UNEXPECTED and peer is not None and refusal.address:
        addresses = [*peer.addresses, refusal.address]
        listed = ", ".join(_quoted(address) for address in addresses)
        return f"# under [[peers]] with ae_title = {_quoted(title)}\naddresses = [{listed}]"
    return None


def find_advice(refusal: RefusalSummary, settings: Settings) -> str | None:
    """Return what a person does about it at the other end; None where nothing is to be done."""
    own = settings.node.ae_title
    return {
        Reason.CALLED_AE_UNKNOWN: f"Let the peer call this node {own}.",
        Reason.TRANSFER_SYNTAX_REFUSED: "Let the peer also offer Explicit VR Little Endian.",
        Reason.SOP_CLASS_REFUSED: "Let the peer's routing rule send mammography only.",
        Reason.NOT_OURS: "Let the peer's routing rule send images only.",
        Reason.TOO_MANY_ASSOCIATIONS: "Raise receive.maximum_associations, or let the peer use "
        "fewer at a time.",
        Reason.STORAGE_FULL: "Make room on the archive's disk; the peer keeps its copy meanwhile.",
    }.get(refusal.reason)


def _is_ae_title(text: str) -> bool:
    try:
        _AE_TITLE.validate_python(text)
    except ValidationError:
        return False
    return True


def _quoted(text: str) -> str:
    # A JSON string of printable ASCII is a TOML basic string.
    return json.dumps(text)
