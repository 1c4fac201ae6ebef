"""TIFF and NPY files of bands: what is read, bit for bit, and what hostile ones do not get away with."""

import struct
import zlib

import numpy as np
import pytest
import tifffile

import bands
from foveal.core.errors import ImageError
from foveal.data import stacks
from foveal.data.bands import KINDS

LAYOUTS = {
    "strips": {},
    "big endian": {"byteorder": ">"},
    "big": {"bigtiff": True},
    "thin strips": {"rowsperstrip": 3},
    "tiles": {"tile": (16, 32)},
    "deflate": {"compression": "zlib"},
    "deflated tiles": {"compression": "zlib", "tile": (16, 16)},
    "planes": {"planarconfig": "separate"},
    "deflated planes": {"planarconfig": "separate", "compression": "zlib", "rowsperstrip": 5},
    "pages": {"planarconfig": None},
}


def values(kind: str = "uint16", count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((21, 34, count)) * 250 + 1).astype(kind)


def written(stored: np.ndarray, layout: str) -> bytes:
    asked = LAYOUTS[layout]
    if asked.get("planarconfig", "contig") != "contig":
        stored = np.moveaxis(stored, 2, 0)
    return bands.tiff(stored, **asked)


def code_of(content: bytes, **more) -> str:
    with pytest.raises(ImageError) as caught:
        stacks.read(content, **more)
    return caught.value.code


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_gives_the_values_that_were_stored(kind: str, layout: str) -> None:
    stored = values(kind)
    content = written(stored, layout)

    found, said = stacks.read(content), stacks.header(content)

    assert found.dtype == np.dtype(kind)
    assert found.dtype.isnative
    assert np.array_equal(found, stored)
    assert (said.width, said.height, said.channels, said.values) == (34, 21, 6, kind)


def test_differences_to_the_left_are_undone() -> None:
    stored = values()

    assert np.array_equal(stacks.read(bands.tiff(stored, compression="zlib", predictor=True)), stored)


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_read_as_it_is(kind: str) -> None:
    stored = values(kind)

    assert np.array_equal(stacks.read(bands.npy(stored)), stored)
    assert np.array_equal(stacks.read(bands.npy(np.asfortranarray(stored))), stored)
    assert stacks.read(bands.npy(stored[..., 0])).shape == (21, 34, 1)
    assert stacks.read(bands.npy(stored.astype(stored.dtype.newbyteorder(">")))).dtype.isnative


def test_smaller_copies_and_masks_among_the_pages_are_passed_over(tmp_path) -> None:
    path, stored = tmp_path / "pyramid.tif", values()
    with tifffile.TiffWriter(path) as file:
        plain = {"photometric": "minisblack", "planarconfig": "contig"}
        file.write(stored, **plain)
        file.write(stored[::2, ::2], subfiletype=1, **plain)

    assert np.array_equal(stacks.read(path.read_bytes()), stored)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not_image"),
        (bands.npy(np.zeros((4, 4, 40), np.uint8)), "too_many_bands"),
        (bands.npy(np.zeros((4, 0, 3), np.uint8)), "corrupt"),
        (bands.npy(np.zeros((4, 4, 3))), "values_unsupported"),
        (bands.npy(np.zeros((4, 4, 3, 2), np.uint8)), "values_unsupported"),
        (bands.npy(np.full((4, 4, 3), np.nan, np.float32)), "not_finite"),
        (bands.npy(np.zeros((1000, 4, 1), np.uint8)), "aspect_limit"),
        (bands.npy(np.array([[{}]])), "corrupt"),
        (bands.tiff(np.zeros((8, 8, 3), np.uint32)), "values_unsupported"),
        (bands.tiff(np.full((8, 8, 3), np.inf, np.float32)), "not_finite"),
        (bands.tiff(values("float32"), planarconfig="contig")[:2000], "truncated"),
        (b"II*\0" + bytes(200), "corrupt"),
        (b"II*\0" + b"\xff" * 200, "corrupt"),
    ],
)
def test_what_cannot_be_used_says_why(content: bytes, code: str) -> None:
    assert code_of(content) == code


