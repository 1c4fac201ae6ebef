"""How long to wait before the next attempt."""

import secrets

_STEPS = 1 << 20


def delay(attempt: int, *, first_s: float, most_s: float) -> float:
    """Return seconds to wait: doubled with each attempt up to a limit, times a number from 0.5 to 1.5.

    The number keeps many processes that lost the same source from coming back all at once. So it has to
    differ between them, and follows from no seed; no answer depends on it.

    Args:
        attempt: From 0.
        first_s: Before the first one.
        most_s: At most, before it is multiplied.
    """
    factor = 0.5 + secrets.randbelow(_STEPS + 1) / _STEPS
    return float(min(most_s, first_s * 2 ** min(attempt, 30)) * factor)
