"""When certificates expire, read from their files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from secondread.certificates import (
    find_earliest_expiry,
    list_certificate_uses,
    read_validities,
)
from secondread.errors import SettingsError
from secondread.settings import Settings
from tests.worlds.certificates import Authority, make_self_signed, run_openssl

pytestmark = pytest.mark.peer("openssl")


def expiry_by_openssl(certificate: Path) -> datetime:
    text = run_openssl("x509", "-in", certificate, "-noout", "-enddate").strip()
    return datetime.strptime(text, "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 400, 20_000])  # the last one ends after 2049
def test_the_expiry_is_the_one_that_openssl_reads(tmp_path: Path, days: int) -> None:
    pair = make_self_signed(tmp_path, "node", "node", days)
    assert find_earliest_expiry(pair.certificate) == expiry_by_openssl(pair.certificate)


def test_of_a_chain_the_first_that_ends_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("node", days=10)
    chain = tmp_path / "chain.pem"
    text = authority.certificate.read_text() + "between\n" + issued.certificate.read_text()
    chain.write_text(text)
    assert len(read_validities(chain)) == 2
    assert find_earliest_expiry(chain) == expiry_by_openssl(issued.certificate)


def test_a_file_without_a_certificate_is_an_error_that_names_it(tmp_path: Path) -> None:
    pair = make_self_signed(tmp_path, "node", "node")
    text = pair.certificate.read_text().splitlines()
    for name, content in {
        "key.pem": pair.key.read_text(),
        "empty.pem": "",
        "cut.pem": "\n".join([*text[:4], text[-1]]),
        "binary.pem": "\x00\xff" * 100,
        "nothing.pem": "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
    }.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(SettingsError, match=name):
            read_validities(tmp_path / name)
    with pytest.raises(SettingsError, match="No such file"):
        read_validities(tmp_path / "none.pem")


def test_every_file_of_the_settings_is_listed_with_its_user() -> None:
    address = {"host": "pacs", "port": 104, "ae_title": "PACS"}
    settings = Settings.model_validate(
        {
            "receive": {"tls": {"certificate": "a.pem", "key": "a.key", "trusted": "b.pem"}},
            "destinations": [{"name": "pacs", **address, "tls": True}],
            "audit": {"syslog": {"host": "logs", "trusted": "d.pem"}},
            "priors": {"sources": [{"name": "vna", **address, "tls": {"trusted": "c.pem"}}]},
        }
    )
    listed = [(use.user, use.role, str(use.file)) for use in list_certificate_uses(settings)]
    assert listed == [
        ("receiver", "certificate", "a.pem"),
        ("receiver", "trusted", "b.pem"),
        ("archive vna", "trusted", "c.pem"),
        ("audit syslog", "trusted", "d.pem"),
    ]
