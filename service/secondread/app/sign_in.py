"""How the first person gets in: the token of the first start, and links that sign in once."""

import os
from datetime import datetime
from pathlib import Path

from secondread import log
from secondread.app.node import Node
from secondread.files import flush_folder
from secondread.settings import Role, WebSettings
from secondread.track.access import FIRST_TOKEN
from secondread.watch.exposure import describe_exposure

_log = log.get_logger(__name__)

TOKEN_FILE = "web-token"  # noqa: S105  (the name of a file)


def prepare_first_token(node: Node, now: datetime) -> None:
    """Make the first token when a node starts for the first time; name the file that has it."""
    path = get_token_file(node)

    def keep(token: str) -> None:
        _write_for_owner(path, token + "\n")

    if node.tracker.access.add_first_token(keep, now):
        _log.info("web_first_token_made", file=str(path))
    elif path.is_file():
        _log.info("web_first_token_kept", file=str(path))


def revoke_token(node: Node, name: str, by: str, now: datetime) -> None:
    """Revoke a token, and remove the file of the first one with it.

    Raises
    ------
    InputError
        No token in force has that name.
    """
    node.tracker.access.revoke_token(name, by, now)
    if name == FIRST_TOKEN:
        get_token_file(node).unlink(missing_ok=True)


def get_token_file(node: Node) -> Path:
    """Return the file with the token of the first start."""
    return node.settings.node.data_dir / TOKEN_FILE


def make_login_link(node: Node, name: str, role: Role, now: datetime) -> str:
    """Return an address that signs a browser in, once."""
    return (
        f"{get_base_url(node.settings.web)}/login/{node.tracker.access.add_link(name, role, now)}"
    )


def get_base_url(web: WebSettings) -> str:
    """Return how a browser reaches the pages, without a slash at the end.

    >>> get_base_url(WebSettings(host="0.0.0.0")), get_base_url(WebSettings(host="::1"))
    ('http://127.0.0.1:8042', 'http://[::1]:8042')
    """
    if web.public_url:
        return web.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(web.host, web.host)  # noqa: S104  (any address: this machine's own serves)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{web.port}"


def warn_of_exposure(web: WebSettings) -> None:
    """Log a warning where tokens and pages cross a network unencrypted."""
    warning = describe_exposure(web)
    if warning is not None:
        _log.warning("web_without_tls", detail=warning)


def _write_for_owner(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole and durably."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    # Not opened and then restricted: in between, others could open it.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    flush_folder(path.parent)
