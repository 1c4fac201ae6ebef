"""What a recognizer found on a picture, drawn onto it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Sighting
from foveal.data.dataset import UInt8
from foveal.data.drawn import drawn
from foveal.data.heat import heated
from foveal.data.outline import Runs
from foveal.data.scene import VOID, Objects


def objects_of(seen: Sighting, classes: Sequence[str]) -> tuple[Objects, NDArray[np.float32]]:
    """Return what was found on a picture as it is drawn, with how sure each is, float32 (M,)."""
    order = {name: label for label, name in enumerate(classes)}
    boxes = np.array([one.box for one in seen.objects], np.float32).reshape(-1, 4)
    labels = np.array([order[one.label] for one in seen.objects], np.int64)
    scores = np.array([one.confidence for one in seen.objects], np.float32)
    outlines = tuple(Runs.from_json(one.outline) for one in seen.objects if one.outline is not None)
    ignored = np.zeros(len(labels), np.bool_)
    # Of a film what is shown beyond what the detector is sure of may have none: then boxes are drawn.
    return Objects(boxes, labels, ignored, outlines if len(outlines) == len(labels) else ()), scores


def drawn_sighting(
    seen: Sighting, pixels: UInt8, classes: Sequence[str], *, longest: int | None = None
) -> UInt8:
    """Return a picture, uint8 (H, W, C), with what was found on it, uint8 (H', W', 3).

    Args:
        seen: What was found on it.
        pixels: The picture, with C = 1 or 3.
        classes: Names in label order, which colours follow.
        longest: The longer side of what is returned, in pixels; None: that of the picture.
    """
    objects, scores = objects_of(seen, classes)
    regions = seen.regions
    if seen.heat is not None and regions is not None:
        pixels = heated(pixels, seen.heat)
        regions = np.where(regions == 0, np.uint8(VOID), regions)  # what is good keeps its own colours
    tracks = [one.track for one in seen.objects]
    return drawn(
        pixels,
        classes,
        objects=objects,
        scores=scores,
        tracks=tracks,
        regions=regions,
        longest=longest,
    )
