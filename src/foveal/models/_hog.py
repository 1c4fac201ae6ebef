"""Histograms of oriented gradients, as operations that export.

Source: Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, §6: centred
gradients without smoothing, of several channels the one with the largest magnitude; nine orientations
without sign; votes shared between neighbouring orientations and cells; overlapping blocks of 2×2 cells,
normalized by L2-Hys. Left out: the Gaussian window over each block, which would need a histogram per block.

Every step but one is continuous in the pixels, so a difference in the last digit stays one: an exported graph
must answer as the network does. The choice between two channels with equally large gradients jumps.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ORIENTATIONS = 9  # of half a turn
_CELLS = 8  # along a side, about
_BLOCK = 2  # cells along the side of a block
_CLIP = 0.2
_NOISE = 0.01  # of a cell's mean gradient, in deviations of the pixels: what is below is no contrast
_NEVER_ZERO = 1e-20  # in place of a horizontal gradient of 0, which may not divide


class Hog(nn.Module):
    """Normalized images (N, C, size, size) to features (N, D): orientations within blocks of cells."""

    def __init__(self, *, size: int) -> None:
        """Lay the cells out.

        Args:
            size: Side of the images in pixels, ≥ 16. A cell has about an eighth of it; what does not divide
                is left out at the right and at the bottom.
        """
        super().__init__()
        self.cell = cell_side(size)
        self.cells = size // self.cell
        self.register_buffer("window", _window(self.cell), persistent=False)
        centres = torch.arange(ORIENTATIONS, dtype=torch.float32) + 0.5
        self.register_buffer("centres", centres.view(1, -1, 1, 1), persistent=False)

    @property
    def features(self) -> int:
        """D."""
        return (self.cells - _BLOCK + 1) ** 2 * _BLOCK**2 * ORIENTATIONS

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, D) in [0, 1]."""
        across, down = _strongest_gradient(images)
        votes = self._orientations(across, down) * (across * across + down * down).sqrt()
        histograms = F.conv2d(
            votes,
            self.get_buffer("window"),
            stride=self.cell,
            padding=self.cell // 2,
            groups=ORIENTATIONS,
        )[:, :, : self.cells, : self.cells]
        return _blocks(histograms).flatten(1)

    def _orientations(self, across: Tensor, down: Tensor) -> Tensor:
        """Return the share of each orientation in each pixel's vote, (N, 9, H, W), linear in the angle."""
        divisor = torch.where(across == 0, torch.full_like(across, _NEVER_ZERO), across)
        turned = torch.atan(down / divisor) * (ORIENTATIONS / math.pi) - self.get_buffer("centres")
        apart = turned - ORIENTATIONS * torch.round(turned / ORIENTATIONS)
        return F.relu(1 - apart.abs())


def cell_side(size: int) -> int:
    """Return the side of a cell in pixels.

    >>> [cell_side(size) for size in (16, 28, 32, 64, 224)]
    [2, 4, 4, 8, 28]
    """
    return max(2, round(size / _CELLS))


def _strongest_gradient(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return horizontal and vertical differences, (N, 1, H, W), of the channel where they are largest."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    squared = across * across + down * down
    best, best_across, best_down = squared[:, :1], across[:, :1], down[:, :1]
    for channel in range(1, images.shape[1]):  # no argmax: which of equal values it gives is nobody's promise
        one = slice(channel, channel + 1)
        larger = squared[:, one] > best
        best = torch.where(larger, squared[:, one], best)
        best_across = torch.where(larger, across[:, one], best_across)
        best_down = torch.where(larger, down[:, one], best_down)
    return best_across, best_down


def _window(cell: int) -> Tensor:
    """Return what a pixel counts for a cell, (9, 1, L, L): 1 at its centre, 0 at the centres around it."""
    length = 2 * cell - cell % 2
    steps = torch.arange(length, dtype=torch.float32) - (length - 1) / 2
    triangle = 1 - steps.abs() / cell
    return (triangle[:, None] * triangle / cell**2).expand(ORIENTATIONS, 1, -1, -1).contiguous()


def _blocks(cells: Tensor) -> Tensor:
    """Return normalized blocks, (N, 36, h - 1, w - 1), of histograms (N, 9, h, w)."""
    blocks = torch.cat(
        [cells[:, :, :-1, :-1], cells[:, :, :-1, 1:], cells[:, :, 1:, :-1], cells[:, :, 1:, 1:]], dim=1
    )
    clipped = (blocks / _length(blocks, _NOISE)).clamp(max=_CLIP)
    return clipped / _length(clipped, _NOISE)


def _length(blocks: Tensor, noise: float) -> Tensor:
    return ((blocks * blocks).sum(dim=1, keepdim=True) + noise**2).sqrt()
