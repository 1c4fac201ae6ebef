"""How the classes differ in what has nothing to do with what they show: size, light, sharpness."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.train.sampling import deal

Int64 = NDArray[np.int64]
FEWEST_IMAGES = 30  # of a class, before something is said about it
FEWEST_UNITS = 5  # of a class, in each half: fewer tracks differ in some number by chance
TOLD_APART = 0.95  # balanced accuracy of one number from where on it is a shortcut
_BINS = 20


@dataclass(frozen=True)
class Shortcut:
    """A class that can be told from all others by one number.

    Attributes:
        label: The class.
        by: `brightness`, `contrast`, `sharpness`, `width`, `height` or `aspect`.
        balanced_accuracy: Mean of the shares of this class and of the others that it tells rightly, on the
            half of the pictures that the rule was not made from.
    """

    label: int
    by: str
    balanced_accuracy: float


def class_statistics(dataset: Dataset, inventory: Inventory, glances: Glances) -> list[dict[str, Any]]:
    """Return for each class its name, its readable pictures by split, and medians of size and light."""
    readable = inventory.readable
    columns = _columns(inventory, glances)
    parts = np.array([name or "train" for name in dataset.splits])
    found = []
    for label, name in enumerate(dataset.classes):
        mine = readable & (dataset.labels == label)
        names, counts = np.unique(parts[mine], return_counts=True)
        medians = {by: _median(values[mine]) for by, values in columns.items()}
        images = dict(zip(names.tolist(), counts.tolist(), strict=True))
        found.append({"class": name, "images": int(mine.sum()), "splits": images, **medians})
    return found


def shortcuts(dataset: Dataset, inventory: Inventory, glances: Glances, units: Int64) -> list[Shortcut]:
    """Return the classes that one number tells from all others; of several numbers the best one.

    Half of the units of each class, drawn at random, decide which values mean the class (in up to 20 equally
    filled bins), the other half measures. Left out are classes with fewer than 30 pictures, or 5 units in
    either half, and those whose others are as few.

    Args:
        dataset: Labels.
        inventory: Sizes, and which pictures are readable.
        glances: Light and sharpness.
        units: For each picture a number that it shares with those it belongs together with, int64 (N,): the
            frames of a track are alike, and would prove whatever they made the rule of.
    """
    rows = np.flatnonzero(inventory.readable)
    if not len(rows):
        return []
    labels, units = dataset.labels[rows], units[rows]
    makes_rule = deal(labels, units, folds=2, seed=0) == 0
    binned = {by: _binned(values[rows]) for by, values in _columns(inventory, glances).items()}
    found = []
    for label in range(len(dataset.classes)):
        mine = labels == label
        if not (_enough(units, mine, makes_rule) and _enough(units, ~mine, makes_rule)):
            continue
        best = max((_told_apart(bins, mine, makes_rule), by) for by, bins in binned.items())
        if best[0] >= TOLD_APART:
            found.append(Shortcut(label, best[1], best[0]))
    return found


def _enough(units: Int64, chosen: NDArray[np.bool_], makes_rule: NDArray[np.bool_]) -> bool:
    halves = (chosen & makes_rule, chosen & ~makes_rule)
    fewest = min(len(np.unique(units[half])) for half in halves)
    return bool(chosen.sum() >= FEWEST_IMAGES and fewest >= FEWEST_UNITS)


def _columns(inventory: Inventory, glances: Glances) -> Mapping[str, NDArray[np.floating]]:
    width, height = inventory.width.astype(np.float64), inventory.height.astype(np.float64)
    return {
        "brightness": glances.brightness,
        "contrast": glances.contrast,
        "sharpness": glances.sharpness,
        "width": width,
        "height": height,
        "aspect": width / np.maximum(height, 1),
    }


def _median(values: NDArray[np.floating]) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(np.median(known)), 4) if len(known) else None


def _binned(values: NDArray[np.floating]) -> Int64:
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else known
    # Values on an edge are a bin of their own: sizes are often a few numbers, each very frequent.
    below = np.searchsorted(edges, values, side="left")
    bins = below + np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), 2 * _BINS, bins)  # no value is one of its own, too


def _told_apart(bins: Int64, mine: NDArray[np.bool_], makes_rule: NDArray[np.bool_]) -> float:
    """Return the balanced accuracy of the rule `these bins are the class`, on the other half.

    A bin that holds none of the half that makes the rule is judged by the nearest ones that do.
    """
    most = int(bins.max()) + 1

    def shares(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(bins[rows], minlength=most) / max(1, int(rows.sum()))

    ours, theirs = shares(mine & makes_rule), shares(~mine & makes_rule)
    told = np.flatnonzero(ours + theirs)
    means_class = np.interp(np.arange(most), told, (ours - theirs)[told]) > 0
    hit = shares(mine & ~makes_rule)[means_class].sum()
    passed = shares(~mine & ~makes_rule)[~means_class].sum()
    return float(hit + passed) / 2
