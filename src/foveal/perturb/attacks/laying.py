"""A printed square that is laid on pictures, turned, scaled, lit and placed by chance.

Source: Brown et al., "Adversarial Patch", 2017, §2: the patch operator A(p, x, l, t).
https://arxiv.org/abs/1712.09665
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foveal.core.errors import UsageError
from foveal.core.random import seed_for

UInt8 = NDArray[np.uint8]
SCALES = (0.8, 1.2)
DEGREES = 20.0
BRIGHTNESS = 0.2 * 255  # grey levels up or down: light, or an exposure of its own


@dataclass(frozen=True)
class Patch:
    """A square of pixels and where it is printed.

    Attributes:
        pixels: float32 (C, side, side), 0 to 255.
        mask: 1 where it covers, float32 (side, side).
        target: Class that it is meant to be taken for.
        share: Of the picture's area, at scale 1; turned and scaled it covers 0.64 to 1.44 of that.
    """

    pixels: Tensor = field(repr=False)
    mask: Tensor = field(repr=False)
    target: int
    share: float


def side_of(share: float, height: int, width: int) -> int:
    """Return the side of a square of at most a share of a picture.

    Raises:
        UsageError: That is no pixel, or the square does not fit.

    >>> side_of(0.05, 64, 64)
    14
    """
    side = math.isqrt(int(share * height * width)) if 0 < share < 1 else 0
    if not 1 <= side <= min(height, width):
        raise UsageError(f"a patch covers a share in (0, 1), a pixel or more, and fits; got {share}")
    return side


def squares(top: Tensor, left: Tensor, *, side: int, like: Tensor) -> Tensor:
    """Return one upright square for each picture, bool (N, 1, H, W).

    Args:
        top: First row of each, int64 (N,).
        left: First column.
        side: In pixels.
        like: Pictures (N, C, H, W) that they lie in.
    """
    rows, columns = torch.arange(like.shape[2]), torch.arange(like.shape[3])
    tall = (rows >= top[:, None]) & (rows < top[:, None] + side)
    wide = (columns >= left[:, None]) & (columns < left[:, None] + side)
    found: Tensor = (tall[:, :, None] & wide[:, None, :])[:, None]
    return found


def drawn_squares(like: Tensor, side: int, *, generator: torch.Generator) -> Tensor:
    """Return the same at places where they fit, all equally likely.

    Args:
        like: Pictures (N, C, H, W).
        side: In pixels.
        generator: Draws the places.
    """
    height, width = like.shape[2:]
    down = torch.randint(height - side + 1, (len(like),), generator=generator)
    across = torch.randint(width - side + 1, (len(like),), generator=generator)
    return squares(down, across, side=side, like=like)


def laid(pixels: Tensor, mask: Tensor, images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return pictures with the patch on each, in a pose of its own; gradients flow to the pixels.

    Scale 0.8 to 1.2, turned by up to 20 degrees, 0.2 of the range brighter or darker, at any place
    where it fits before it is turned.

    Args:
        pixels: float32 (C, side, side), 0 to 255.
        mask: float32 (side, side), 0 to 1.
        images: float32 (N, C, H, W), 0 to 255.
        generator: Draws the poses.
    """
    count, channels, height, width = images.shape
    side = pixels.shape[-1]
    scale, angle, light, across, down = torch.rand(5, count, generator=generator).to(images.device)
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * scale
    angle = math.radians(DEGREES) * (2 * angle - 1)
    light = BRIGHTNESS * (2 * light - 1)
    reach = (scale * side / 2).clamp(max=min(height, width) / 2)
    x, y = reach + across * (width - 2 * reach), reach + down * (height - 2 * reach)
    rows = torch.arange(height, dtype=torch.float32) + 0.5 - y[:, None]
    columns = torch.arange(width, dtype=torch.float32) + 0.5 - x[:, None]
    cos, sin = (angle.cos() / scale)[:, None, None], (angle.sin() / scale)[:, None, None]
    u = cos * columns[:, None, :] + sin * rows[:, :, None]
    v = cos * rows[:, :, None] - sin * columns[:, None, :]
    grid = torch.stack([u, v], dim=-1) * (2 / side)
    sheet = torch.cat([pixels, mask[None]]).expand(count, channels + 1, side, side)
    # border, then cut off by hand: zeros would mix black into the edge of the patch
    drawn = F.grid_sample(sheet, grid, mode="bilinear", padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(dim=-1)[:, None]
    cover = drawn[:, -1:] * inside
    lit = (drawn[:, :-1] + light[:, None, None, None]).clamp(0, 255)
    found: Tensor = (images * (1 - cover) + lit * cover).clamp(0, 255)  # weights sum to 1 up to rounding
    return found


def apply_patch(patch: Patch, images: UInt8, *, seed: int = 0) -> UInt8:
    """Return pictures with the patch on each, as a file can hold them.

    Args:
        patch: What is laid on.
        images: uint8 (N, H, W, C), of as many channels as the patch.
        seed: Of the poses; equal seeds give equal pictures.

    Raises:
        UsageError: Other pictures.
    """
    channels = len(patch.pixels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != channels:
        raise UsageError(f"need uint8 (N, H, W, {channels}); got {images.dtype} {images.shape}")
    if len(images) == 0:
        return images.copy()
    generator = torch.Generator().manual_seed(seed_for(seed, "patch"))
    pictures = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    with torch.no_grad():
        found = laid(patch.pixels, patch.mask, pictures, generator=generator)
    return found.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
