"""Pictures and parts of files, made on the spot."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def photo(height: int = 24, width: int = 32, *, seed: int = 0) -> np.ndarray:
    """Return smooth RGB pixels, another picture for each seed, uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(x * random.uniform(0.05, 0.4) + random.uniform(0, 6)) + np.cos(y * random.uniform(0.05, 0.4))
        for _ in range(3)
    ]
    return ((np.stack(waves, axis=2) + 2) * 63).astype(np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an array or a Pillow image as the bytes of a file."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one part of a PNG, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int,
    height: int,
    *,
    data: bytes,
    depth: int = 8,
    color: int = 2,
    extra: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """Return a PNG with a header, then `extra`, then the packed pixels `data`."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunk(content: bytes, kind: bytes, data: bytes, *, before: bytes) -> bytes:
    """Return a PNG with one part more, in front of the first one of a kind."""
    place = content.index(before) - 4
    return content[:place] + chunk(kind, data) + content[place:]


def with_right_checksums(content: bytes) -> bytes:
    """Return a PNG with the checksum of each part computed anew, so that what lies behind it is reached."""
    pieces, position = [content[:8]], 8
    while position + 12 <= len(content):
        end = position + 8 + struct.unpack_from(">I", content, position)[0]
        if end + 4 > len(content):
            break
        pieces.append(content[position:end] + struct.pack(">I", zlib.crc32(content[position + 4 : end])))
        position = end + 4
    return b"".join(pieces) + content[position:]


def segment(kind: int, data: bytes) -> bytes:
    """Return one part of a JPEG."""
    return bytes((0xFF, kind)) + struct.pack(">H", len(data) + 2) + data


def with_segment(content: bytes, kind: int, data: bytes) -> bytes:
    """Return a JPEG with one part more, right behind its start."""
    return content[:2] + segment(kind, data) + content[2:]


def exif(entries: list[tuple[int, int, int, int]], *, following: int = 0) -> bytes:
    """Return an EXIF block with (tag, type, count, value) in its first directory."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def bmp(width: int, height: int, *, bits: int = 24, packing: int = 0, data: bytes = b"") -> bytes:
    """Return a BMP whose header says what is given, whether it is true or not."""
    palette = b"".join(bytes((i, i, i, 0)) for i in range(256)) if bits == 8 else b""
    start = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(data), 0, 0, 0, 0)
    return head + about + palette + data
