"""What a recognizer promises unless told otherwise, and how many pictures it takes to prove it.

The check of the data says it before a training, the calibration does it: see
docs/decisions/0005-calibration-splits.md.
"""

import math

from foveal.core.errors import UsageError

RISK, DELTA = 0.01, 0.05  # at most 1 % errors among its answers, and that with a probability of 95 %
TUNING_ONE_IN = 3  # of the calibration pictures one in three tunes, the others prove


def images_needed(risk: float, delta: float) -> int:
    """Return how many answers without an error prove a risk: 299 for 1 % at 5 %.

    No error among n happens with probability (1 - risk)ⁿ where the risk is just above the limit.

    Raises:
        UsageError: `risk` or `delta` is outside (0, 1).
    """
    if not (0 < risk < 1 and 0 < delta < 1):
        raise UsageError(f"risk and delta are shares in (0, 1); got {risk} and {delta}")
    return math.ceil(round(math.log(delta) / math.log1p(-risk), 9))


def calibration_images_needed(risk: float, delta: float) -> int:
    """Return how many calibration pictures leave enough to prove a risk: 449 for 1 % at 5 %.

    Raises:
        UsageError: `risk` or `delta` is outside (0, 1).
    """
    return _with_tuning(images_needed(risk, delta))


def calibration_images_for_sets(alpha: float, delta: float | None = None) -> int:
    """Return how many calibration pictures leave enough for sets that miss at most `alpha`: 14 for 10 %."""
    return _with_tuning(sets_need(alpha, delta))


def conformal_rank(n: int, alpha: float) -> int:
    """Return which smallest score of n calibration pictures is the quantile; above n, none of them is."""
    # Rounded, or 10 * (1 - 0.1) might become 9.000000000000002 and the rank one too large.
    return math.ceil(round((n + 1) * (1 - alpha), 9))


def sets_need(alpha: float, delta: float | None = None) -> int:
    """Return the fewest calibration pictures that give sets a quantile: 9 for 10 %, 29 at a delta of 5 %.

    Args:
        alpha: Share of sets that may miss the truth.
        delta: Probability that it is more for the pictures that were drawn; None: an average over draws.
    """
    return math.ceil(round(1 / alpha, 9)) - 1 if delta is None else images_needed(alpha, delta)


def _with_tuning(proving: int) -> int:
    return math.ceil(proving * TUNING_ONE_IN / (TUNING_ONE_IN - 1))
