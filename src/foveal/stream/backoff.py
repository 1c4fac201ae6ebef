"""How long to wait before the next attempt."""

from foveal.core.random import stream


def delay(attempt: int, *, first_s: float, most_s: float, seed: int, purpose: str) -> float:
    """Return seconds to wait: doubled with each attempt up to a limit, times a number from 0.5 to 1.5.

    The number keeps many processes that lost the same source from coming back all at once.

    Args:
        attempt: From 0.
        first_s: Before the first one.
        most_s: At most, before it is multiplied.
        seed: Of the number.
        purpose: What the attempts are for; another purpose has other numbers.
    """
    factor = stream(seed, purpose, attempt).uniform(0.5, 1.5)
    return float(min(most_s, first_s * 2 ** min(attempt, 30)) * factor)
