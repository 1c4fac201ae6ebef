"""From a segmenter's class map at model size to the class of each pixel of the picture that was given."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from foveal.core.errors import BundleError
from foveal.core.types import Sighting
from foveal.data.preprocess import Preprocess

OUTPUTS = ("regions",)
MOST_CLASSES = 255  # a map of bytes, one of which says nothing

UInt8 = NDArray[np.uint8]


class RegionDecision(BaseModel):
    """From a class map to an answer: the most probable class of each pixel; part of the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: Literal["regions"] = "regions"


def checked(answers: Mapping[str, NDArray[Any]], count: int, *, classes: int) -> UInt8:
    """Return the class maps that a graph answered for `count` pictures, uint8 (N, H, W).

    Args:
        answers: Its outputs by name.
        count: How many pictures it was given.
        classes: How many it knows.

    Raises:
        BundleError: `bad_graph`: outputs of other names. `model_output_invalid`: other shapes, or a class
            that there is not.
    """
    if any(name not in answers for name in OUTPUTS):
        raise BundleError(
            f"the model answers with {', '.join(sorted(answers))} and not with {', '.join(OUTPUTS)}",
            code="bad_graph",
            hint="train or export it again",
        )
    regions = np.asarray(answers[OUTPUTS[0]])
    good = regions.ndim == 3 and len(regions) == count and regions.dtype == np.uint8
    if not good or regions.max(initial=0) >= classes:
        raise BundleError(
            f"the model answered with what are no classes of pixels: for {count} pictures {regions.dtype} "
            f"{regions.shape}, or a class that there is not",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )
    return regions


def original(regions: UInt8, size: tuple[int, int], preprocess: Preprocess) -> UInt8:
    """Return a class map of the model's input, (H, W), at the size of the picture, (height, width)."""
    height, width = preprocess.fitted(*size)
    seen = np.ascontiguousarray(regions[:height, :width])
    if seen.shape == size:
        return seen
    resized = Image.fromarray(seen).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized)


def decode(
    regions: UInt8,
    *,
    classes: Sequence[str],
    preprocess: Preprocess,
    sources: Sequence[str],
    sizes: Sequence[tuple[int, int]],
) -> list[Sighting]:
    """Return the class of each pixel of N pictures, and which share each class covers.

    Args:
        regions: At model size, uint8 (N, H, W).
        classes: K names.
        preprocess: Brought the pictures to model size.
        sources: N names.
        sizes: Height and width of the N pictures.
    """
    seen = []
    for one, source, size in zip(regions, sources, sizes, strict=True):
        whole = original(one, size, preprocess)
        areas = shares_of(whole, classes)
        told = Sighting(source, size[1], size[0], areas=areas, regions=whole, with_objects=False)
        seen.append(told)
    return seen


def shares_of(regions: UInt8, classes: Sequence[str]) -> dict[str, float]:
    """Return which share of a picture each class covers, of the class of each pixel (H, W)."""
    counts = Image.fromarray(regions).histogram()  # bytes as they are: a tenth of the time of `bincount`
    return {name: count / regions.size for name, count in zip(classes, counts, strict=False)}
