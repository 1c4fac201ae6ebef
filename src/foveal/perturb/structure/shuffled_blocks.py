"""The parts without their arrangement.

Source of the idea: Brendel & Bethge, "Approximating CNNs with bag-of-local-features models works
surprisingly well on ImageNet", ICLR 2019, §4: texture survives shuffling, shape does not.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.structure._blocks import cut, joined


def shuffled_blocks(images: NDArray[np.uint8], *, blocks: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the pictures with their blocks in another order, drawn anew for each picture.

    Args:
        images: uint8 (N, H, W, C); both sides are multiples of `blocks`.
        blocks: On each side; 1 leaves the pictures as they are.
        rng: Draws the orders.

    Raises:
        UsageError: Other pictures or sides.
    """
    pieces = cut(images, blocks)
    flat = pieces.reshape(len(images), blocks * blocks, *pieces.shape[3:])
    orders = rng.permuted(np.tile(np.arange(blocks * blocks), (len(images), 1)), axis=1)
    return joined(flat[np.arange(len(images))[:, None], orders].reshape(pieces.shape))
