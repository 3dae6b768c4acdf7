import resource

import pytest

from secondread.accept.descriptors import provide_descriptors
from secondread.errors import SettingsError


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits of a process that may open 1,024 files, and 4,096 if it asks; the last counts."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    return limits


def test_the_limit_is_left_alone_where_it_is_enough(limits: list[tuple[int, int]]) -> None:
    provide_descriptors(192)
    assert limits == [(1024, 4096)]


def test_the_limit_is_raised_as_far_as_is_needed(limits: list[tuple[int, int]]) -> None:
    provide_descriptors(1000)
    assert limits[-1] == (2256, 4096)


def test_a_machine_that_does_not_allow_enough_is_named_at_the_start(
    limits: list[tuple[int, int]],
) -> None:
    limits[0] = (256, 512)
    with pytest.raises(SettingsError, match=r"maximum_associations: 640 file .* may open 512"):
        provide_descriptors(192)
