"""The kinds of stored pictures: a file's bytes, a stack of bands, and values that lie there uncompressed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.core.errors import ImageError
from foveal.data import decode, stacks
from foveal.data.bands import Bands
from foveal.data.dataset import Header, Picture, UInt8


@dataclass(frozen=True, slots=True)
class FilePicture:
    """A picture as a file's bytes."""

    content: bytes = field(repr=False)

    def header(self) -> Header:
        """Return size and colours without decoding."""
        return decode.header(self.content)

    def decode(self, channels: int) -> UInt8:
        """Return the pixels, uint8 (H, W, channels)."""
        return decode.decode(self.content, channels)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return decode.examine(self.content, channels)


@dataclass(frozen=True, slots=True)
class StackPicture:
    """A stack of bands as a file's bytes, and the range of each band; without one there are no pixels."""

    content: bytes = field(repr=False)
    bands: Bands | None = None

    def header(self) -> Header:
        """Return size, bands and type of the values without decoding."""
        return stacks.header(self.content)

    def values(self) -> NDArray[Any]:
        """Return what is stored, (H, W, C)."""
        return stacks.read(self.content)

    def decode(self, channels: int) -> UInt8:
        """Return the bands as bytes, uint8 (H, W, channels)."""
        return _as_channels(_mapped(self.values(), self.bands), channels)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)


@dataclass(frozen=True, slots=True)
class RawPicture:
    """A picture as values (H, W, C): pixels, uint8, or bands of another type, with their ranges."""

    pixels: NDArray[Any] = field(repr=False)
    bands: Bands | None = None

    @property
    def content(self) -> bytes:
        """The values in C order."""
        return self.pixels.tobytes()

    def header(self) -> Header:
        """Return the shape; the mode is L, RGB or `5 channels`, of other types `5 × uint16`."""
        height, width, channels = self.pixels.shape
        if self.pixels.dtype != np.uint8:
            name = self.pixels.dtype.name
            return Header("raw", width, height, f"{channels} × {name}", channels, name)
        mode = {1: "L", 3: "RGB"}.get(channels, f"{channels} channels")
        return Header("raw", width, height, mode, channels)

    def values(self) -> NDArray[Any]:
        """Return what is stored, (H, W, C)."""
        return self.pixels

    def decode(self, channels: int) -> UInt8:
        """Return the pixels; grey and RGB turn into each other, other numbers of channels do not."""
        plain = self.bands is None and self.pixels.dtype == np.uint8
        return _as_channels(self.pixels if plain else _mapped(self.pixels, self.bands), channels)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)


def stored(content: bytes) -> FilePicture | StackPicture:
    """Return the picture that some bytes are, by their signature: a stack of bands, or any other."""
    return StackPicture(content) if stacks.is_stacked(content) else FilePicture(content)


def with_ranges(picture: Picture, bands: Bands) -> StackPicture | RawPicture:
    """Return a picture as a recognizer of bands sees it; what is no stack is refused when it is read."""
    if isinstance(picture, RawPicture):
        return RawPicture(picture.pixels, bands)
    return StackPicture(picture.content, bands)


def _mapped(values: NDArray[Any], bands: Bands | None) -> UInt8:
    if bands is None:
        raise ImageError(
            f"{values.shape[2]} bands of {values.dtype} are no picture as they are; nobody says their ranges",
            code="other_bands",
            hint="a recognizer that was trained on bands knows them",
        )
    return bands.mapped(values)


def _as_channels(pixels: UInt8, channels: int) -> UInt8:
    stored = pixels.shape[2]
    if channels == stored:
        return pixels
    if (stored, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=2)
    if (stored, channels) == (3, 1):
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))[:, :, None]
    raise ImageError(f"{stored} channels cannot become {channels}", code="color_unsupported")
