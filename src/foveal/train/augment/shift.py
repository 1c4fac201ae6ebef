"""Move pictures by a few pixels, mirroring what comes in at the border."""

import torch
from torch import Tensor

from foveal.train.objective import Batch

STRONGEST = 0.5


def shift(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Move each picture by up to `strength` of its side, independently in both directions.

    Args:
        images: (N, C, H, W).
        targets: (N, K).
        strength: Largest move as a share of the side, in [0, 0.5].
        batch: Gives the generator.
    """
    count, _, height, width = images.shape
    limit = round(strength * min(height, width))
    if limit == 0:
        return images, targets
    moves = torch.randint(-limit, limit + 1, (2, count, 1), generator=batch.generator)
    rows = _mirrored(torch.arange(height) + moves[0], height)
    columns = _mirrored(torch.arange(width) + moves[1], width)
    pixels = images.permute(0, 2, 3, 1)  # (N, H, W, C): a gather then copies whole pixels
    moved = pixels[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2), targets


def _mirrored(index: Tensor, length: int) -> Tensor:
    """Return the index inside [0, length) that a mirror at the border shows."""
    index = index.abs()
    return torch.where(index >= length, 2 * (length - 1) - index, index)
