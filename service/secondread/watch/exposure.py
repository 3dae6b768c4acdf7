"""Whether the web server can be listened to on its way."""

import ipaddress

from secondread.settings import WebSettings


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is this machine's loopback.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def describe_exposure(web: WebSettings) -> str | None:
    """Return a warning where tokens and pages cross a network unencrypted; None where not.

    >>> describe_exposure(WebSettings()) is None
    True
    """
    if is_loopback(web.host) or web.is_behind_tls:
        return None
    return (
        f"The web server listens on {web.host} without TLS: tokens and patients' data cross the "
        "network as plain text. Put a proxy with TLS in front, listen on 127.0.0.1, and set "
        "web.public_url to its https address."
    )
