"""The arrangement without the parts: every block becomes its mean colour."""

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.structure._blocks import cut, joined


def block_means(
    images: NDArray[np.uint8],
    *,
    blocks: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the pictures with every block filled with its mean: layout and colours without any detail.

    Args:
        images: uint8 (N, H, W, C); both sides are multiples of `blocks`.
        blocks: On each side; as many as pixels leaves the pictures as they are.
        rng: Not used: nothing is drawn.

    Raises:
        UsageError: Other pictures or sides.
    """
    pieces = cut(images, blocks)
    means = np.rint(pieces.mean(axis=(3, 4), keepdims=True, dtype=np.float64)).astype(np.uint8)
    return joined(np.broadcast_to(means, pieces.shape))
