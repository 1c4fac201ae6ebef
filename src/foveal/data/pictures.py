"""The two kinds of stored pictures: a file's bytes, and pixels that lie there uncompressed."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from foveal.core.errors import ImageError
from foveal.data import decode
from foveal.data.dataset import Header, UInt8


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
class RawPicture:
    """A picture as pixels, uint8 (H, W, C)."""

    pixels: UInt8 = field(repr=False)

    @property
    def content(self) -> bytes:
        """The pixels in C order."""
        return self.pixels.tobytes()

    def header(self) -> Header:
        """Return the shape; the mode is L, RGB or `5 channels`."""
        height, width, channels = self.pixels.shape
        mode = {1: "L", 3: "RGB"}.get(channels, f"{channels} channels")
        return Header("raw", width, height, mode, channels)

    def decode(self, channels: int) -> UInt8:
        """Return the pixels; grey and RGB turn into each other, other numbers of channels do not."""
        stored = self.pixels.shape[2]
        if channels == stored:
            return self.pixels
        if (stored, channels) == (1, 3):
            return np.repeat(self.pixels, 3, axis=2)
        if (stored, channels) == (3, 1):
            return np.asarray(Image.fromarray(self.pixels).convert("L"))[:, :, None]
        raise ImageError(f"{stored} channels cannot become {channels}", code="color_unsupported")

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)
