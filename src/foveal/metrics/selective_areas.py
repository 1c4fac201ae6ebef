"""The three areas of declining with their intervals: images are resampled, and each area computed again.

An area is no mean over images, but of sorted images it is a sum over the steps of the curve, in which only
counts appear. So thousands of resamples cost as many passes over the counts, and no sorting.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics._arrays import check
from foveal.metrics.bootstrap import bootstrap_counts

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class SelectiveAreas:
    """`aurc`, `e_aurc` and `augrc` as their files define them, 0 is best."""

    aurc: Measured
    e_aurc: Measured
    augrc: Measured


def selective_areas(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, draws: int = 1000, seed: int = 0
) -> SelectiveAreas:
    """Return the areas under the curves of declining by the largest probability, with BCa intervals.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        draws: Resamples.
        seed: Of them; all three areas are computed on the same.

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    # Within a tie the order of the images changes nothing but which ones a draw takes.
    order = np.lexsort((wrong, -confidence))
    starts = np.unique(-confidence[order], return_index=True)[1]
    errors = wrong[order].astype(np.int64)
    # Groups that are left out in turn must not be every so many ranks: those are too much alike.
    mixed = stream(seed, "selective areas").permutation(len(labels))

    def steps(times: Int64) -> tuple[Floats, Floats]:
        """Return images and errors among them up to the end of each step, with the 0 before, (D, G + 1)."""
        ranked = times[:, mixed]
        counts = np.add.reduceat(ranked, starts, axis=1)
        failed = np.add.reduceat(ranked * errors, starts, axis=1)
        first = np.zeros((len(times), 1), dtype=np.int64)
        answered, missed = (np.concatenate([first, one.cumsum(axis=1)], axis=1) for one in (counts, failed))
        return answered.astype(np.float64), missed.astype(np.float64)

    n = len(labels)
    harmonic = np.concatenate([[0.0], (1 / np.arange(1, n + 1)).cumsum()])

    def areas(times: Int64) -> Floats:
        answered, missed = steps(times)
        whole = _aurc(answered, missed, harmonic)
        excess = np.maximum(whole - _least(answered[:, -1], missed[:, -1], harmonic), 0.0)
        return np.stack([whole, excess, _augrc(answered, missed)], axis=1)

    return SelectiveAreas(*bootstrap_counts(n, areas, draws=draws, seed=seed))


def _aurc(answered: Floats, missed: Floats, harmonic: Floats) -> Floats:
    """Return the mean risk over all images; within a step the errors rise evenly.

    From a answered and e missed ones to a + g and e + d, the risks (e + d j / g) / (a + j), j = 1 to g,
    sum up to d + (e - d a / g) (H(a + g) - H(a)), H the harmonic numbers.
    """
    before, size, more = answered[:, :-1], np.diff(answered), np.diff(missed)
    slope = np.divide(more, size, out=np.zeros_like(more), where=size > 0)
    tail = np.diff(harmonic[answered.astype(np.int64)])
    found: Floats = (more + (missed[:, :-1] - slope * before) * tail).sum(axis=1) / answered[:, -1]
    return found


def _least(n: Floats, wrong: Floats, harmonic: Floats) -> Floats:
    """Return the mean risk over all images if the errors came last."""
    ends = harmonic[n.astype(np.int64)] - harmonic[(n - wrong).astype(np.int64)]
    found: Floats = (wrong - (n - wrong) * ends) / n
    return found


def _augrc(answered: Floats, missed: Floats) -> Floats:
    """Return the area under missed over answered, both as shares of all images."""
    heights = (missed[:, 1:] + missed[:, :-1]) / 2
    found: Floats = (heights * np.diff(answered)).sum(axis=1) / answered[:, -1] ** 2
    return found
