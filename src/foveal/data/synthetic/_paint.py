"""Colours, surfaces and small pictures with a clear edge."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from foveal.data.outline import Mask
from foveal.data.scene import UInt8

FINER = 4  # what is painted is painted so many times larger first
Colour = tuple[int, int, int]
Float32 = NDArray[np.float32]
_HALF = 128  # of 255: a pixel that is covered at least by half belongs to what is painted


def painted(width: int, height: int, paint: Callable[[ImageDraw.ImageDraw], None]) -> tuple[UInt8, Mask]:
    """Return what is painted on an empty sheet: its pixels, uint8 (height, width, 3), and which they are.

    Args:
        width: Of the sheet in pixels.
        height: Alike.
        paint: Paints on a sheet that is `FINER` times as wide and high.
    """
    sheet = Image.new("RGBA", (width * FINER, height * FINER))
    paint(ImageDraw.Draw(sheet))
    small = np.asarray(sheet.resize((width, height), Image.Resampling.BOX))
    return small[..., :3].copy(), small[..., 3] >= _HALF


def shade(colour: Colour, by: float) -> Colour:
    """Return a lighter (above 1) or darker colour."""
    red, green, blue = (int(min(255, max(0, value * by))) for value in colour)
    return red, green, blue


def near(rng: np.random.Generator, colour: Colour, by: int = 14) -> Colour:
    """Return a colour that differs a little."""
    red, green, blue = np.clip(np.array(colour) + rng.integers(-by, by + 1, 3), 0, 255).tolist()
    return red, green, blue


def waves(rng: np.random.Generator, height: int, width: int, cell: float) -> Float32:
    """Return smooth noise between about −1 and 1, float32 (height, width), that changes within a cell."""
    rows, columns = int(height / cell) + 2, int(width / cell) + 2
    knots = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
    box = (0.5, 0.5, 0.5 + width / cell, 0.5 + height / cell)
    return np.asarray(knots.resize((width, height), Image.Resampling.BICUBIC, box=box), np.float32)


def surface(rng: np.random.Generator, height: int, width: int, colour: Colour, rough: float) -> UInt8:
    """Return an uneven surface, uint8 (height, width, 3).

    Args:
        rng: Where its unevenness comes from.
        height: In pixels.
        width: Alike.
        colour: On the whole.
        rough: By how many grey levels it goes up and down.
    """
    relief = sum(waves(rng, height, width, cell) / n for n, cell in enumerate((90, 28, 8, 3), start=1))
    flat = np.array(colour, np.float32) + rough * np.asarray(relief)[..., None]
    uneven: UInt8 = flat.clip(0, 255).astype(np.uint8)
    return uneven


def light(rng: np.random.Generator, height: int, width: int, *, by: float = 0.15) -> Float32:
    """Return what daylight does to a picture, float32 (height, width): brighter to one side, near 1."""
    slope = rng.uniform(-by, by, 2)
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    level = np.float32(rng.uniform(1 - by, 1 + by))
    bright: Float32 = (level + slope[0] * y[:, None] + slope[1] * x[None]).astype(np.float32)
    return bright
