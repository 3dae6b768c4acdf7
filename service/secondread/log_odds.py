"""Probabilities as log odds, on which scale the surest ones stay apart."""

import math

_NEAREST = 1e-9
"""Probabilities are taken as no nearer to 0 and 1 than this."""


def to_log_odds(probability: float) -> float:
    """Return the natural logarithm of the odds of a probability, 0-1; finite for 0 and 1.

    >>> to_log_odds(0.5), round(to_log_odds(0.999), 2)
    (0.0, 6.91)
    """
    inside = min(max(probability, _NEAREST), 1 - _NEAREST)
    return math.log(inside / (1 - inside))


def from_log_odds(log_odds: float) -> float:
    """Return the probability, 0-1, of log odds.

    >>> from_log_odds(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-log_odds))
