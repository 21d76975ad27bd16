"""How long to wait before something is sent again."""

from __future__ import annotations

FIRST_S = 5.0
LONGEST_S = 3600.0


def pause_s(failures: int, share: float) -> float:
    """A pause that doubles with every failure in a row, up to an hour.

    Args:
        failures: How many there were in a row, from 1 on.
        share: By chance, 0..1: many that fail at once must not all come again at once.

    Returns:
        Half of the pause to all of it, seconds.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 20))
    return longest * (0.5 + share / 2)
