"""What the pictures of a data set suggest for the model's input, from headers alone."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from foveal.core.errors import ImageError
from foveal.data.dataset import Dataset, Header

SIZES = (32, 64, 128, 224)
_SAMPLED = 500
_GRID = 32  # pixels; networks that say where something is halve pictures five times
_UPSCALING = 0.75  # a median of 28 pixels is served by 32: a larger input would only blow it up further


def suggest_size(dataset: Dataset) -> int:
    """Return the side of the model's input: the smallest of `SIZES` that is ≥ 0.75 × the median shorter side.

    Beyond the largest it is the largest. At most 500 evenly spaced headers are read.
    """
    wanted = _UPSCALING * median_side(dataset)
    return next((size for size in SIZES if size >= wanted), SIZES[-1])


def median_side(dataset: Dataset) -> float:
    """Return the median shorter side in pixels of at most 500 evenly spaced pictures, 0 of none."""
    shorter = [min(header.width, header.height) for header in headers(dataset)]
    return float(np.median(shorter)) if shorter else 0.0


def suggest_sides(dataset: Dataset, *, longer: int | None, most: int) -> tuple[int, int]:
    """Return height and width of a letterbox for the pictures: of their median shape, in multiples of 32.

    Args:
        dataset: Its headers are read.
        longer: The longer side in pixels; None: that of the pictures, `most` at most.
        most: Of a side that nobody asked for.
    """
    sizes = np.array([(header.height, header.width) for header in headers(dataset)] or [(most, most)])
    height, width = np.exp(np.median(np.log(sizes), axis=0))
    if longer is None:
        longer = min(most, _whole(float(np.median(sizes.max(axis=1))), math.ceil))
    shorter = longer * min(height, width) / max(height, width)
    sides = _whole(shorter, math.ceil), _whole(float(longer), round)
    return sides if width >= height else (sides[1], sides[0])


def _whole(pixels: float, rounded: Callable[[float], int]) -> int:
    """Return a multiple of what networks halve pictures down to, at least one."""
    return max(1, rounded(pixels / _GRID)) * _GRID


def suggest_channels(dataset: Dataset) -> int:
    """Return 1 where every sampled picture is grey, else 3; arrays and stacks keep the number they have.

    Of pairs it is that of most: a few that were stored in colour would make all three times as large.
    """
    found = headers(dataset)
    stacks = stacked(found)
    if stacks:
        return Counter(header.channels for header in stacks).most_common(1)[0][0]
    channels = [header.channels for header in found if not header.values]
    if dataset.pairs and channels:
        return max(sorted(set(channels)), key=channels.count)
    return max(channels, default=3)


def stacked(found: Sequence[Header]) -> list[Header]:
    """Return the headers of stacks of bands where most are such; else none: they are pictures."""
    stacks = [header for header in found if header.values]
    return stacks if 2 * len(stacks) > len(found) else []


def evenly_spaced(count: int, *, at_most: int) -> list[int]:
    """Return up to `at_most` different indices that cover 0 … count - 1 evenly.

    >>> evenly_spaced(10, at_most=3), evenly_spaced(2, at_most=3)
    ([0, 4, 9], [0, 1])
    """
    return [int(i) for i in np.linspace(0, count - 1, min(count, at_most))]


def headers(dataset: Dataset) -> list[Header]:
    """Return the headers of at most 500 evenly spaced pictures, of those that can be read."""
    found = []
    for index in evenly_spaced(len(dataset), at_most=_SAMPLED):
        try:
            found.append(dataset.read(index).header())
        except ImageError:  # the inventory reports it
            continue
    return found
