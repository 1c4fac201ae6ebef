"""Defects that are made up: what good pictures look like with something on them that does not belong there.

Source: Li et al., "CutPaste", 2021 (a piece of a picture, or a thin scar, somewhere else), and Zavrtanik et
al., "DRAEM", 2021 (other texture inside of blobs of smooth noise, more or less transparent). Textures are
those of the pictures themselves: nothing else is needed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_GRIDS = (3, 5, 9)  # places of the noise that blobs are made of, along a side
_SMALLEST, _LARGEST = 0.02, 0.35  # half of a defect's length, as a share of the shorter side
_THIN = 0.12  # how thin a scar is, as a share of its length
_LEAST = 12  # pixels that can be seen at a quarter of the side
_KINDS = 3  # of what is put there: a piece of the picture, of another one, or light and shade


def with_defects(images: Tensor, inside: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return pictures each of which has one to three made-up defects, and where, bool (N, H, W).

    Args:
        images: Good ones, normalized, float32 (N, C, H, W).
        inside: What is picture and not what a letterbox filled, bool (N, H, W).
        generator: The source of all draws.
    """
    marked = torch.zeros_like(inside)
    for layer in range(3):
        where = _shapes(images, inside, generator)
        if layer:  # a second one on every other picture, a third on every fourth
            where &= (torch.rand(len(images), generator=generator) < 0.5**layer)[:, None, None]
        images = torch.where(where[:, None], _texture(images, generator), images)
        marked |= where
    few = marked.sum(dim=(1, 2)) < _LEAST
    return images, marked & ~few[:, None, None]


def _shapes(images: Tensor, inside: Tensor, generator: torch.Generator) -> Tensor:
    """Return a region of each picture, bool (N, H, W): a turned rectangle, a scar, or a blob of noise."""
    count, _, height, width = images.shape
    draws = torch.rand(6, count, 1, 1, generator=generator)
    centre = _places(inside, generator)
    down = torch.arange(height)[None, :, None] - centre[:, 0, None, None]
    across = torch.arange(width)[None, None, :] - centre[:, 1, None, None]
    angle = draws[0] * torch.pi
    along = (across * angle.cos() + down * angle.sin()).abs()
    aside = (down * angle.cos() - across * angle.sin()).abs()
    shares = _SMALLEST * (_LARGEST / _SMALLEST) ** draws[1]
    length = shares * min(height, width)
    kind = (draws[2] * 3).long()
    high = length * torch.where(kind == 1, _THIN * (0.4 + draws[3]), 0.3 + 0.7 * draws[3])
    box = (along <= length) & (aside <= high.clamp(min=1.0))
    round_ = (along / length.clamp(min=1.0)) ** 2 + (aside / high.clamp(min=1.0)) ** 2 <= 1.0
    blob = round_ & (_noise(count, (height, width), generator) > (draws[4] - 0.6))
    return torch.where(kind == 2, blob, torch.where(draws[5] < 0.5, box, round_)) & inside


def _places(inside: Tensor, generator: torch.Generator) -> Tensor:
    """Return row and column of a pixel inside of each picture, (N, 2)."""
    flat = inside.flatten(1).float() + 1e-6
    chosen = torch.multinomial(flat, 1, generator=generator)[:, 0]
    return torch.stack([chosen // inside.shape[2], chosen % inside.shape[2]], dim=1)


def _noise(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return smooth noise with mean 0 and deviation 1, (N, H, W)."""
    total = torch.zeros(count, *size)
    for grid in _GRIDS:
        coarse = torch.randn(count, 1, grid, grid, generator=generator)
        total += F.interpolate(coarse, size=size, mode="bicubic", align_corners=False)[:, 0]
    return (total - total.mean(dim=(1, 2), keepdim=True)) / total.std(dim=(1, 2), keepdim=True).clamp(
        min=1e-3
    )


def _texture(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return what is put into the regions, (N, C, H, W)."""
    count, _, height, width = images.shape
    draws = torch.rand(4, count, 1, 1, 1, generator=generator)
    shift = [
        int(torch.randint(side // 8, side - side // 8, (1,), generator=generator)) for side in (height, width)
    ]
    own = images.roll(shift, dims=(2, 3))
    other = own.roll(1, dims=0)
    if torch.rand(1, generator=generator) < 0.5:
        other = other.flip(3)
    kind = (draws[0] * _KINDS).long()
    light = (draws[1] * 2 - 1) * 2.0
    light = light + light.sign() * 0.25
    shaded = images * (0.4 + 0.6 * draws[2]) + light
    pasted = torch.where(kind == 0, own, other) * torch.exp((draws[1] - 0.5) * 0.6) + (draws[2] - 0.5) * 0.8
    new = torch.where(kind == 2, shaded, pasted)
    seen = 0.3 + 0.7 * draws[3]  # the smallest can hardly be seen, as real ones
    return images + seen * (new - images)
