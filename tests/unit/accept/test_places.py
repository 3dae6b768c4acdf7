from secondread.accept.places import PlaceLimits, Places, Turns, WaitingRoom
from secondread.accept.refusal_counts import Caller
from secondread.settings import PeerSettings, ReceiveSettings, Settings


def places(*peers: str, **receive: int) -> Places:
    settings = Settings(
        receive=ReceiveSettings.model_validate(receive),
        peers=tuple(PeerSettings(ae_title=peer) for peer in peers),
    )
    return Places(PlaceLimits.from_settings(settings))


def caller(title: str, address: str = "10.0.0.1") -> Caller:
    return Caller(title, "SECONDREAD", address)


def take_all(room: Places, title: str, address: str = "10.0.0.1") -> int:
    """Take places until there is none; return how many there were."""
    taken = 0
    while room.take(caller(title, address)):
        taken += 1
    return taken


def test_one_peer_leaves_to_each_other_peer_what_is_reserved_for_it() -> None:
    room = places("A", "B", "C", maximum_associations=12, reserved_per_peer=2)
    assert take_all(room, "A") == 8
    assert take_all(room, "B") == 2
    assert take_all(room, "C") == 2


def test_no_more_than_half_of_all_places_is_reserved() -> None:
    room = places("A", "B", maximum_associations=4, reserved_per_peer=3)
    assert take_all(room, "A") == 3
    assert take_all(places("A", maximum_associations=1), "A") == 1


def test_strangers_altogether_are_limited_however_they_call_themselves() -> None:
    room = places("A", maximum_associations=20, maximum_unknown=5, reserved_per_peer=0)
    taken = sum(room.take(caller(f"X{number}", f"10.0.0.{number}")) for number in range(30))
    assert taken == 5
    assert take_all(room, "A") == 15


def test_one_title_and_one_address_have_limits_of_their_own() -> None:
    room = places(maximum_per_peer=3, maximum_per_address=5)
    assert take_all(room, "A") == 3
    assert take_all(room, "B") == 2
    assert take_all(room, "B", "10.0.0.2") == 1


def test_what_is_reserved_for_a_peer_does_not_depend_on_its_address() -> None:
    room = places("A", maximum_per_address=2, reserved_per_peer=1)
    assert take_all(room, "X") == 2
    assert take_all(room, "A") == 1


def test_a_place_that_is_given_back_is_free() -> None:
    room = places("A", maximum_associations=1)
    assert room.take(caller("A"))
    assert not room.take(caller("A"))
    room.give_back(caller("A"))
    assert room.take(caller("A"))


def test_by_default_one_title_has_64_places_and_leaves_others_some() -> None:
    room = places("A", "B")
    assert take_all(room, "A") == 64
    assert take_all(room, "B", "10.0.0.2") == 64


def test_the_longest_waiting_of_the_largest_crowd_has_to_leave() -> None:
    room = WaitingRoom[str](3)
    assert [room.enter(name, name[0]) for name in ("b1", "a1", "a2")] == [None, None, None]
    assert room.enter("b2", "b") == "a1"
    room.leave("a2")
    assert room.enter("c1", "c") is None
    assert room.enter("c2", "c") == "b1"


def test_requests_of_one_peer_take_turns_and_others_need_not_wait_for_them() -> None:
    turns = Turns(["A", "B"], at_a_time=1)
    with turns.wait_for_one(caller("A")), turns.wait_for_one(caller("B")):
        assert not turns.wait_for_one(caller("A")).acquire(blocking=False)
        with turns.wait_for_one(caller("X")):
            assert not turns.wait_for_one(caller("Y")).acquire(blocking=False)
