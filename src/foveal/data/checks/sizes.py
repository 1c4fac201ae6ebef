"""Pictures too small to show anything, too long for a square, or of different sizes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split

TINY_SIDE = 8
MOST_ASPECT = 3


def sizes(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield warnings about odd sizes, and an info where sizes differ at all."""
    known = np.flatnonzero(inventory.width > 0)
    if not len(known):
        return
    width, height = inventory.width[known], inventory.height[known]
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    tiny = known[shorter < TINY_SIDE]
    if len(tiny):
        yield Finding(
            "tiny_images",
            "warning",
            len(tiny),
            f"{counted(len(tiny), 'picture')} narrower than {TINY_SIDE} pixels: there is hardly anything "
            "to see.",
            "Remove them, or find the originals.",
            _names(dataset, tiny),
        )
    long = known[longer > MOST_ASPECT * shorter]
    if len(long):
        yield Finding(
            "extreme_aspect",
            "warning",
            len(long),
            f"{counted(len(long), 'picture')} longer than {MOST_ASPECT}:1: "
            + (
                "the recognizer sees only the middle square, less than a third."
                if dataset.scenes is None
                else "brought to the size of the model, what is on them becomes small."
            ),
            "Crop them to what matters, or cut them into pieces.",
            _names(dataset, long),
        )
    if np.ptp(width) or np.ptp(height):
        yield Finding(
            "mixed_sizes",
            "info",
            len(known),
            f"Sizes differ: {width.min()} to {width.max()} wide, {height.min()} to {height.max()} high, "
            f"median shorter side {np.median(shorter):.0f} pixels.",
            "Nothing to do: all are brought to one size.",
        )


def _names(dataset: Dataset, indices: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(dataset.sources[i] for i in indices[:EXAMPLES])
