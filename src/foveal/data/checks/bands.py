"""What the bands of a data set are, and which of them tell nothing or are cut off at the top."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Finding
from foveal.core.wording import counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.ranges import fitted, sampled
from foveal.data.split import Split

_SATURATED = 0.01  # share of the values of a band at its very top from where on they are worth a word
_RANGES = "What lies beyond becomes 0 or 255, too (docs/bands.md)."
_FEW = 16  # levels of 0 to 255


def bands(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield the bands with their ranges, and warnings of dead, nearly dead and saturated ones.

    Values are looked at in pictures that are learned from, where that is known.
    """
    if not inventory.readable.any():
        return
    indices = None if split is None else split.fit
    found = fitted(dataset, indices)
    if found is None:
        return
    values = sampled(dataset, found.kind, len(found.names), indices)
    if not len(values):
        return
    told = ", ".join(
        f"{name} {low:.7g} to {high:.7g}"
        for name, low, high in zip(found.names, found.low, found.high, strict=True)
    )
    yield Finding(
        "bands",
        "info",
        len(found.names),
        f"{counted(len(found.names), 'band')} of {found.kind}; what becomes 0 to 255: {told}.",
        "Name the bands in bands.txt, a line each." if found.names[0] == "band 1" else _RANGES,
        (),
    )
    low, high = values.min(axis=0), values.max(axis=0)
    dead = [name for name, flat in zip(found.names, low == high, strict=True) if flat]
    if dead:
        yield Finding(
            "dead_band",
            "warning",
            len(dead),
            f"{counted(len(dead), 'band')} with one and the same value everywhere: {', '.join(dead)}.",
            "Leave it out, or look at the camera: the recognizer would learn nothing from it.",
            (),
        )
    yield from _flat(found.names, values, dead)
    yield from _saturated(found.names, values)


def _flat(names: tuple[str, ...], values: NDArray[Any], dead: list[str]) -> Iterator[Finding]:
    """Yield a warning of bytes that use few of their levels; of other types the range is fitted."""
    if values.dtype != np.uint8:
        return
    spread = np.quantile(values, 0.999, axis=0) - np.quantile(values, 0.001, axis=0)
    few = [name for name, wide in zip(names, spread < _FEW, strict=True) if wide and name not in dead]
    if few:
        yield Finding(
            "flat_band",
            "warning",
            len(few),
            f"{counted(len(few), 'band')} with fewer than {_FEW} of 256 levels: {', '.join(few)}.",
            "Expose it longer, or store it with 16 bits.",
            (),
        )


def _saturated(names: tuple[str, ...], values: NDArray[Any]) -> Iterator[Finding]:
    """Yield a warning of bands with many values at the very top of what was stored."""
    top = values.max(axis=0)
    share = (values == top).mean(axis=0)
    cut = (share > _SATURATED) & (values.min(axis=0) < top)
    told = [f"{name} {part:.1%}" for name, part, is_cut in zip(names, share, cut, strict=True) if is_cut]
    if told:
        yield Finding(
            "saturated_band",
            "warning",
            len(told),
            f"Bands with many values at their very top, where light is cut off: {', '.join(told)}.",
            "Expose shorter: what is brighter than the top cannot be told apart.",
            (),
        )
