"""Pictures inside a page: pixels become the text of an image address, nothing is loaded from outside."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.report.tables import thinned

LARGEST = 256  # pixels on the longer side; a report is looked at, not measured
_SMALL = 96  # up to here every pixel is kept as it is, and shown as a square
_CLASSES, _PICTURES, _BYTES = 400, 800, 12_000_000  # of a gallery; a browser should open it at once


@dataclass(frozen=True)
class ClassPictures:
    """Some of the user's own pictures of one class.

    Attributes:
        name: The class.
        images: How many pictures of it there are in all.
        pictures: A few of them, uint8 (H, W, C).
    """

    name: str
    images: int
    pictures: tuple[UInt8, ...] = field(repr=False)


@dataclass(frozen=True)
class Embedded:
    """A picture as a page takes it.

    Attributes:
        address: A `data:` address, PNG for small pictures and JPEG for others.
        width, height: In pixels, as embedded.
        pixelated: Whether it is so small that its pixels should be seen as squares.
    """

    address: str = field(repr=False)
    width: int
    height: int
    pixelated: bool


@dataclass(frozen=True)
class Strip:
    """The pictures of one class as a page takes them.

    Attributes:
        name: The class.
        images: How many pictures of it there are in all.
        share: Of the number of pictures of the largest class.
        pictures: Some of them.
    """

    name: str
    images: int
    share: float
    pictures: tuple[Embedded, ...] = field(repr=False)


def strips(gallery: Sequence[ClassPictures]) -> list[Strip]:
    """Return the pictures of a gallery that fit on a page.

    All of them, as long as these are at most 800 with about 12 MB; of more, fewer of each class; of more than
    400 classes only 400, evenly over the list.
    """
    most = max((group.images for group in gallery), default=1)
    groups = thinned(gallery, _CLASSES)
    embedded: list[list[Embedded]] = [[] for _ in groups]
    for turn in range(max((len(group.pictures) for group in groups), default=0)):
        if turn and not _room(embedded):
            break
        for group, mine in zip(groups, embedded, strict=True):
            mine += map(embed, group.pictures[turn : turn + 1])
    return [
        Strip(group.name, group.images, group.images / max(1, most), tuple(mine))
        for group, mine in zip(groups, embedded, strict=True)
    ]


def _room(embedded: Sequence[Sequence[Embedded]]) -> bool:
    """Return whether one more picture of each class would fit."""
    addresses = [len(picture.address) for mine in embedded for picture in mine]
    per_picture = sum(addresses) / max(1, len(addresses))
    count = len(addresses) + len(embedded)
    return count <= _PICTURES and count * per_picture <= _BYTES


def embed(pixels: UInt8, *, longest: int = LARGEST) -> Embedded:
    """Return a picture for the page.

    Args:
        pixels: uint8 (H, W, C) with C = 1 (grey) or 3 (RGB); of two channels the first is shown, of
            more than three the first three.
        longest: Its longer side on the page, in pixels, at most.

    Raises:
        UsageError: Another dtype or rank, or no pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or 0 in pixels.shape:
        raise UsageError(f"need uint8 pixels (H, W, C); got {pixels.dtype} {pixels.shape}")
    shown = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown))
    image.thumbnail((longest, longest))
    small = max(image.size) <= _SMALL
    content = io.BytesIO()
    if small:
        image.save(content, "PNG", optimize=True)
    else:
        image.save(content, "JPEG", quality=85)
    kind = "png" if small else "jpeg"
    address = f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
    return Embedded(address, *image.size, pixelated=small)
