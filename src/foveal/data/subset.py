"""Fewer pictures to learn from, to see how much more of them would help."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import seed_for
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split, with_fit


def subset(split: Split, dataset: Dataset, inventory: Inventory, *, images: int) -> Split:
    """Return the split with about so many pictures to learn from; calib and test stay as they are.

    Every class keeps its share, and at least one picture. What belongs together stays together. A smaller
    subset is part of a larger one, so that a curve over their sizes shows the size and not the draw; the
    split's seed decides which pictures come first.

    Args:
        split: Of all pictures.
        dataset: Gives the labels.
        inventory: Gives the content hashes, so that names and order play no part.
        images: How many; as many as there are, or more, change nothing.

    Raises:
        UsageError: Fewer than one picture per class.
    """
    if images >= len(split.fit):
        return split
    by_class = _by_class(split, dataset, inventory)
    if images < len(by_class):
        raise UsageError(
            f"{images} pictures are fewer than the {len(by_class)} classes: each needs one to learn from",
            hint=f"at least {len(by_class)}",
        )
    kept = [unit for units in by_class.values() for unit in _first(units, share=images / len(split.fit))]
    chosen = np.sort(np.concatenate(kept))
    return with_fit(split, chosen, inventory)


def _by_class(split: Split, dataset: Dataset, inventory: Inventory) -> dict[int, list[NDArray[np.int64]]]:
    """Return the units of each class in an order drawn from seed and contents."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in split.fit.tolist():
        members[int(split.units[index])].append(index)
    keyed: dict[int, dict[int, NDArray[np.int64]]] = defaultdict(dict)
    for unit in members.values():
        label = int(np.bincount(dataset.labels[unit]).argmax())
        key = seed_for(split.seed, "subset", min(inventory.sha256[i] for i in unit))
        keyed[label][key] = np.array(unit, dtype=np.int64)
    return {label: [units[key] for key in sorted(units)] for label, units in sorted(keyed.items())}


def _first(units: list[NDArray[np.int64]], *, share: float) -> list[NDArray[np.int64]]:
    """Return the first units, at least one, whose pictures are about that share of all of them."""
    ends = np.cumsum([len(unit) for unit in units])
    wanted = share * ends[-1]
    count = int(np.abs(ends - wanted).argmin()) + 1
    return units[:count]
