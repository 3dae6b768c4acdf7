"""What is spoken over TLS, how files are taken up anew, and words for what fails."""

import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.errors import SettingsError
from secondread.settings import CallTlsSettings, TlsSettings
from secondread.tls import (
    CIPHER_SUITES,
    explain_failure,
    get_client_context,
    open_client_context,
    open_server_context,
)
from tests.worlds.certificates import Authority, KeyPair, make_self_signed, run_openssl

pytestmark = pytest.mark.peer("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def node(authority: Authority) -> KeyPair:
    return authority.issue("node")


@pytest.fixture(scope="module")
def peer(authority: Authority) -> KeyPair:
    return authority.issue("peer")


def as_server(pair: KeyPair, trusted: Path | None = None) -> ssl.SSLContext:
    settings = TlsSettings(certificate=pair.certificate, key=pair.key, trusted=trusted)
    return open_server_context(settings).context


def as_client(trusted: Path, pair: KeyPair | None = None, **options: object) -> ssl.SSLContext:
    files = {"trusted": trusted} | ({} if pair is None else pair.files)
    return get_client_context(CallTlsSettings.model_validate(files | options))


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str = "127.0.0.1"
) -> tuple[ssl.SSLObject, list[str]]:
    """Let two contexts shake hands; return the client's side, and in words what failed."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    called = client.wrap_bio(to_client, to_server, server_hostname=name)
    sides = [called, server.wrap_bio(to_server, to_client, server_side=True)]
    failures: list[str] = []
    for _ in range(6):
        for side in list(sides):
            try:
                side.do_handshake()
                # In TLS 1.3 the client learns only now what the server thinks of its certificate.
                side.read(1)
            except ssl.SSLWantReadError:
                pass
            except OSError as error:
                failures.append(explain_failure(error))
                sides.remove(side)
    return called, failures


def test_the_newest_version_is_spoken(authority: Authority, node: KeyPair) -> None:
    called, failures = shake_hands(as_server(node), as_client(authority.certificate))
    assert failures == []
    assert called.version() == "TLSv1.3"
    assert called.compression() is None


@pytest.mark.parametrize("suite", [name for name in CIPHER_SUITES if "ECDSA" in name])
def test_a_client_of_tls_1_2_gets_each_suite_of_the_profile(
    authority: Authority, node: KeyPair, suite: str
) -> None:
    client = ssl.create_default_context(cafile=str(authority.certificate))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    called, failures = shake_hands(as_server(node), client)
    assert failures == []
    assert (called.version(), (called.cipher() or ("",))[0]) == ("TLSv1.2", suite)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("version", "ciphers", "words"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", "no common version"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA", "no common cipher suite"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384", "no common cipher suite"),
    ],
)
def test_what_bcp_195_gives_up_is_refused_as_server_and_as_client(
    authority: Authority, node: KeyPair, version: ssl.TLSVersion, ciphers: str, words: str
) -> None:
    def weaken(context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers(ciphers)
        return context

    client = weaken(ssl.create_default_context(cafile=str(authority.certificate)))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(node.certificate, node.key)
    assert shake_hands(weaken(server), client)[1] == []  # they could, between themselves

    for pair in ((as_server(node), client), (server, as_client(authority.certificate))):
        _, failures = shake_hands(*pair)
        assert any(words in failure for failure in failures), failures


def test_neither_side_renegotiates(authority: Authority, node: KeyPair) -> None:
    for context in (as_server(node), as_client(authority.certificate)):
        wanted = ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        assert context.options & wanted == wanted


def test_with_trusted_ones_a_peer_must_show_a_certificate(
    authority: Authority, node: KeyPair, peer: KeyPair
) -> None:
    server = as_server(node, authority.certificate)
    assert shake_hands(server, as_client(authority.certificate, peer))[1] == []
    _, failures = shake_hands(server, as_client(authority.certificate))
    assert failures == [
        "the peer shows no certificate, and has to",
        "the peer demands a certificate of this node",
    ]


def test_a_peer_s_own_certificate_among_the_trusted_ones_is_trusted(
    authority: Authority, node: KeyPair, peer: KeyPair
) -> None:
    server = as_server(node, peer.certificate)
    assert shake_hands(server, as_client(node.certificate, peer))[1] == []
    assert shake_hands(server, as_client(node.certificate, node))[1] != []


def test_the_words_say_what_is_wrong_with_a_certificate(
    authority: Authority, node: KeyPair, tmp_path: Path
) -> None:
    stranger = make_self_signed(tmp_path, "stranger", "stranger")
    expired = authority.issue("expired", days=-1)
    cases: list[tuple[ssl.SSLContext, ssl.SSLContext, str, list[str]]] = [
        (
            as_server(stranger),
            as_client(authority.certificate),
            "127.0.0.1",
            ["nor its CA is among", "does not accept this node's certificate"],
        ),
        (
            as_server(node, authority.certificate),
            as_client(authority.certificate, stranger),
            "127.0.0.1",
            ["nor its CA is among", "does not accept this node's certificate"],
        ),
        (
            as_server(expired),
            as_client(authority.certificate),
            "127.0.0.1",
            ["it has expired", "does not accept this node's certificate"],
        ),
        (
            as_server(node),
            as_client(authority.certificate),
            "pacs.hospital",
            ["names another host", "does not accept this node's certificate"],
        ),
        (as_server(node), as_client(authority.certificate), "10.0.0.1", ["another address"]),
    ]
    for server, client, name, expected in cases:
        _, failures = shake_hands(server, client, name)
        for words in expected:
            assert any(words in failure for failure in failures), (words, failures)


def test_a_name_that_is_not_checked_may_be_another(authority: Authority, node: KeyPair) -> None:
    client = as_client(authority.certificate, check_server_name=False)
    assert shake_hands(as_server(node), client, "pacs.hospital")[1] == []


@pytest.mark.parametrize(
    "greeting",
    [
        b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00SECONDREAD      MOD             " + bytes(200),
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(300),
    ],
)
def test_another_protocol_is_called_that(node: KeyPair, greeting: bytes) -> None:
    incoming = ssl.MemoryBIO()
    server = as_server(node).wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    incoming.write(greeting)
    with pytest.raises(ssl.SSLError) as caught:
        server.do_handshake()
    assert "does not speak TLS" in explain_failure(caught.value)


def read_serial(context: ssl.SSLContext) -> object:
    """The certificate that a server shows."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    called, _ = shake_hands(context, client)
    return called.getpeercert(binary_form=True)