def test_several_pictures_in_a_file_and_colours_of_a_palette_are_refused(tmp_path) -> None:
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            file.write(values(), photometric="minisblack", planarconfig="contig")
    assert code_of(path.read_bytes()) == "color_unsupported"

    tifffile.imwrite(
        path, np.zeros((8, 8), np.uint8), photometric="palette", colormap=np.zeros((3, 256), "u2")
    )
    assert code_of(path.read_bytes()) == "color_unsupported"


def test_other_ways_of_packing_are_named_with_a_way_out() -> None:
    content = bytearray(bands.tiff(values(), metadata=None))
    patched(content, 259, 5)  # LZW

    with pytest.raises(ImageError) as caught:
        stacks.read(bytes(content))

    assert caught.value.code == "compression_unsupported"
    assert "lzw" in caught.value.message
    assert "deflate" in str(caught.value.hint)


def test_limits_hold_before_anything_is_decoded() -> None:
    small = stacks.StackLimits(content_bytes=10_000, values=1000)

    assert code_of(bytes(20_000), limits=small) == "too_many_bytes"
    assert code_of(bands.npy(np.zeros((20, 20, 3), np.uint8)), limits=small) == "too_many_pixels"
    assert code_of(bands.tiff(np.zeros((20, 20, 3), np.uint8)), limits=small) == "too_many_pixels"
    with pytest.raises(ImageError):
        stacks.header(bands.tiff(np.zeros((20, 20, 3), np.uint8)), limits=small)


def patched(content: bytearray, tag: int, value: int) -> None:
    """Set the value of a tag of a little-endian TIFF, of 2 or 4 bytes, in its first page."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        found, kind = struct.unpack_from("<HH", content, place)
        if found == tag:
            struct.pack_into("<H" if kind == 3 else "<I", content, place + 8, value)
            return
    raise AssertionError(f"no tag {tag}")


def test_few_bytes_that_become_many_are_noticed_before_they_do() -> None:
    """A strip that unpacks to a gigabyte where its header speaks of 64 bytes."""
    content = bytearray(bands.tiff(np.zeros((8, 8), np.uint8), compression="zlib", metadata=None))
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
    patched(content, 273, len(content))
    patched(content, 279, len(bomb))

    assert code_of(bytes(content) + bomb) == "corrupt"


def test_a_header_that_announces_too_much_costs_nothing() -> None:
    content = bytearray(bands.tiff(np.zeros((8, 8, 3), np.uint8), metadata=None))
    for tag in (256, 257):
        patched(content, tag, 2**15 - 1)

    assert code_of(bytes(content)) == "too_many_pixels"


@pytest.mark.parametrize("layout", ["strips", "deflate", "tiles"])
def test_no_part_of_a_cut_off_file_is_taken_for_the_whole(layout: str) -> None:
    stored = values()
    content = written(stored, layout)
    for length in range(0, len(content), 61):
        try:
            found = stacks.read(content[:length])
        except ImageError:
            continue
        assert np.array_equal(found, stored), "only what describes it was cut off"


@pytest.mark.parametrize("layout", [*LAYOUTS, "npy"])
def test_damaged_files_give_values_or_a_reason_and_nothing_else(layout: str) -> None:
    rng = np.random.default_rng(1)
    whole = bands.npy(values()) if layout == "npy" else written(values(), layout)
    for turn in range(120):
        content = bytearray(whole)
        first = max(0, len(content) - 500) if turn % 2 else 0
        for _ in range(int(rng.integers(1, 4))):
            content[first + int(rng.integers(min(500, len(content) - first)))] = int(rng.integers(256))
        try:
            found = stacks.read(bytes(content))
        except ImageError:
            continue
        assert found.dtype.name in KINDS
        assert found.ndim == 3
