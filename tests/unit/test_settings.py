from pathlib import Path

import pytest

from secondread.errors import SettingsError
from secondread.settings import (
    PRESETS,
    CallTlsSettings,
    DestinationMode,
    ObjectKind,
    Preset,
    ProfileSettings,
    RetrieveMethod,
    Role,
    WebSettings,
    load_settings,
)

_SOURCE = '[[priors.sources]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nport = 104\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "secondread.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_valid_and_safe(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})

    assert settings.receive.unknown_peers == "refuse"
    assert settings.web.host == "127.0.0.1"
    assert settings.peers == ()


def test_a_new_destination_starts_in_shadow(tmp_path: Path) -> None:
    text = '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nport = 104\n'

    assert (
        load_settings(write(tmp_path, text), {}).destinations[0].initial_mode
        is DestinationMode.SHADOW
    )


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[receive]\nport = 104\n")

    assert load_settings(path, {"SECONDREAD__RECEIVE__PORT": "11113"}).receive.port == 11113


TLS = """
[receive.tls]
certificate = "tls/node.pem"
key = "/etc/node.key"
[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "pacs"
port = 104
tls = {value}
"""


def test_certificate_files_lie_beside_the_file(tmp_path: Path) -> None:
    text = TLS.replace("{value}", '{ trusted = "tls/ca.pem" }')
    settings = load_settings(write(tmp_path, text), {})
    assert settings.receive.tls is not None
    assert settings.receive.tls.certificate == tmp_path / "tls" / "node.pem"
    assert settings.receive.tls.key == Path("/etc/node.key")
    assert settings.destinations[0].tls == CallTlsSettings(trusted=tmp_path / "tls" / "ca.pem")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", CallTlsSettings()), ("false", None), ("{}", CallTlsSettings())],
)
def test_a_peer_is_called_over_tls_by_a_switch(
    tmp_path: Path, value: str, expected: CallTlsSettings | None
) -> None:
    settings = load_settings(write(tmp_path, TLS.replace("{value}", value)), {})
    assert settings.destinations[0].tls == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{ certificate = "a.pem" }', "given together"),
        ("{ check_server_name = false }", "needs trusted"),
        ('"yes"', "tls"),
    ],
)
def test_settings_of_tls_that_make_no_sense_are_refused(
    tmp_path: Path, value: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(write(tmp_path, TLS.replace("{value}", value)), {})


def test_a_relative_data_folder_lies_beside_the_file(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, ""), {}).node.data_dir == tmp_path / "secondread-data"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[receive]\nprot = 104\n", "receive.prot"),
        ("[receive]\nport = 70000\n", "receive.port"),
        (
            '[[peers]]\nae_title = "THIS TITLE IS TOO LONG"\n',
            "peers, entry 1 (THIS TITLE IS TOO LONG): ae_title: has to be at most 16 characters",
        ),
        ('[[peers]]\nae_title = "A"\n[[peers]]\nae_title = "A"\n', "more than once: A"),
        ("[receive\n", "not valid TOML"),
        ('[[peers]]\nae_title = "A"\naddresses = ["10.0.0.999"]\n', "10.0.0.999"),
        ("[priors]\nwait_seconds = -1\n", "priors.wait_seconds"),
        ("[priors]\nminimum_age_days = 400\nmaximum_age_days = 300\n", "maximum_age_days"),
        (
            '[[priors.sources]]\nname = "pacs"\n',
            "priors.sources, entry 1 (pacs): host: is not given, and has no default",
        ),
        (2 * _SOURCE, "more than once: pacs"),
        ('[node]\ntime_zone = "Europe/Atlantis"\n', "node.time_zone"),
        ("[assemble]\nsettle_second = 2\n", "did you mean `settle_seconds`?"),
        ("[receive]\nsettle_seconds = 2\n", "it belongs into [assemble]"),
        ("[receiver]\nport = 2\n", "unknown section: did you mean `receive`?"),
        ('[receive]\nport = "x"\n', "receive.port: has to be a whole number, not 'x'"),
        ('[peers]\nae_title = "A"\n', "is a list of tables: [[peers]]"),
        ('[log]\nlevel = "loud"\n', "'info', 'warning' or 'error', not 'loud'"),
    ],
)
def test_a_fault_is_named_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(SettingsError) as error:
        load_settings(path, {})

    assert named in str(error.value)
    assert str(path) in str(error.value)


def test_all_faults_are_named_at_once_those_between_keys_as_well(tmp_path: Path) -> None:
    text = (
        "[priors]\ncount = 9\nminimum_age_days = 400\nmaximum_age_days = 300\n"
        '[arrivals]\nhour = "x"\nsources = ["pacs"]\n[[peers]]\nae_title = ""\n'
        '[[destinations]]\nname = "a"\nae_title = "A"\nhost = "h"\nport = 1\n'
        '[[destinations]]\nname = "a"\nae_title = "B"\nhost = "h"\nport = 2\n'
    )
    with pytest.raises(SettingsError) as error:
        load_settings(write(tmp_path, text), {"SECONDREAD__WEB__PORT": "y", "SECONDREAD__X": "1"})
    message = str(error.value)
    assert ": 8 faults\n" in message, message
    for words in (
        "SECONDREAD__X: expected",
        "environment variable SECONDREAD__WEB__PORT: has to be a whole number",
        "arrivals.hour",
        "peers, entry 1: ae_title",
        "priors.count",
        "maximum_age_days must be more",
        "destinations.name is given more than once: a",
        "no priors.sources is called pacs",
    ):
        assert words in message, message


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(write(tmp_path, "[database]\nurl = 12345\n"), {})
    assert "12345" not in str(error.value)