def replace_pair(target: KeyPair, source: KeyPair) -> None:
    shutil.copy(source.certificate, target.certificate)
    shutil.copy(source.key, target.key)


def test_changed_files_are_taken_up_and_broken_ones_are_not(
    authority: Authority, node: KeyPair, peer: KeyPair, tmp_path: Path
) -> None:
    pair = KeyPair(tmp_path / "cert.pem", tmp_path / "key.pem")
    replace_pair(pair, node)
    opened = open_server_context(TlsSettings(certificate=pair.certificate, key=pair.key))
    first = read_serial(opened.context)
    assert not opened.refresh()

    for breaking in (
        lambda: pair.certificate.write_text("half a certif"),
        lambda: shutil.copy(peer.certificate, pair.certificate),  # its key comes later
        pair.key.unlink,
    ):
        breaking()
        for _ in range(2):
            with pytest.raises(SettingsError, match=r"receive\.tls"):
                opened.refresh()
        assert read_serial(opened.context) == first

    replace_pair(pair, peer)
    assert opened.refresh()
    assert not opened.refresh()
    assert read_serial(opened.context) != first


def test_calls_take_up_changed_files_and_go_on_with_the_old_ones_where_those_are_broken(
    authority: Authority, node: KeyPair, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(make_self_signed(tmp_path, "other", "other").certificate, trusted)
    assert shake_hands(as_server(node), as_client(trusted))[1] != []
    shutil.copy(authority.certificate, trusted)
    assert shake_hands(as_server(node), as_client(trusted))[1] == []
    trusted.write_text("half a certif")
    assert shake_hands(as_server(node), as_client(trusted))[1] == []


def encrypt_key(pair: KeyPair) -> None:
    plain = pair.key.with_suffix(".plain")
    pair.key.rename(plain)
    run_openssl("pkey", "-in", plain, "-aes128", "-passout", "pass:secret", "-out", pair.key)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda pair: pair.certificate.unlink(), "cert.pem: No such file"),
        (lambda pair: pair.key.unlink(), "key.pem: No such file"),
        (lambda pair: pair.key.write_text(""), "not PEM, or an encrypted key"),
        (encrypt_key, "encrypted key"),
        (lambda pair: pair.certificate.write_bytes(pair.key.read_bytes()), "not PEM"),
    ],
)
def test_files_that_cannot_be_used_are_named_and_nobody_is_asked_for_a_password(
    node: KeyPair, tmp_path: Path, spoil: Callable[[KeyPair], object], words: str
) -> None:
    pair = KeyPair(tmp_path / "cert.pem", tmp_path / "key.pem")
    replace_pair(pair, node)
    spoil(pair)
    with pytest.raises(SettingsError, match=words):
        as_server(pair)
    with pytest.raises(SettingsError, match=words):
        open_client_context(CallTlsSettings(certificate=pair.certificate, key=pair.key))


def test_a_key_of_another_certificate_is_told(node: KeyPair, peer: KeyPair) -> None:
    with pytest.raises(SettingsError, match="not that of the certificate"):
        as_server(KeyPair(node.certificate, peer.key))
