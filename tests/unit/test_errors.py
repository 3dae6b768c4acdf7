import socket

import pytest

from secondread.errors import HeaderError, describe_without_quoting, explain_port


def test_a_header_error_names_keyword_tag_fault_and_rule() -> None:
    error = HeaderError("SOPInstanceUID", "no UID", "components of digits")

    assert str(error) == "SOPInstanceUID (0008,0018) is no UID: components of digits"


def test_an_unexpected_error_is_described_by_type_and_place_without_its_text() -> None:
    with pytest.raises(ValueError, match="Doe") as raised:
        int("Doe^Jane")

    described = describe_without_quoting(raised.value)

    assert described.startswith("ValueError at test_errors.py:")
    assert "Doe" not in described


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "web.port {port} (web.host 127.0.0.1) is in use by another program"),
        ("192.0.2.1", "web.host 192.0.2.1 is no address of this machine"),
    ],
)
def test_a_port_that_cannot_be_listened_on_is_named_by_its_setting(host: str, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=r".") as raised:
            socket.create_server((host, port))
    error = explain_port(f"web.port {port}", f"web.host {host}", raised.value)
    assert str(error) == words.format(port=port)
