"""data.pixels.orientation: a picture is turned upright once, and damaged tags turn nothing."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from foveal.data.decode import decode, examine

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied_once(turn: int, kind: str, pixels: Pixels, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encode(pixels(16, 32), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))

    about, got = examine(content, 3)

    assert np.array_equal(got, expected)
    assert (about.height, about.width) == expected.shape[:2]


def _exif(order: str, kind: int, count: int, value: int, entries: int = 1) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(f"{order}HHIHH", 0x0112, kind, count, value, 0)
    return b"Exif\0\0" + struct.pack(f"{order}2sHIH", mark, 42, 8, entries) + entry + b"\0\0\0\0"


BROKEN_EXIF = {
    "orientation 0": _exif("<", 3, 1, 0),
    "orientation 9": _exif("<", 3, 1, 9),
    "orientation 65535": _exif(">", 3, 1, 65535),
    "a string": _exif("<", 2, 1, 6),
    "two values": _exif(">", 3, 2, 6),
    "cut": _exif("<", 3, 1, 6)[:18],
    "too many entries": _exif("<", 3, 1, 0, entries=60000),
    "60 kB of nulls": b"Exif\0\0" + bytes(60000),
    "directory outside": b"Exif\0\0II*\0" + struct.pack("<I", 2**31),
    "directory in a loop": b"Exif\0\0II*\0" + struct.pack("<IHI", 8, 0, 8),
    "no byte order": b"Exif\0\0ZZ*\0" + bytes(20),
    "other tags only": b"Exif\0\0II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0100, 3, 1, 6, 0),
}


@pytest.mark.parametrize("name", BROKEN_EXIF)
def test_broken_exif_leaves_the_picture_as_it_is(name: str, pixels: Pixels, encode: Encode) -> None:
    block = BROKEN_EXIF[name]
    content = encode(pixels(), "JPEG", exif=block)

    assert np.array_equal(decode(content, 3), decode(encode(pixels(), "JPEG"), 3))


def test_both_byte_orders_are_understood(pixels: Pixels, encode: Encode) -> None:
    upright = decode(encode(pixels(16, 32), "JPEG"), 3)

    for order in "<>":
        got = decode(encode(pixels(16, 32), "JPEG", exif=_exif(order, 3, 1, 3)), 3)
        assert np.array_equal(got, upright[::-1, ::-1])
