"""What is stated about pictures, as recognizers are measured against it."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.core.errors import DataError, UsageError
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID, Objects

_KEPT = 4096  # pictures whose objects are remembered
_KEPT_MAPS = 64  # and those whose class maps are, which whoever asks twice does so soon
Stated = Callable[[int], Objects]


def stated(dataset: Dataset, preprocess: Preprocess, *, classes: Sequence[str] | None = None) -> Stated:
    """Return what gives the objects of a picture in pixels of the model's input, without degenerate ones.

    Args:
        dataset: With scenes.
        preprocess: Brings its pictures to model size.
        classes: Names in the order that labels are wanted in; every class of the data is one of them. None:
            that of the data.

    Raises:
        UsageError: `other_task`: the data say nothing about objects.
    """
    scenes = dataset.scenes
    if scenes is None:
        raise UsageError(f"{dataset.path} does not say where something is", code="other_task")
    order = {name: label for label, name in enumerate(classes or dataset.classes)}
    to = np.array([order[name] for name in dataset.classes], np.int64)

    @lru_cache(maxsize=_KEPT)
    def of(index: int) -> Objects:
        objects = scenes.objects(index)
        objects = objects.only(objects.sound).relabelled(to)
        header = dataset.read(index).header()
        return at_size(objects, (header.height, header.width), preprocess)

    return of


def at_size(objects: Objects, size: tuple[int, int], preprocess: Preprocess) -> Objects:
    """Return objects of a picture in pixels of the model's input; outlines stay in those of the picture.

    Args:
        objects: In pixels of the picture.
        size: Height and width of the picture.
        preprocess: Brings it to model size.
    """
    height, width = size
    fitted_height, fitted_width = preprocess.fitted(height, width)
    factor: NDArray[np.float32] = np.array([fitted_width / width, fitted_height / height] * 2, np.float32)
    return Objects(
        objects.boxes * factor, objects.labels, objects.ignored, objects.outlines, objects.attributes
    )


def stated_regions(dataset: Dataset, *, classes: Sequence[str] | None = None) -> Callable[[int], UInt8]:
    """Return what gives the class of each pixel of a picture, uint8 (H, W) of the picture itself.

    It is kept for a while, and cannot be written to.

    Args:
        dataset: With scenes that say it.
        classes: Names in the order that labels are wanted in; every class of the data is one of them. None:
            that of the data.

    Raises:
        UsageError: `other_task`: the data say nothing about pixels.
    """
    scenes = dataset.scenes
    if scenes is None or scenes.regions is None:
        raise UsageError(f"{dataset.path} does not say the class of each pixel", code="other_task")
    order = {name: label for label, name in enumerate(classes or dataset.classes)}
    to = np.full(256, VOID, np.uint8)
    to[: len(dataset.classes)] = [order[name] for name in dataset.classes]
    read = scenes.regions

    @lru_cache(maxsize=_KEPT_MAPS)
    def of(index: int) -> UInt8:
        found: UInt8 = to[read(index)]
        found.flags.writeable = False
        return found

    return of


def regions_at_size(regions: UInt8, preprocess: Preprocess) -> UInt8:
    """Return a class map of a picture, (H, W), at model size; of what a letterbox fills nothing is said."""
    height, width = preprocess.fitted(*regions.shape)
    seen = regions
    if seen.shape != (height, width):
        seen = np.asarray(Image.fromarray(regions).resize((width, height), Image.Resampling.NEAREST))
    framed = np.full(preprocess.sides, VOID, np.uint8)
    framed[:height, :width] = seen
    return framed


def numbers_at_size(objects: Objects, size: tuple[int, int], preprocess: Preprocess) -> NDArray[np.uint16]:
    """Return which of some objects is at each pixel of the model's input, uint16 (H, W), from 1 on; 0: none.

    Where objects overlap, the smaller one is in front.

    Args:
        objects: With outlines in pixels of the picture.
        size: Height and width of the picture.
        preprocess: Brings it to model size.

    Raises:
        DataError: `too_many`: more than 65,535 objects.
    """
    if len(objects) > np.iinfo(np.uint16).max:
        raise DataError(f"{len(objects)} objects on a picture are more than a map numbers", code="too_many")
    # One mask at a time: those of all would fill the memory.
    areas = [int(outline.mask(*size).sum()) for outline in objects.outlines]
    whole = np.zeros(size, np.uint16)
    for row in sorted(range(len(areas)), key=lambda row: -areas[row]):
        whole[objects.outlines[row].mask(*size)] = row + 1
    height, width = preprocess.fitted(*size)
    rows = ((np.arange(height) + 0.5) * size[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * size[1] / width).astype(np.int64)
    framed = np.zeros(preprocess.sides, np.uint16)
    framed[:height, :width] = whole[rows[:, None], columns]
    return framed
