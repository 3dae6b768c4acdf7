import pytest

from secondread.accept.admission import ASSOCIATION_REJECTIONS, Admission
from secondread.accept.refusal_counts import Caller
from secondread.reasons import Reason
from secondread.settings import PeerSettings, ReceiveSettings, Settings


def admission(unknown: str = "refuse", *addresses: str) -> Admission:
    receive = ReceiveSettings.model_validate({"unknown_peers": unknown})
    peers = (PeerSettings(ae_title="MOD", addresses=addresses),)
    return Admission.from_settings(Settings(receive=receive, peers=peers))


def caller(calling: str = "MOD", called: str = "SECONDREAD", address: str = "10.1.2.3") -> Caller:
    return Caller(calling, called, address)


def test_a_known_peer_is_let_in_from_anywhere_without_addresses() -> None:
    assert admission().find_refusal_reason(caller()) is None


def test_an_unknown_peer_is_refused_by_default() -> None:
    assert admission().find_refusal_reason(caller("EVIL")) is Reason.CALLING_AE_UNKNOWN


def test_an_unknown_peer_is_let_in_where_the_settings_say_so() -> None:
    assert admission("accept").find_refusal_reason(caller("EVIL")) is None


def test_the_called_title_must_be_this_nodes() -> None:
    assert admission().find_refusal_reason(caller(called="OTHER")) is Reason.CALLED_AE_UNKNOWN


@pytest.mark.parametrize(
    ("address", "is_expected"),
    [
        ("10.1.2.3", True),
        ("10.1.9.9", False),
        ("192.168.7.1", True),
        ("::ffff:10.1.2.3", True),
        ("fe80::1%eth0", True),
        ("fe81::1", False),
    ],
)
def test_a_known_title_must_come_from_one_of_its_addresses(address: str, is_expected: bool) -> None:
    rules = admission("refuse", "10.1.2.3", "192.168.0.0/16", "fe80::/64")
    expected = None if is_expected else Reason.ADDRESS_UNEXPECTED
    assert rules.find_refusal_reason(caller(address=address)) is expected


def test_addresses_bind_a_known_title_even_where_unknown_peers_are_let_in() -> None:
    rules = admission("accept", "10.1.2.3")
    assert rules.find_refusal_reason(caller(address="10.9.9.9")) is Reason.ADDRESS_UNEXPECTED


def test_a_stranger_does_not_learn_which_titles_are_known() -> None:
    assert (
        ASSOCIATION_REJECTIONS[Reason.ADDRESS_UNEXPECTED]
        == ASSOCIATION_REJECTIONS[Reason.CALLING_AE_UNKNOWN]
    )
