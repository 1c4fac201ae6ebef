"""data.decode: whatever bytes come, a picture or an error of ours comes out."""

import contextlib
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bad_inputs.made import bmp, chunk, png, with_chunk, with_right_checksums
from foveal.core.errors import ImageError
from foveal.data.decode import Limits, decode

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def code_of(content: bytes) -> str:
    with pytest.raises(ImageError) as raised:
        decode(content, 3)
    return raised.value.code


def damaged(content: bytes, damages: list[tuple[str, float, bytes]]) -> bytes:
    """Change, insert, remove or repeat something at places from 0 to 1."""
    for how, place, data in damages:
        at = int(place * len(content))
        before, behind = content[:at], content[at:]
        content = {
            "change": before + data + behind[len(data) :],
            "insert": before + data + behind,
            "remove": before + behind[len(data) :],
            "repeat": before + before[-3 * len(data) :] + behind,
            "splice": before + content[-at:],
        }[how]
    return content


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP"]),
    damages=st.lists(
        st.tuples(
            st.sampled_from(["change", "insert", "remove", "repeat", "splice"]),
            st.floats(0, 1),
            st.binary(min_size=1, max_size=8),
        ),
        min_size=1,
        max_size=4,
    ),
    repaired=st.booleans(),
)
def test_damaged_bytes_give_a_picture_or_an_image_error(
    kind: str,
    damages: list[tuple[str, float, bytes]],
    repaired: bool,
    pixels: Pixels,
    encode: Encode,
) -> None:
    content = damaged(encode(pixels(16, 16), kind), damages)
    if repaired and kind == "PNG":
        content = with_right_checksums(content)
    with contextlib.suppress(ImageError):  # and nothing else: no crash, no warning, no other exception
        got = decode(content, 3)
        assert got.dtype == np.uint8
        assert got.ndim == 3


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes) -> None:
    assert code_of(content) in {"empty", "not_image", "format_not_allowed", "truncated", "corrupt"}


@pytest.mark.parametrize(
    ("rest", "code"), [(b"\x3b" + bytes(10), "corrupt"), (b"\x21\xfe\x05abc", "truncated")]
)
def test_a_gif_without_a_frame_is_refused(rest: bytes, code: str) -> None:
    assert code_of(b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + rest) == code


def test_a_gif_without_extent_is_corrupt() -> None:
    frame = struct.pack("<4H", 0, 0, 0, 5)

    assert code_of(b"GIF89a" + bytes(7) + b"\x2c" + frame + bytes(20)) == "corrupt"


def test_a_png_whose_metadata_pass_every_checksum_and_make_no_sense_is_a_picture_or_refused(
    pixels: Pixels, encode: Encode
) -> None:
    plain = encode(pixels(16, 16))
    palette = encode(Image.fromarray(pixels(16, 16)).quantize(8))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 5, 0, 0, 0)  # a colour type that there is not
    dark = encode(np.zeros((16, 16, 3), dtype=np.uint8))
    damaged = [
        with_chunk(plain, b"tEXt", b"transparency\0x", before=b"IDAT"),
        with_chunk(palette, b"tEXt", b"transparency\0x", before=b"IDAT"),
        with_chunk(palette, b"tRNS", bytes(300), before=b"IDAT"),
        with_chunk(dark, b"IHDR", header, before=b"IEND"),
    ]
    for content in damaged:
        with contextlib.suppress(ImageError):  # and nothing else
            assert decode(content, 3).shape == (16, 16, 3)


def test_a_jpeg_of_hundreds_of_scans_is_refused_before_it_is_decoded(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(64, 64), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    scan = content[last:-2]

    assert decode(content, 3).shape == (64, 64, 3)
    assert decode(content + b"\xff\xda" * 200, 3).shape == (64, 64, 3), "a film behind the photo is no scan"
    comment = b"\xff\xfe" + struct.pack(">H", 402) + b"\xff\xda" * 200
    assert decode(content[:2] + comment + content[2:], 3).shape == (64, 64, 3), "nor is a comment"
    assert code_of(content[:-2] + scan * 100 + content[-2:]) == "scan_limit"
    tables = content.index(b"\xff\xc4")
    padded = content[:tables] + b"x" + content[tables:-2] + scan * 100 + content[-2:]
    assert code_of(padded) == "scan_limit", "decoders pass over what is between the segments"


def test_a_png_of_numbered_colours_without_a_palette_is_corrupt() -> None:
    rows = zlib.compress((b"\0" + bytes(8)) * 8)

    assert code_of(png(8, 8, color=3, data=rows)) == "corrupt"
    assert decode(png(8, 8, color=3, extra=chunk(b"PLTE", bytes(6)), data=rows), 3).max() == 0


def test_a_bmp_packed_in_runs_may_be_a_megabyte_long() -> None:
    runs = b"\x04\x07" * 4 + b"\0\0"
    content = bmp(16, 3, bits=8, packing=1, data=runs * 3 + b"\0\1")

    assert (decode(content, 1) == 7).all()
    allowed = Limits(run_bytes=len(content))
    assert decode(content, 1, limits=allowed).shape == (3, 16, 1)
    with pytest.raises(ImageError, match="packed in runs") as raised:
        decode(content, 1, limits=Limits(run_bytes=len(content) - 1))
    assert raised.value.code == "too_many_bytes"
    plain = bmp(8, 8, data=bytes(192))
    assert decode(plain, 3, limits=Limits(run_bytes=1)).shape == (8, 8, 3), "a plain one is not unpacked"
