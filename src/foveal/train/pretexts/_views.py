"""Views of unlabelled pictures: parts of them, mirrored, in other colours, a whole batch at a time.

What two views of a picture share is what is learned; so they differ in all that must not matter. Which
changes: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020, appendix
A; their order is fixed here, so that a batch goes through each once.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.data.preprocess import Preprocess

_ASPECT = math.log(4 / 3)
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
# To luma and two axes of colour, in which a turn is a change of hue (the YIQ space of NTSC).
_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True)
class Changes:
    """How far views differ.

    Attributes:
        least: Smallest share of the area that a view shows, in (0, 1].
        most: Largest share.
        color: Largest change of brightness, contrast and saturation, as a share; a fourth of it of hue, in
            turns.
        color_share: Share of the views that are changed so.
        grey_share: Share of the views without colour; of pictures without colours nothing changes.
        mirror: Whether half of the views are mirrored.
    """

    least: float = 0.2
    most: float = 1.0
    color: float = 0.4
    color_share: float = 0.8
    grey_share: float = 0.2
    mirror: bool = True


def view(
    images: Tensor, preprocess: Preprocess, changes: Changes, generator: torch.Generator, *, size: int = 0
) -> Tensor:
    """Return one view of each picture, normalized, float32 (N, C, size, size), channels innermost in memory.

    Args:
        images: uint8 (N, H, W, C).
        preprocess: Gives mean and deviation.
        changes: How far a view differs from its picture.
        generator: The only source of randomness.
        size: Side of the views in pixels; 0: that of the pictures.
    """
    count, height, _, channels = images.shape
    side = size or height
    unit = images.permute(0, 3, 1, 2).float() / 255
    unit = F.grid_sample(
        unit,
        F.affine_grid(
            _windows(count, changes, generator), [count, channels, side, side], align_corners=False
        ),
        padding_mode="reflection",
        align_corners=False,
    )
    if changes.color > 0:
        unit = _colored(unit, changes, generator)
    if channels == 3 and changes.grey_share > 0:
        grey = (unit * torch.tensor(_GREY)[:, None, None]).sum(dim=1, keepdim=True)
        unit = torch.where(_some(count, changes.grey_share, generator), grey, unit)
    mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
    normalized = (unit - mean[:, None, None]) / std[:, None, None]
    return normalized.contiguous(memory_format=torch.channels_last)


def _windows(count: int, changes: Changes, generator: torch.Generator) -> Tensor:
    """Return which part of its picture each view shows, as affine maps (N, 2, 3) of the square [-1, 1]²."""
    draws = torch.rand(5, count, generator=generator)
    area = changes.least + (changes.most - changes.least) * draws[0]
    aspect = torch.exp((2 * draws[1] - 1) * _ASPECT)
    wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    across, down = (2 * draws[2] - 1) * (1 - wide), (2 * draws[3] - 1) * (1 - high)
    turned = torch.where(draws[4] < 0.5, -wide, wide) if changes.mirror else wide
    none = torch.zeros_like(wide)
    rows = torch.stack([turned, none, across], dim=1), torch.stack([none, high, down], dim=1)
    return torch.stack(rows, dim=1)


def _colored(unit: Tensor, changes: Changes, generator: torch.Generator) -> Tensor:
    """Return pictures on the 0..1 scale in other brightness, contrast and, with three channels, colours."""
    count, channels = unit.shape[:2]
    draws = (2 * torch.rand(4, count, 1, 1, 1, generator=generator) - 1) * changes.color
    mean = unit.mean(dim=(1, 2, 3), keepdim=True)
    # Brightness multiplies all, contrast the distance from the mean: together one multiple and one shift.
    brighter, steeper = 1 + draws[0], 1 + draws[1]
    changed = (unit - mean) * (brighter * steeper) + mean * brighter
    if channels == 3:
        turn = 2 * math.pi * draws[3].flatten() / 4
        cosine, sine = (1 + draws[2].flatten()) * turn.cos(), (1 + draws[2].flatten()) * turn.sin()
        one, none = torch.ones_like(turn), torch.zeros_like(turn)
        rows = [
            torch.stack(row, dim=1)
            for row in ([one, none, none], [none, cosine, -sine], [none, sine, cosine])
        ]
        matrix = torch.linalg.inv(_TO_YIQ) @ torch.stack(rows, dim=1) @ _TO_YIQ
        changed = torch.einsum("nij,njhw->nihw", matrix, changed)
    changed = changed.clamp(0, 1)
    return torch.where(_some(count, changes.color_share, generator), changed, unit)


def _some(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Return which of the pictures are meant, bool (N, 1, 1, 1)."""
    return torch.rand(count, 1, 1, 1, generator=generator) < share
