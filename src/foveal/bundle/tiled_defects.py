"""Defects on pictures that are much larger than the recognizer's input: tile by tile, told as one."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core.types import Sighting
from foveal.tasks.defect.decode import kinds_at, original
from foveal.tasks.segment.decode import shares_of

UInt8 = NDArray[np.uint8]
Window = tuple[int, int, int, int]


def see_defects(predictor: Predictor, pixels: UInt8, windows: Iterable[Window], name: str) -> Sighting:
    """Return what is wrong where on a picture: it is as defective as its worst tile.

    Where tiles overlap the one that shows a place stronger counts: at the edge of a tile less is seen of what
    is around a place.

    Args:
        predictor: Looks for defects.
        pixels: uint8 (H, W, channels of the recognizer).
        windows: Top, left, bottom and right of tiles that cover the picture.
        name: What the answer says that it is for.

    Raises:
        BundleError: The model's answer makes no sense.
    """
    height, width = pixels.shape[:2]
    heat, regions = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    decision, preprocess = predictor.manifest.defects, predictor.preprocess
    worst = -np.inf
    for top, left, bottom, right in windows:
        found = predictor.suspect(preprocess(np.ascontiguousarray(pixels[top:bottom, left:right]))[None])
        worst = max(worst, float(found.scores[0]))
        seen = original(decision.heat(found.maps[0]), (bottom - top, right - left), preprocess)
        strongest, there = seen.max(axis=0), (slice(top, bottom), slice(left, right))
        stronger = strongest > heat[there]
        regions[there] = np.where(stronger, kinds_at(seen), regions[there])
        heat[there] = np.maximum(heat[there], strongest)
    areas = shares_of(regions, predictor.classes)
    del areas[predictor.classes[0]]
    return Sighting(
        name, width, height, areas=areas, regions=regions, with_objects=False, score=worst, heat=heat
    )
