"""An inspected picture with the template it is compared with, as one picture.

Its stored bytes hold both files, so that whatever hashes, keeps, sends or reads a picture does so with a
pair. Its pixels are those of the inspected picture, of the template laid on it, and by how much they differ.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from PIL import Image

from foveal.core.errors import ImageError
from foveal.data import decode
from foveal.data.dataset import Header, UInt8
from foveal.data.registration import laid_on, motion_between

LAYERS = 3  # the inspected picture, the template, and their difference
_MAGIC = b"foveal pair 1\n"
_LENGTH = 8  # bytes of the length of the first file
_KEPT = 2  # templates that are kept as pixels: many parts have one
_SAME_SHAPE = 0.02  # by which the aspect of two pictures of one part may differ


def joined(inspected: bytes, template: bytes) -> bytes:
    """Return the bytes of a pair, from those of two picture files."""
    return _MAGIC + len(inspected).to_bytes(_LENGTH, "big") + inspected + template


def is_pair(content: bytes) -> bool:
    """Return whether bytes are those of a pair."""
    return content.startswith(_MAGIC)


def parted(content: bytes) -> tuple[bytes, bytes]:
    """Return the files of a pair: inspected picture and template.

    Raises:
        ImageError: `no_template`: it is a picture alone. `truncated`: the pair ends too early.
    """
    if not is_pair(content):
        raise ImageError(
            "it is a picture without the template that it has to be compared with",
            code="no_template",
            hint="name it: --template FILE, or foveal.data.pair.joined(picture, template) in Python",
        )
    start = len(_MAGIC) + _LENGTH
    length = int.from_bytes(content[len(_MAGIC) : start], "big")
    if len(content) < start + length or len(content) < start:
        raise ImageError("the pair ends before its first picture does", code="truncated")
    return content[start : start + length], content[start + length :]


@dataclass(frozen=True, slots=True)
class PairPicture:
    """A pair as its bytes; see the module."""

    content: bytes = field(repr=False)

    def header(self) -> Header:
        """Return size and mode of the inspected picture, and three times as many channels as both need."""
        inspected, template = (decode.header(part) for part in parted(self.content))
        channels = max(inspected.channels, template.channels)
        return inspected._replace(channels=LAYERS * channels)

    def decode(self, channels: int) -> UInt8:
        """Return the pixels, uint8 (H, W, channels): three layers, or with 1 channel the inspected picture.

        Raises:
            ImageError: One of both cannot be used, `other_shape`: they are of other shapes, or
                `not_registered`: the template does not fit on the picture.
        """
        inspected, template = parted(self.content)
        if channels == 1:
            return decode.decode(inspected, 1)
        if channels % LAYERS:
            raise ImageError(f"a pair has no {channels} channels", code="color_unsupported")
        colours = channels // LAYERS
        with ThreadPoolExecutor(max_workers=1) as other:  # both at once: a line waits for one pair at a time
            kept = other.submit(_kept, template, colours)
            pixels = decode.decode(inspected, colours)
        return layered(pixels, kept.result())

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)


@lru_cache(maxsize=_KEPT)
def _kept(template: bytes, channels: int) -> Image.Image:
    image = decode.picture(template, channels)
    image.load()
    return image


def layered(inspected: UInt8, template: Image.Image) -> UInt8:
    """Return a picture, its template in the same places, and their absolute difference, uint8 (H, W, 3C).

    Args:
        inspected: uint8 (H, W, C).
        template: Of mode L or RGB as C says, of the same shape but perhaps of another size.

    Raises:
        ImageError: `other_shape`, `not_registered`.
    """
    height, width, channels = inspected.shape
    if template.size != (width, height):
        template = _resized(template, width, height)
    grey = template if channels == 1 else template.convert("L")
    motion = motion_between(_grey(inspected), np.asarray(grey))
    laid = laid_on(template, motion, inspected)
    layers = np.empty((height, width, LAYERS * channels), np.uint8)
    layers[:, :, :channels] = inspected
    layers[:, :, channels : 2 * channels] = laid
    np.subtract(
        np.maximum(inspected, laid), np.minimum(inspected, laid), out=layers[:, :, 2 * channels :]
    )  # faster than by signed numbers
    return layers


def _resized(template: Image.Image, width: int, height: int) -> Image.Image:
    if abs(template.width * height / (template.height * width) - 1) > _SAME_SHAPE:
        raise ImageError(
            f"the template has {template.width}×{template.height} pixels, the picture {width}×{height}: "
            "they are of other shapes",
            code="other_shape",
            hint="take both with the same camera and crop",
        )
    return template.resize((width, height), Image.Resampling.BILINEAR)


def _grey(pixels: UInt8) -> UInt8:
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    return np.asarray(Image.fromarray(pixels).convert("L"))
