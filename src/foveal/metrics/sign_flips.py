"""Is the mean of paired differences more than chance, whatever their distribution?

Source: Fisher, "The Design of Experiments", 1935, §21; with drawn in place of all sign patterns, Dwass,
"Modified randomization tests for nonparametric hypotheses", Annals of Mathematical Statistics 1957. On
differences of 1, 0 and -1 it is McNemar's test. It keeps its level at any number of pictures, which a
bootstrap of few does not.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import stream

_DRAWS = 10_000
_AT_ONCE = 500
_ROUNDED = 1e-12  # sums of the same numbers in another order


def sign_flips(differences: NDArray[np.floating], *, seed: int = 0) -> float:
    """Return the two-sided p-value of a mean of 0, at least 1 / 10,001.

    If neither of two recognizers is better, which is called the first is a toss for each picture: then the
    sign of each difference is, too.

    Args:
        differences: What the first does better than the second on each picture, float (N,), N ≥ 1; the
            pictures are independent.
        seed: Of the tosses.

    Raises:
        UsageError: No differences, or some that are no numbers.

    >>> sign_flips(np.array([0.5, 0.5])) > 0.4, sign_flips(np.full(20, 0.1)) < 0.001
    (True, True)
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise UsageError(f"need finite differences (N,), N ≥ 1; got {values.shape}", code="empty")
    rng, reached = stream(seed, "sign-flips"), 0
    found = abs(values.sum()) - _ROUNDED * np.abs(values).sum()
    for _ in range(_DRAWS // _AT_ONCE):
        signs = rng.integers(0, 2, (_AT_ONCE, len(values)), dtype=np.int8) * 2 - 1
        reached += int((np.abs(signs @ values) >= found).sum())
    return (reached + 1) / (_DRAWS + 1)
