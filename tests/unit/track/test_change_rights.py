"""Who may change which images, from the settings."""

import pytest

from secondread.settings import Settings
from secondread.track.change_rights import ChangeRights, Sender


def make_rights(**peer: object) -> ChangeRights:
    place = {"host": "10.0.0.5", "port": 104}
    return ChangeRights.from_settings(
        Settings.model_validate(
            {
                "peers": [{"ae_title": "MG1", **peer}, {"ae_title": "VIEWER"}],
                "destinations": [{"name": "pacs", "ae_title": "PACS", **place}],
                "priors": {"sources": [{"name": "vna", "ae_title": "VNA", **place}]},
            }
        )
    )


FIRST = Sender("MG1", "10.0.0.1")


@pytest.mark.parametrize(
    ("sender", "may"),
    [
        (FIRST, True),
        (Sender("MG1", "10.0.0.2"), False),
        (Sender("PACS", "10.0.0.99"), True),
        (Sender("VNA", "10.0.0.5"), True),
        (Sender("VIEWER", "10.0.0.1"), False),
    ],
)
def test_by_default_the_first_sender_and_the_archives_may(sender: Sender, *, may: bool) -> None:
    assert make_rights().may_change(sender, FIRST) is may


def test_a_peer_may_be_given_the_right_to_change_everything() -> None:
    other = Sender("VIEWER", "10.0.0.3")
    assert make_rights(may_change=True).may_change(FIRST, other)
    assert not make_rights().may_change(FIRST, other)


def test_a_peer_may_be_denied_every_change() -> None:
    assert not make_rights(may_change=False).may_change(FIRST, FIRST)


def test_an_archive_may_be_denied_every_change() -> None:
    rights = make_rights(ae_title="PACS", may_change=False)
    pacs = Sender("PACS", "10.0.0.5")
    assert not rights.may_change(pacs, FIRST)
    assert not rights.may_change_any(pacs)


def test_the_address_is_left_to_the_receiver_where_the_settings_list_it() -> None:
    rights = make_rights(addresses=["10.0.0.0/24"])
    assert rights.may_change(Sender("MG1", "10.0.0.2"), FIRST)
