"""Which images stand for all, and which are asked in turn: by class, and never part of a unit."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream

Int64 = NDArray[np.int64]


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


def fold_of_each(labels: Int64, units: Int64, *, folds: int, seed: int) -> Int64:
    """Return a fold in [0, folds) for each image, int64 (N,): whole units, the classes spread evenly.

    A unit counts for the class of its first image.
    """
    _, first, member = np.unique(units, return_index=True, return_inverse=True)
    kinds = labels[first]
    shuffled = stream(seed, "folds").permutation(len(first))
    by_class = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[by_class] = np.arange(len(first)) % folds
    return fold[member]


def _rank_within(labels: Int64) -> Int64:
    """Return how many of the same label come before each place."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels)) - starts
    return rank
