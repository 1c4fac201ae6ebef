"""The mean accuracy over tasks with an interval from how much the tasks differ.

The queries of one task share its support set, so that they are no independent trials: the task is the unit,
as in the tables of Vinyals et al. 2016 and all that follow them, mean ± 1.96 s / √E over E tasks. It is about
tasks of these classes; other classes would differ by more.
"""

import numpy as np
from numpy.typing import ArrayLike

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson

_NORMAL = 1.959963984540054  # quantile of the normal distribution at 0.975


def episode_mean(accuracies: ArrayLike) -> Measured:
    """Return the mean over tasks with its two-sided 95 % interval, cut off at 0 and 1; `n` is the tasks.

    Where all tasks are without a mistake, or all without a right answer, their spread says nothing; then the
    interval is the exact one of the share of such tasks, which bounds the mean, too.

    Args:
        accuracies: Share of right answers in each task, (E,), in [0, 1].

    Raises:
        UsageError: Fewer than two tasks, or shares outside [0, 1].

    >>> print(episode_mean([0.5, 1.0, 1.0, 0.5]))
    75.0% (95 % interval 46.7% to 100.0%, n=4)
    """
    shares = np.asarray(accuracies, dtype=np.float64)
    if shares.ndim != 1 or len(shares) < 2:
        raise UsageError("a mean over tasks needs two of them at least", code="empty")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise UsageError("accuracies of tasks must be in 0..1")
    mean, count = float(shares.mean()), len(shares)
    if mean in (0.0, 1.0):
        return clopper_pearson(count if mean else 0, count)
    half = _NORMAL * float(shares.std(ddof=1)) / count**0.5
    return Measured(mean, max(0.0, mean - half), min(1.0, mean + half), count, "normal-over-episodes")
