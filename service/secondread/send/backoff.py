"""How long to wait before the next attempt."""

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
