"""Pictures that a network is asked about together: no more than the processor's caches bear."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 128
_PIXELS = 2**20  # beyond, maps go through the memory: 128 pictures of 384 pixels took 2.5 times as long as 7


def at_once(shape: Sequence[int]) -> int:
    """Return how many pictures or clips of a shape, (H, W, C) or (F, H, W, C), are run together.

    >>> at_once((32, 32, 3)), at_once((224, 224, 3)), at_once((384, 384, 3)), at_once((8, 224, 224, 3))
    (128, 20, 7, 2)
    """
    return max(1, min(MOST, _PIXELS // max(1, math.prod(shape[:-1]))))


def framed(pictures: int, shape: Sequence[int]) -> int:
    """Return how many pictures or clips of a shape have no more frames together than so many pictures.

    >>> framed(64, (224, 224, 3)), framed(64, (8, 224, 224, 3)), framed(4, (8, 32, 32, 3))
    (64, 8, 1)
    """
    return max(1, pictures // math.prod(shape[:-3]))


def batches(
    images: NDArray[np.uint8], rows: NDArray[np.integer] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures in contiguous parts, each of as many as are run together.

    Args:
        images: uint8 (N, H, W, C), of clips (N, F, H, W, C).
        rows: Which of them, in which order, (M,); None: all.
    """
    count, step = len(images) if rows is None else len(rows), at_once(images.shape[1:])
    for start in range(0, count, step):
        part = images[start : start + step] if rows is None else images[rows[start : start + step]]
        yield np.ascontiguousarray(part)
