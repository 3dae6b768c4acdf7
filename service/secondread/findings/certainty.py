"""Certainty in figures: rounded so that the surest findings stay apart, and never to a full 100."""


def round_certainty(certainty: float) -> float:
    """Return a certainty, 0-100, with one decimal, above 99 with two.

    >>> round_certainty(61.84), round_certainty(99.874)
    (61.8, 99.87)
    """
    return round(certainty, 2 if certainty > 99 else 1)


def format_certainty(certainty: float) -> str:
    """Return a certainty, 0-100, in words as short as a picture needs; nothing is said to be sure.

    >>> format_certainty(61.8), format_certainty(99.2), format_certainty(99.87)
    ('62', '99', '99.8')
    >>> format_certainty(99.99)
    '99.9'
    """
    if certainty < 99.5:
        return f"{certainty:.0f}"
    # Cut off and not rounded: 99.97 is not 100.
    return f"{int(min(certainty, 99.9) * 10 + 1e-6) / 10:.1f}"
