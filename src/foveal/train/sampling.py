"""Which examples stand for all, and which are asked in turn: by class, and never part of a unit."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream

Int64 = NDArray[np.int64]


def deal(labels: Int64, units: Int64, *, folds: int, seed: int) -> Int64:
    """Return the fold of each example in [0, folds), int64 (N,): whole units, each class spread over all.

    Args:
        labels: int64 (N,); a unit counts for the class of its first example.
        units: A number for each example, equal for those that belong together, int64 (N,).
        folds: How many.
        seed: Decides who comes where.
    """
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    kinds, sizes = labels[first], np.bincount(unit)
    shuffled = stream(seed, "folds").permutation(len(first))
    fold_of = np.empty(len(first), dtype=np.int64)
    filled = np.zeros((int(kinds.max()) + 1, folds), dtype=np.int64)
    # Large units first; each into the fold that has fewest of its class, then fewest of all.
    for i in shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist():
        fold = np.lexsort((filled.sum(axis=0), filled[kinds[i]]))[0]
        fold_of[i] = fold
        filled[kinds[i], fold] += sizes[i]
    return np.asarray(fold_of[unit])


def spread(labels: Int64, *, seed: int, purpose: str) -> Int64:
    """Return all places in an order of which every beginning holds the classes in about their proportions.

    The first K places are of K classes.

    Args:
        labels: int64 (N,).
        seed: Of the order within each class.
        purpose: Tells uses of the same seed apart.
    """
    shuffled = stream(seed, purpose).permutation(len(labels))
    rank = _rank_within(labels[shuffled])
    counts = np.bincount(labels)
    order: Int64 = shuffled[np.argsort(rank / counts[labels[shuffled]], kind="stable")]
    return order


def _rank_within(labels: Int64) -> Int64:
    """Return how many of the same label come before each place."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels)) - starts
    return rank
