"""How long to wait after a failed attempt, and how long a claim holds."""

_LEASE_TIMEOUTS = 20
_LEASE_EXTRA_SECONDS = 60.0

FIRST_PAUSE_SECONDS = 5.0


def compute_pause(attempt: int, maximum: float, first: float = FIRST_PAUSE_SECONDS) -> float:
    """Return the seconds to wait after the failure of an attempt: doubling, up to a maximum.

    Parameters
    ----------
    attempt
        Number of the attempt that failed, from 1.
    maximum
        The longest pause, in seconds.
    first
        The first one, in seconds.

    >>> [compute_pause(attempt, 60.0) for attempt in (1, 2, 3, 4, 5, 6000)]
    [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    """
    if attempt < 1:
        raise ValueError(f"attempts count from 1, not {attempt}")
    # Capped before the power is taken: after a week of tries it would not fit a float.
    doublings = min(attempt - 1, 30)
    return min(first * 2.0**doublings, maximum)


def compute_lease(timeout_seconds: float) -> float:
    """Return the seconds that a claim holds for calls to a peer with this timeout.

    Connecting, negotiating and releasing take one timeout each at most, and so does every answer;
    a study has about ten objects. Should a claim run out all the same, another worker asks or
    sends the same again, which a peer answers as before.
    """
    return _LEASE_TIMEOUTS * timeout_seconds + _LEASE_EXTRA_SECONDS
