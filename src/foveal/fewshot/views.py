"""A picture and changed views of it: what a handful of pictures lacks are other distances and other light."""

import numpy as np

from foveal.core.random import stream
from foveal.data.dataset import Picture, UInt8, content_hash
from foveal.data.preprocess import Preprocess

VIEWS = 3  # the picture itself and two more; measured in docs/few-shot.md
_LEAST_AREA, _LIGHT = 0.5, 0.4


def views(picture: Picture, preprocess: Preprocess, *, seed: int) -> UInt8:
    """Return a picture at model size and two changed views of it, uint8 (3, S, S, C).

    A view is a square of half the area or more, cut from the middle square of the stored picture, half of
    them mirrored, in other light. It follows from the seed and from what is stored: neither other pictures
    nor the name of this one change it.

    Args:
        picture: A stored picture.
        preprocess: Of single pictures.
        seed: What is drawn follows from it.

    Raises:
        ImageError: The picture cannot be used; its code says why.
    """
    pixels = picture.decode(preprocess.channels)
    name = content_hash(picture.content)
    streams = (stream(seed, "few-shot view", name, number) for number in range(1, VIEWS))
    return np.stack([preprocess(pixels), *(_changed(pixels, preprocess, rng) for rng in streams)])


def _changed(pixels: UInt8, preprocess: Preprocess, rng: np.random.Generator) -> UInt8:
    height, width = pixels.shape[:2]
    side = min(height, width)
    part = max(1, round(side * rng.uniform(_LEAST_AREA, 1) ** 0.5))
    top, left = (rng.integers(0, side - part + 1) for _ in range(2))
    top, left = top + (height - side) // 2, left + (width - side) // 2
    seen = pixels[top : top + part, left : left + part]
    shown = preprocess(np.ascontiguousarray(seen[:, ::-1] if rng.random() < 0.5 else seen))
    return _lit(shown, rng)


def _lit(pixels: UInt8, rng: np.random.Generator) -> UInt8:
    """Return pixels with another brightness, contrast and saturation, in this order."""
    brightness, contrast, saturation = rng.uniform(1 - _LIGHT, 1 + _LIGHT, 3).astype(np.float32)
    levels = pixels.astype(np.float32) * brightness
    levels = (levels - levels.mean()) * contrast + levels.mean()
    grey = levels.mean(axis=2, keepdims=True)
    levels = (levels - grey) * saturation + grey
    changed: UInt8 = levels.round().clip(0, 255).astype(np.uint8)
    return changed
