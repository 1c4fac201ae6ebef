"""Ice on the lens."""

import functools
import math

import numpy as np
from PIL import Image, ImageDraw

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "weather"
# How much of the picture is seen, and how much of the ice is added.
SMALL_SEEN, SMALL_ICE = (1.0, 1.0, 0.9, 0.85, 0.75), (0.2, 0.3, 0.4, 0.4, 0.45)
LARGE_SEEN, LARGE_ICE = (1.0, 0.8, 0.7, 0.65, 0.6), (0.4, 0.6, 0.7, 0.7, 0.75)
_DRAWN = 1120  # side of the pane in pixels, as it is drawn
_PANE = 5  # its side in sides of the picture
_CRYSTALS = 90
_SEED = 2019  # of the pane; where each picture lies on it comes from `rng`


def frost(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images seen through a frozen pane, each through a place of its own.

    ImageNet-C uses photographs of frozen panes; this pane is drawn: hazy ice with feathered crystals.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where on the pane each picture lies, and which side of it is up.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    seen = np.float32(between(SMALL_SEEN, LARGE_SEEN, severity=severity, side=size))
    ice = np.float32(between(SMALL_ICE, LARGE_ICE, severity=severity, side=size))
    height, width = images.shape[1:3]
    pane = _pane(max(size, height, width) * _PANE)

    def change(some: UInt8) -> UInt8:
        cuts = np.empty((len(some), height, width, 1), dtype=np.uint8)
        for number, (down, across, turned) in enumerate(rng.random((len(some), 3))):
            top, left = int(down * (len(pane) - height)), int(across * (len(pane) - width))
            cut = pane[top : top + height, left : left + width]
            cuts[number, :, :, 0] = cut[:, ::-1] if turned < 0.5 else cut
        return to_bytes(some * seen + cuts * ice)

    return piecewise(images, change)


@functools.lru_cache(maxsize=4)
def _pane(side: int) -> UInt8:
    """Return the ice of a square pane, uint8 (side, side)."""
    return np.asarray(Image.fromarray(_ice()).resize((side, side), Image.Resampling.BOX))


@functools.cache
def _ice() -> UInt8:
    """Return the pane as it is drawn."""
    rng = np.random.default_rng(_SEED)
    haze = Image.fromarray(rng.integers(20, 170, (56, 56), dtype=np.uint8)).resize(
        (_DRAWN, _DRAWN), Image.Resampling.BICUBIC
    )
    ice = np.asarray(haze) + rng.integers(0, 30, (_DRAWN, _DRAWN), dtype=np.uint8)
    for shade in (70, 90, 120):  # layers, the brightest on top
        crystals = Image.new("L", (2 * _DRAWN, 2 * _DRAWN))
        draw = ImageDraw.Draw(crystals)
        for _ in range(_CRYSTALS // 3):
            start = tuple(rng.uniform(0, 2 * _DRAWN, 2))
            _feather(draw, start, rng.uniform(0, math.tau), rng.uniform(150, 600), rng)
        layer = np.asarray(crystals.reduce(2), dtype=np.uint16)
        ice = np.minimum(255, ice + layer * shade // 255).astype(np.uint8)
    return ice


def _feather(
    draw: ImageDraw.ImageDraw, start: tuple[float, ...], angle: float, span: float, rng: np.random.Generator
) -> None:
    """Draw a stem with branches at 60° on both sides, and branches on these."""
    x, y = start
    steps = max(2, int(span / 14))
    for step in range(steps):
        angle += rng.normal(0, 0.03)
        following = x + span / steps * math.cos(angle), y + span / steps * math.sin(angle)
        draw.line([(x, y), following], fill=255, width=max(1, round(span / 22 * (1 - step / steps)) + 2))
        x, y = following
        branch = span * 0.35 * (1 - step / steps) * rng.uniform(0.6, 1.2)
        if branch > 20:
            _feather(draw, (x, y), angle + rng.choice((-1, 1)) * math.pi / 3, branch, rng)
