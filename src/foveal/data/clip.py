"""A clip is a picture with a time axis: how many frames stand for it, and which."""

import copy
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from foveal.data.dataset import UInt8

FRAMES = 8  # where nobody says how many


class Clip(BaseModel):
    """How a film becomes T frames; part of a `Preprocess`, frozen, and the same in JSON.

    Attributes:
        frames: T.
        spread: Frames in the middles of T equal parts of the film, as `places` says.
        spacing_s: Median time from one of these frames to the next in the films that were learned from, in
            seconds: what a stream takes its frames at. None: not known yet. It decides no pixel of a clip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    frames: int = Field(ge=2, le=64)
    spread: Literal["middles"] = "middles"
    spacing_s: float | None = Field(default=None, gt=0, le=3600)


def places(count: int, frames: int) -> NDArray[np.int64]:
    """Return which of `count` frames are taken, int64 (frames,), rising; of a short film some several times.

    >>> places(8, 4).tolist(), places(2, 4).tolist()
    ([1, 3, 5, 7], [0, 0, 1, 1])
    """
    chosen: NDArray[np.int64] = (2 * np.arange(frames) + 1) * count // (2 * frames)
    return chosen


def still(pixels: UInt8) -> UInt8:
    """Return the middle frame of a clip, uint8 (T, H, W, C), or a picture as it is.

    For whatever looks at pictures alone: properties of the camera, pages for people.
    """
    return pixels[len(pixels) // 2] if pixels.ndim == 4 else pixels


def framewise(change: Callable[[UInt8], UInt8], images: UInt8) -> UInt8:
    """Return what becomes of the frames of clips, each as a picture by itself, or of pictures as they are.

    Args:
        change: From pictures to as many of that shape, uint8 (M, H, W, C).
        images: Pictures (N, H, W, C), or clips (N, T, H, W, C), uint8.
    """
    return change(images.reshape(-1, *images.shape[-3:])).reshape(images.shape)


def drawn_once(
    change: Callable[[UInt8, np.random.Generator], UInt8],
    images: UInt8,
    rng: np.random.Generator,
    *,
    anew: bool = False,
) -> UInt8:
    """Return what becomes of pictures, or of clips whose frames undergo one and the same change.

    Args:
        change: From pictures and what it draws from to as many of that shape, uint8 (M, H, W, C).
        images: Pictures (N, H, W, C), or clips (N, T, H, W, C), uint8.
        rng: Drawn from; where `change` draws as much whatever the pixels, all frames of a clip get the same.
        anew: Whether each frame gets draws of its own.
    """
    if images.ndim == 4:
        return change(images, rng)
    before, changed = copy.deepcopy(rng), np.empty_like(images)
    for place in range(images.shape[1]):
        drawn = copy.deepcopy(before) if place and not anew else rng
        changed[:, place] = change(images[:, place], drawn)
    return changed


def tall(images: UInt8) -> UInt8:
    """Return clips (N, T, H, W, C) as pictures (N, T·H, W, C), frame below frame; pictures as they are.

    For whatever may change any pixel and asks about pictures alone.
    """
    return images.reshape(len(images), math.prod(images.shape[1:-2]), *images.shape[-2:])
