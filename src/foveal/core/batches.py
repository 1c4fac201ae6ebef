"""Pictures that a network is asked about together: no more than the processor's caches bear."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 128
_PIXELS = 2**20  # beyond, maps go through the memory: 128 pictures of 384 pixels took 2.5 times as long as 7
_TOGETHER = 32  # several batches run side by side, each with maps of its own


def at_once(shape: Sequence[int]) -> int:
    """Return how many pictures or clips of a shape, (H, W, C) or (F, H, W, C), are run together.

    >>> at_once((32, 32, 3)), at_once((224, 224, 3)), at_once((384, 384, 3)), at_once((8, 224, 224, 3))
    (128, 20, 7, 2)
    """
    return max(1, min(MOST, _PIXELS // max(1, math.prod(shape[:-1]))))


def together(shape: Sequence[int]) -> int:
    """Return how many pictures or clips of a shape a file is asked about at once, wherever that is; ≥ 2.

    The number may move the last bit of an answer: so it follows from the shape, and from nothing else. A
    batch of one would agree with itself.

    >>> together((32, 32, 3)), together((224, 224, 3)), together((64, 224, 224, 3))
    (32, 20, 2)
    """
    return max(2, min(_TOGETHER, at_once(shape)))


def in_parts(count: int, shape: Sequence[int]) -> list[range]:
    """Return the places of so many pictures or clips of a shape, as a file is asked about them together.

    >>> in_parts(5, (8, 224, 224, 3))
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    step = together(shape)
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


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
