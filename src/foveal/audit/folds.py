"""Which network is asked about which picture, and which classes it could have learned from others."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.train.sampling import deal

Int64 = NDArray[np.int64]
Flags = NDArray[np.bool_]
FOLDS = 3
FEWEST_LEARNED = 50  # pictures that each network learns from; fewer teach it nothing
FEWEST_OF_CLASS = 10  # pictures with this label, before the label is doubted
FEWEST_UNITS = 3  # of a class: one to ask about, and more than a single one to have learned from


@dataclass(frozen=True)
class Folds:
    """Pictures dealt into parts; the network that is asked about a part learns from the others.

    Attributes:
        of_each: The part of each picture, int64 (M,).
        enough: Every part holds pictures, and outside of each are two classes and 50 pictures.
        few: Classes that have fewer than 10 pictures, bool (K,).
        unlearned: Classes of at least 10 pictures that hang together, in fewer than 3 units or all in one
            part: the network that is asked about them has hardly seen another one. Bool (K,).
        doubted: All other classes that have pictures, bool (K,).
    """

    of_each: Int64 = field(repr=False)
    enough: bool
    few: Flags = field(repr=False)
    unlearned: Flags = field(repr=False)
    doubted: Flags = field(repr=False)


def folds(labels: Int64, units: Int64, *, classes: int, seed: int) -> Folds:
    """Deal pictures into three parts, those that belong together into the same one.

    Args:
        labels: Classes, int64 (M,), M ≥ 1.
        units: For each picture a number that it shares with those it belongs together with, int64 (M,).
        classes: K.
        seed: Decides who comes where.
    """
    of_each = deal(labels, units, folds=FOLDS, seed=seed)
    counts = np.zeros((classes, FOLDS), dtype=np.int64)
    np.add.at(counts, (labels, of_each), 1)
    pictures = counts.sum(axis=1)
    class_of_unit, _ = np.unique(np.stack([labels, units]), axis=1)
    in_units = np.bincount(class_of_unit, minlength=classes)
    few = (pictures > 0) & (pictures < FEWEST_OF_CLASS)
    # With three units, too, all may be in one part: a unit of several classes is dealt as one of its first.
    together = (in_units < FEWEST_UNITS) | (counts.max(axis=1) == pictures)
    unlearned = (pictures >= FEWEST_OF_CLASS) & together
    return Folds(of_each, _enough(counts), few, unlearned, (pictures >= FEWEST_OF_CLASS) & ~together)


def _enough(counts: Int64) -> bool:
    """Return whether each network has somebody to be asked about and enough to learn from; counts (K, 3)."""
    learned = counts.sum(axis=1, keepdims=True) - counts
    taught = (learned.sum(axis=0) >= FEWEST_LEARNED) & ((learned > 0).sum(axis=0) > 1)
    return bool((taught & counts.any(axis=0)).all())
