"""Pictures as blocks, and blocks as pictures."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError


def cut(images: NDArray[np.uint8], blocks: int) -> NDArray[np.uint8]:
    """Return the blocks of pictures, uint8 (N, blocks, blocks, H / blocks, W / blocks, C).

    Raises:
        UsageError: Other pictures, or sides that are no multiple of `blocks`.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise UsageError(f"need uint8 pictures (N, H, W, C); got {images.dtype} {images.shape}")
    count, height, width, channels = images.shape
    if blocks < 1 or height % blocks or width % blocks:
        raise UsageError(f"{height} × {width} pixels cannot be cut into {blocks} × {blocks} equal blocks")
    shape = (count, blocks, height // blocks, blocks, width // blocks, channels)
    return images.reshape(shape).swapaxes(2, 3)


def joined(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pictures, uint8 (N, H, W, C), that `cut` has made such blocks of."""
    count, rows, columns, height, width, channels = blocks.shape
    rejoined = np.ascontiguousarray(blocks.swapaxes(2, 3))
    return rejoined.reshape(count, rows * height, columns * width, channels)
