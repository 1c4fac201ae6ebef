"""Known pictures whose parts are in the wrong place: all texture, no shape."""

import numpy as np
from numpy.typing import NDArray


def jigsaw(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return known pictures cut into 4 × 4 parts in another order, uint8 (N, H, W, C).

    No part stays in its place. What does not divide by 4 at the right and bottom stays.
    """
    count, height, width, channels = images.shape
    rows, columns = height // 4, width // 4
    pictures = images.copy()
    if not (rows and columns):
        return pictures
    inner = images[:, : 4 * rows, : 4 * columns].reshape(count, 4, rows, 4, columns, channels)
    parts = inner.swapaxes(2, 3).reshape(count, 16, rows, columns, channels)
    around = rng.permuted(np.tile(np.arange(16), (count, 1)), axis=1)
    from_where = np.empty_like(around)
    np.put_along_axis(from_where, around, np.roll(around, 1, axis=1), axis=1)  # one cycle: none stays
    moved = parts[np.arange(count)[:, None], from_where].reshape(count, 4, 4, rows, columns, channels)
    pictures[:, : 4 * rows, : 4 * columns] = moved.swapaxes(2, 3).reshape(
        count, 4 * rows, 4 * columns, channels
    )
    return pictures
