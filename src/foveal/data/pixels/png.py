"""Is a PNG whole? Pillow checks no checksum of the pixels, misses no end, and leaves missing rows black.

Source: Portable Network Graphics, third edition, W3C 2025, sections 5 (chunks), 7 and 8 (rows, interlacing),
11.3.6 (animation).
"""

import struct
import zlib
from typing import NamedTuple

from foveal.core.errors import ImageError

_SIGNATURE_BYTES = 8
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by colour type
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_PIECE = 2**20
_INDEXED = b"\3"  # colour type


class Png(NamedTuple):
    """What a walk over the chunks finds: the header, the packed pixels, and how long the rest is."""

    header: bytes
    pixels: tuple[memoryview, ...]
    metadata_bytes: int

    @property
    def interlaced(self) -> bool:
        """Whether the pixels come in seven passes."""
        return self.header[12:13] == b"\1"


def walk(content: bytes) -> Png:
    """Return the parts of a PNG after comparing every checksum.

    Raises:
        ImageError: `truncated` (no end chunk) or `corrupt` (a checksum does not match).
    """
    view = memoryview(content)
    position, metadata, header, palette = _SIGNATURE_BYTES, 0, b"", False
    pixels: list[memoryview] = []
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            break
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            raise ImageError(f"the checksum of the {kind!r} chunk is wrong", code="corrupt")
        if kind == b"IEND":
            if header[9:10] == _INDEXED and not palette:  # decoders would invent colours
                raise ImageError("the PNG has colours by number and no palette", code="corrupt")
            return Png(header, tuple(pixels), metadata)
        if kind == b"IDAT":
            pixels.append(view[position + 8 : end])
        elif kind == b"IHDR":
            header = content[position + 8 : end]
        elif kind == b"PLTE":
            palette = True
        elif kind != b"fdAT":
            metadata += 12 + length
        position = end + 4
    raise ImageError("the PNG file ends too early", code="truncated")


def still(content: bytes) -> bytes:
    """Return a whole PNG without what makes it move: the picture that is shown where nothing moves stays."""
    pieces, position, kind = [content[:_SIGNATURE_BYTES]], _SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if kind not in _ANIMATION:
            pieces.append(content[position:end])
        position = end
    return b"".join(pieces)


def lacks_rows(png: Png) -> bool:
    """Return whether fewer pixels are packed than the header announces; unpacks them, keeping none."""
    unpacker, wanted = zlib.decompressobj(), _packed_bytes(png)
    try:
        for piece in png.pixels:
            rest: bytes | memoryview = piece
            while rest and wanted > 0:
                wanted -= len(unpacker.decompress(rest, _PIECE))
                rest = unpacker.unconsumed_tail
    except zlib.error:
        return True
    return wanted > 0


def _packed_bytes(png: Png) -> int:
    width, height, depth, kind = struct.unpack_from(">IIBB", png.header)
    bits = depth * _SAMPLES[kind]

    def size(columns: int, rows: int) -> int:
        return rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0

    if not png.interlaced:
        return size(width, height)
    return sum(
        size((width - left + right - 1) // right, (height - top + down - 1) // down)
        for top, left, down, right in _PASSES
    )