@pytest.mark.parametrize("in_environment", [True, False])
def test_every_relative_path_is_taken_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_environment: bool
) -> None:
    monkeypatch.chdir("/")
    values = {
        ("node", "data_dir"): "data",
        ("detect", "manifest"): "m/manifest.toml",
        ("detect", "site_calibration"): "site.toml",
        ("database", "url"): "sqlite:///t.sqlite",
        ("database", "engine_url"): "sqlite:////var/e.sqlite",
    }
    lines = [f'{section}.{key} = "{value}"\n' for (section, key), value in values.items()]
    variables = {f"SECONDREAD__{s}__{k}".upper(): value for (s, k), value in values.items()}
    text, environment = ("", variables) if in_environment else ("".join(lines), {})
    settings = load_settings(write(tmp_path, text), environment)

    assert settings.node.data_dir == tmp_path / "data"
    assert settings.detect.manifest == tmp_path / "m" / "manifest.toml"
    assert settings.detect.site_calibration == tmp_path / "site.toml"
    assert settings.tracker_url == f"sqlite:///{tmp_path}/t.sqlite"
    assert settings.engine_url == "sqlite:////var/e.sqlite"


def test_a_misspelt_variable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SECTION__KEY"):
        load_settings(write(tmp_path, ""), {"SECONDREAD__PORT": "1"})


def test_spaces_around_an_ae_title_do_not_count(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, '[[peers]]\nae_title = "PACS "\n'), {})

    assert settings.find_peer("PACS") is not None


def test_no_age_limit_is_written_as_minus_one(tmp_path: Path) -> None:
    text = '[[peers]]\nae_title = "A"\nmaximum_age_days = -1\n'

    assert load_settings(write(tmp_path, text), {}).peers[0].maximum_age_days is None


def test_priors_that_are_turned_off_leave_no_archive_to_ask(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "[priors]\nfetch = false\n" + _SOURCE), {})

    assert settings.priors.sources[0].retrieve is RetrieveMethod.MOVE
    assert settings.priors.active_sources == ()


_DESTINATION = '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nport = 104\n'


def profile(folder: Path, text: str) -> ProfileSettings:
    file = write(folder, f"{_DESTINATION}[destinations.profile]\n{text}")
    return load_settings(file, {}).destinations[0].profile


@pytest.mark.parametrize("preset", Preset)
def test_a_preset_gives_what_is_not_given(tmp_path: Path, preset: Preset) -> None:
    made = profile(tmp_path, f'preset = "{preset.value}"\n')
    for name, value in PRESETS[preset].items():
        assert getattr(made, name) == value


def test_a_field_that_is_given_overrides_the_preset(tmp_path: Path) -> None:
    made = profile(tmp_path, 'preset = "capture-only-pacs"\nobjects = ["presentation"]\n')
    assert made.objects == (ObjectKind.PRESENTATION,)


def test_profiles_of_equal_content_share_their_objects(tmp_path: Path) -> None:
    by_preset = profile(tmp_path, 'preset = "tid1500-viewer"\n')
    by_field = profile(tmp_path, 'objects = ["tid1500"]\n')
    assert by_preset.key == by_field.key
    assert by_preset.key != profile(tmp_path, 'preset = "capture-only-pacs"\n').key


@pytest.mark.parametrize(
    "text",
    [
        'preset = "pacs"\n',
        'series_description = "\u00c9t\u00e9"\n',
        'manufacturer = "A\\\\B"\n',
        'series_description = "longer than any description may be"\n',
        "series_number = 0\n",
    ],
)
def test_a_profile_that_cannot_be_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        profile(tmp_path, text)


PROXY = '[web.proxy]\naddresses = ["10.1.2.3", "10.2.0.0/16"]\n'


def test_a_proxy_has_addresses_and_roles_for_groups(tmp_path: Path) -> None:
    text = PROXY + 'admin = ["it"]\neveryone = "look"\n'

    proxy = load_settings(write(tmp_path, text), {}).web.proxy

    assert proxy is not None
    assert proxy.everyone is Role.LOOK
    assert (proxy.admin, proxy.act) == (("it",), ())


@pytest.mark.parametrize(
    "text",
    [
        "[web.proxy]\n",
        "[web.proxy]\naddresses = []\n",
        '[web.proxy]\naddresses = ["proxy.example"]\n',
        PROXY + 'user_header = "X Remote"\n',
        PROXY + 'everyone = "metrics"\n',
        PROXY + 'user_header = "Cookie"\n',
        PROXY + 'user_header = "X-A"\ngroups_header = "x-a"\n',
        '[web]\npublic_url = "reader.example"\n',
        '[web]\npublic_url = "ftp://reader.example"\n',
        '[web]\npublic_url = "https://reader.example/pages"\n',
        '[web]\npublic_url = "https://user@reader.example"\n',
        '[web]\npublic_url = "https://reader.example?x"\n',
    ],
)
def test_a_proxy_that_anybody_could_be_or_an_address_that_is_none_is_refused(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match="web"):
        load_settings(write(tmp_path, text), {})


def test_the_public_address_says_whether_tls_is_in_front() -> None:
    assert WebSettings(public_url="HTTPS://Reader.Example:8443").is_behind_tls
    assert not WebSettings(public_url="http://reader.example").is_behind_tls
    assert not WebSettings().is_behind_tls
