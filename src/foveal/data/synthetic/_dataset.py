"""Drawn pictures as a data set: each is drawn when it is asked for."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from foveal.core.random import stream
from foveal.core.task import Task
from foveal.data.dataset import Dataset, Header
from foveal.data.pictures import FilePicture
from foveal.data.scene import Scenes, UInt8, said_of
from foveal.data.synthetic._drawing import Drawing
from foveal.data.synthetic._scene import Synthetic

HELD_OUT = 0.15  # share of the pictures that are for validation, and as many for the test
_QUALITY = 92  # of JPEG


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture that is drawn when its pixels are asked for, and stored as JPEG."""

    width: int
    height: int
    drawing: Callable[[], Drawing] = field(repr=False)

    @property
    def content(self) -> bytes:
        """The bytes of the file; drawn anew each time."""
        file = io.BytesIO()
        Image.fromarray(self.drawing().pixels()).save(file, "JPEG", quality=_QUALITY)
        return file.getvalue()

    def header(self) -> Header:
        """Return size and colours; nothing is drawn for that."""
        return Header("JPEG", self.width, self.height, "RGB", 3)

    def decode(self, channels: int) -> UInt8:
        """Return the pixels as the file gives them, uint8 (H, W, channels)."""
        return FilePicture(self.content).decode(channels)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)


def tasks_of(scene: Synthetic) -> tuple[Task, ...]:
    """Return what can be learned from a scene, the usual one first."""
    return ("detect", "instance", "segment") if scene.ground else ("detect", "instance")


def dataset(
    name: str, scene: Synthetic, count: int, *, size: tuple[int, int], task: Task, seed: int
) -> Dataset:
    """Return pictures of a scene, in train, val and test.

    Args:
        name: Of the scene; it is in the names of the pictures, after `synthetic`.
        scene: What is drawn.
        count: How many.
        size: Width and height in pixels.
        task: One of `tasks_of`; for `segment` the ground is a class, the first one.
        seed: Equal seeds give equal pictures.
    """
    width, height = size
    held = round(HELD_OUT * count)

    def drawing(i: int) -> Drawing:
        return scene.draw(stream(seed, "synthetic", name, i), width, height)

    classes = (scene.ground, *scene.classes) if task == "segment" else scene.classes
    scenes = Scenes(
        task,
        (task,),
        lambda i: drawing(i).objects(),
        lambda i: said_of(drawing(i).objects(), scene.classes),
        (lambda i: drawing(i).regions()) if task == "segment" else None,
    )
    return Dataset(
        format="synthetic",
        path=Path(f"synthetic-{name}"),
        classes=classes,
        sources=tuple(f"synthetic-{name}-{i:05d}.jpg" for i in range(count)),
        labels=np.zeros(count, np.int64),
        splits=("train",) * (count - 2 * held) + ("val",) * held + ("test",) * held,
        read=lambda i: DrawnPicture(width, height, partial(drawing, i)),
        scenes=scenes,
    )
