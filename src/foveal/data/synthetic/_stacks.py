"""Drawn stacks of bands as a data set: things of two or more classes, each picture a TIFF of 16 bits."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core import extras
from foveal.core.random import stream
from foveal.data.dataset import Dataset, Header, UInt8
from foveal.data.pictures import StackPicture
from foveal.data.synthetic._dataset import HELD_OUT

UInt16 = NDArray[np.uint16]


class Stacks(NamedTuple):
    """Things that are sorted by what some bands show of them.

    Attributes:
        about: What it shows, in one line.
        classes: In label order.
        bands: Names, in order.
        side: Of a picture in pixels, as it is usually drawn.
        pictures: As many as it takes to learn from them.
        draw: Returns a picture of a class and side, uint16 (side, side, bands). All of it follows from the
            generator and the class; what the class does not decide is the same for every class.
    """

    about: str
    classes: tuple[str, ...]
    bands: tuple[str, ...]
    side: int
    pictures: int
    draw: Callable[[np.random.Generator, int, int], UInt16]


@dataclass(frozen=True, slots=True)
class DrawnStack:
    """A stack that is drawn when it is asked for, and stored as TIFF."""

    side: int
    bands: int
    drawing: Callable[[], UInt16] = field(repr=False)

    @property
    def content(self) -> bytes:
        """The bytes of the file; drawn anew each time."""
        extras.need("bands", what="a TIFF")
        import tifffile

        file = io.BytesIO()
        more: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig", "metadata": None}
        tifffile.imwrite(file, self.drawing(), software=False, **more)
        return file.getvalue()

    def header(self) -> Header:
        """Return size and bands; nothing is drawn for that."""
        return Header("TIFF", self.side, self.side, f"{self.bands} × uint16", self.bands, "uint16")

    def decode(self, channels: int) -> UInt8:
        """Raise an ImageError: it has no ranges."""
        return StackPicture(self.content).decode(channels)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Raise an ImageError: it has no ranges."""
        return self.header(), self.decode(channels)


def stacks_dataset(name: str, scene: Stacks, count: int, *, side: int, seed: int) -> Dataset:
    """Return drawn stacks, in train, val and test; which class a picture has is drawn apart from all else.

    Args:
        name: Of the scene; it is in the names of the pictures, after `synthetic`.
        scene: What is drawn.
        count: How many; the classes are as even as they can be in each split.
        side: In pixels.
        seed: Equal seeds give equal pictures.
    """
    held = round(HELD_OUT * count)
    sizes = {"train": count - 2 * held, "val": held, "test": held}
    labels = np.concatenate(
        [
            stream(seed, "synthetic", name, "labels", split).permutation(size) % len(scene.classes)
            for split, size in sizes.items()
        ]
    )

    def drawing(i: int) -> UInt16:
        return scene.draw(stream(seed, "synthetic", name, i), int(labels[i]), side)

    return Dataset(
        format="synthetic",
        path=Path(f"synthetic-{name}"),
        classes=scene.classes,
        sources=tuple(f"synthetic-{name}-{i:05d}.tif" for i in range(count)),
        labels=labels.astype(np.int64),
        splits=tuple(split for split, size in sizes.items() for _ in range(size)),
        read=lambda i: DrawnStack(side, len(scene.bands), partial(drawing, i)),
        band_names=scene.bands,
    )
