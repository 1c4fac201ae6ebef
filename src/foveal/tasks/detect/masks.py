"""From masks on a coarse map of the model's input to the pixels of the picture that each object covers."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.data.outline import Runs
from foveal.data.preprocess import Preprocess

UInt8 = NDArray[np.uint8]
INSIDE = 128  # of a mask's values: from here on a place is the object's
STEPS = 16.0  # of a mask's values in one logit: ±8 is all that matters


def masks_of(
    masks: UInt8, boxes: NDArray[np.float32], size: tuple[int, int], preprocess: Preprocess
) -> list[Runs]:
    """Return which pixels of a picture each of D objects covers; none outside its box.

    Args:
        masks: On the map of the model's input, uint8 (D, h, w).
        boxes: In pixels of the picture, (D, 4).
        size: Height and width of the picture.
        preprocess: Brought it to model size.
    """
    height, width = size
    fitted = preprocess.fitted(height, width)
    steps = masks.shape[1] / preprocess.sides[0], masks.shape[2] / preprocess.sides[1]
    scale = fitted[0] / height * steps[0], fitted[1] / width * steps[1]
    corners = _outward(boxes, size).tolist()
    return [
        _mask(mask, (left, top, right, bottom), scale, size)
        for mask, (left, top, right, bottom) in zip(masks, corners, strict=True)
    ]


def _outward(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.int64]:
    """Return whole pixels around boxes (D, 4), at least one, inside a picture."""
    limit = np.array([size[1], size[0]])
    low = np.minimum(np.floor(boxes[:, :2]).astype(np.int64), limit - 1)
    high = np.minimum(np.maximum(np.ceil(boxes[:, 2:]).astype(np.int64), low + 1), limit)
    return np.concatenate([low, high], axis=1)


def _mask(
    mask: UInt8, box: tuple[int, int, int, int], scale: tuple[float, float], size: tuple[int, int]
) -> Runs:
    """Return the mask of one object from its values on the map, uint8 (h, w), bilinearly."""
    left, top, right, bottom = box
    down, across = scale
    seen = (
        left * across,
        top * down,
        min(right * across, mask.shape[1]),
        min(bottom * down, mask.shape[0]),
    )
    crop = Image.fromarray(mask).resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=seen)
    return Runs.within(np.asarray(crop) >= INSIDE, left, top, height=size[0], width=size[1])
