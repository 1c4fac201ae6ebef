"""data.decode: what is read becomes the right pixels; what is not is refused, by code, before it can hurt."""

import io
import struct
import sys
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFile

from bad_inputs.made import chunk, png
from foveal.core.errors import ImageError, UsageError
from foveal.data.decode import LIMITS, Limits, decode, examine, header

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def code_of(content: bytes, channels: int = 3, limits: Limits = LIMITS) -> str:
    with pytest.raises(ImageError) as raised:
        decode(content, channels, limits=limits)
    return raised.value.code


# What is read


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF", "JPEG"])
def test_every_allowed_format_gives_its_pixels(kind: str, pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    about, got = examine(content, 3)

    assert got.dtype == np.uint8
    assert np.array_equal(got, expected)
    assert (about.height, about.width) == expected.shape[:2]
    assert about == header(content)


def test_the_name_of_the_format_comes_from_the_bytes(pixels: Pixels, encode: Encode) -> None:
    assert header(encode(pixels(), "JPEG")).format == "JPEG"
    assert header(encode(pixels(), "PNG")).format == "PNG"


def test_grey_is_one_channel_or_three_equal_ones(pixels: Pixels, encode: Encode) -> None:
    grey = pixels()[:, :, 0]
    content = encode(grey)

    assert np.array_equal(decode(content, 1), grey[:, :, None])
    assert np.array_equal(decode(content, 3), np.repeat(grey[:, :, None], 3, axis=2))
    assert header(content).channels == 1


def test_color_becomes_grey_as_pillow_weighs_it(pixels: Pixels, encode: Encode) -> None:
    expected = np.asarray(Image.fromarray(pixels()).convert("L"))

    assert np.array_equal(decode(encode(pixels()), 1)[:, :, 0], expected)


@pytest.mark.parametrize("side", [(1, 1), (1, 200), (200, 1), (7, 5)])
def test_the_smallest_and_longest_allowed_pictures_are_read(
    side: tuple[int, int], pixels: Pixels, encode: Encode
) -> None:
    assert decode(encode(pixels(*side)), 3).shape == (*side, 3)


def test_red_stays_red(encode: Encode) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[:, :, 0] = 255

    for kind in ("PNG", "BMP", "JPEG"):
        assert decode(encode(red, kind), 3)[0, 0, 0] > 250
        assert decode(encode(red, kind), 3)[0, 0, 2] < 5


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 2}, {"restart_marker_rows": 1}])
def test_jpeg_variants_are_read(options: dict[str, object], pixels: Pixels, encode: Encode) -> None:
    error = decode(encode(pixels(), "JPEG", quality=95, **options), 3).astype(int) - pixels()

    assert np.abs(error).mean() < 3


def test_interlaced_png_is_read() -> None:
    plain = bytes(range(64))
    passes = b""
    image = np.frombuffer(plain, np.uint8).reshape(8, 8)
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    for top, left, down, right in steps:
        passes += b"".join(b"\0" + row.tobytes() for row in image[top::down, left::right])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1))
    content = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(passes)) + chunk(b"IEND", b"")

    assert np.array_equal(decode(content, 1)[:, :, 0], image)


def test_top_down_bmp_is_the_right_way_up(pixels: Pixels, encode: Encode) -> None:
    content = bytearray(encode(pixels(8, 8), "BMP"))
    offset = struct.unpack_from("<I", content, 10)[0]
    rows = [bytes(content[offset + 24 * i : offset + 24 * (i + 1)]) for i in range(8)]
    content[offset:] = b"".join(reversed(rows))
    struct.pack_into("<i", content, 22, -8)

    assert np.array_equal(decode(bytes(content), 3), pixels(8, 8))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame_however_many_follow(
    kind: str, pixels: Pixels, encode: Encode
) -> None:
    frames = [Image.fromarray(pixels(seed=seed)) for seed in range(30)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    assert np.array_equal(decode(content, 3), expected)


@pytest.mark.parametrize("broken", ["no frames", "announced twice", "frames out of order"])
def test_an_animated_png_whose_frames_are_broken_gives_its_first_without_a_word(
    broken: str, pixels: Pixels, encode: Encode
) -> None:
    frames = [Image.fromarray(pixels(seed=i)) for i in range(3)]
    content = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    place, control = content.index(b"acTL") - 4, content.index(b"fcTL") - 4
    about, first = content[place : place + 20], content[control : control + 38]
    old, new = {
        "no frames": (about, chunk(b"acTL", bytes(8))),
        "announced twice": (about, about + about),
        "frames out of order": (first, chunk(b"fcTL", struct.pack(">I", 7) + first[12:34])),
    }[broken]
    changed = content.replace(old, new)
    assert changed != content

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(decode(changed, 3), pixels(seed=0))


def test_of_a_stereo_picture_the_first_is_read(pixels: Pixels, encode: Encode) -> None:
    both = [Image.fromarray(pixels(seed=seed)) for seed in (0, 1)]
    content = encode(both[0], "MPO", save_all=True, append_images=both[1:])

    assert np.abs(decode(content, 3).astype(int) - pixels(seed=0)).mean() < 4
    assert header(content).format == "JPEG"


def test_what_follows_the_picture_is_ignored(pixels: Pixels, encode: Encode) -> None:
    for kind in ("PNG", "JPEG"):
        content = encode(pixels(), kind)
        assert np.array_equal(decode(content + b"PK\x03\x04 payload", 3), decode(content, 3))


def test_a_thumbnail_is_not_the_picture(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(), "JPEG")
    thumbnail = encode(pixels(8, 8, seed=5), "JPEG")
    block = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail

    assert np.array_equal(decode(content[:2] + block + content[2:], 3), decode(content, 3))


# Colours


def test_16_bit_grey_keeps_its_high_byte(encode: Encode) -> None:
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    content = encode(values)

    assert np.array_equal(decode(content, 1)[:, :, 0], (values >> 8).astype(np.uint8))
    assert len(np.unique(decode(content, 3))) == 256
    assert header(content).channels == 1


def test_16_bit_rgb_keeps_its_high_byte() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = png(5, 4, depth=16, data=zlib.compress(rows))

    assert np.array_equal(decode(content, 3), (values >> 8).astype(np.uint8))


@pytest.mark.parametrize(("alpha", "expected"), [(0, 255), (255, 100), (128, 177)])
def test_transparency_lies_on_white(alpha: int, expected: int, encode: Encode) -> None:
    rgba = np.full((3, 3, 4), 100, np.uint8)
    rgba[:, :, 3] = alpha
    grey = Image.merge("LA", [Image.new("L", (3, 3), 100), Image.new("L", (3, 3), alpha)])

    for content in (encode(rgba), encode(rgba, "WEBP", lossless=True, exact=True), encode(grey)):
        assert np.abs(decode(content, 3).astype(int) - expected).max() <= 1
        assert np.abs(decode(content, 1).astype(int) - expected).max() <= 1


def test_a_palette_gives_its_colours_and_its_transparency_white(encode: Encode) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)

    assert decode(encode(image), 3).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decode(encode(image, transparency=1), 3).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert decode(encode(image, transparency=bytes([255, 0])), 1)[0, 1].tolist() == [255]


def test_a_transparent_grey_level_is_white_in_8_and_16_bit(encode: Encode) -> None:
    grey = np.array([[7, 9]], np.uint8)
    deep = np.array([[700, 900]], np.uint16)

    assert decode(encode(grey, transparency=7), 1).ravel().tolist() == [255, 9]
    assert decode(encode(deep, transparency=700), 1).ravel().tolist() == [255, 900 >> 8]


def test_one_bit_is_black_and_white(encode: Encode) -> None:
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")

    assert decode(encode(image), 1)[:, :, 0].tolist() == [[0, 255], [255, 0]]
    assert header(encode(image)).channels == 1


def test_cmyk_becomes_the_color_it_prints(encode: Encode) -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))

    red, green, blue = decode(encode(cmyk, "JPEG", quality=100), 3)[4, 4]
    assert red > 200
    assert max(green, blue) < 60
    assert decode(encode(cmyk, "JPEG"), 1).shape == (8, 8, 1)


def test_color_profile_and_gamma_are_ignored(pixels: Pixels, encode: Encode) -> None:
    gamma = chunk(b"gAMA", struct.pack(">I", 10000))
    content = encode(pixels())
    with_gamma = content[:33] + gamma + content[33:]

    assert np.array_equal(decode(with_gamma, 3), pixels())
    assert np.array_equal(decode(encode(pixels(), icc_profile=b"broken"), 3), pixels())


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_a_file_has_one_or_three_channels(channels: int, pixels: Pixels, encode: Encode) -> None:
    with pytest.raises(UsageError, match="1 or 3 channels"):
        decode(encode(pixels()), channels)


def test_a_mode_nobody_knows_is_refused() -> None:
    from foveal.data.pixels.color import to_channels

    with pytest.raises(ImageError, match="mode 'F'") as raised:
        to_channels(Image.new("F", (2, 2)), 3)
    assert raised.value.code == "color_unsupported"


# What is refused


def test_an_empty_file_is_called_empty() -> None:
    assert code_of(b"") == "empty"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"\xff\xd8\xff",
        b"<html><body>404 not found</body></html>",
        b"just some text, long enough to be a picture",
        b"BM is how this text begins, but no bitmap follows",
        b"\x7fELF" + bytes(60),
        b"PK\x03\x04" + bytes(60),
        b"\x80\x04\x95" + bytes(60),
        b"\x08\x07\x12\x07pytorch" + bytes(60),
        b"RIFF\x10\0\0\0WAVEfmt " + bytes(20),
    ],
)
def test_what_is_no_picture_is_said_to_be_none(content: bytes) -> None:
    assert code_of(content) == "not_image"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"II*\0" + bytes(60), "TIFF"),
        (b"MM\0*" + bytes(60), "TIFF"),
        (b"%PDF-1.7\n" + bytes(60), "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(60), "PostScript"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", "SVG"),
        (b"\0\0\1\0\1\0" + bytes(60), "ICO"),
        (b"icns" + bytes(60), "ICNS"),
        (b"BLP2" + bytes(60), "BLP"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000"),
        (b"8BPS" + bytes(60), "Photoshop"),
        (b"DDS " + bytes(60), "DDS"),
        (b"\0\0\0\x1cftypheic" + bytes(60), "HEIC"),
        (b"\0\0\0\x1cftypavif" + bytes(60), "AVIF"),
        (b"P6\n2 2\n255\n" + bytes(12), "PNM"),
    ],
)
def test_other_formats_are_refused_by_name(content: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=f"{name}.* is not read; allowed are JPEG, PNG") as raised:
        decode(content, 3)
    assert raised.value.code == "format_not_allowed"


def test_a_real_tiff_is_refused_in_float_too(encode: Encode) -> None:
    assert code_of(encode(np.full((4, 4), np.nan, np.float32), "TIFF")) == "format_not_allowed"


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_truncated(progressive: bool, pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(40, 40), "JPEG", progressive=progressive)

    codes = {code_of(content[:end]) for end in range(12, len(content), 7)}

    assert codes == {"truncated"}
    assert code_of(content[:-2]) == "truncated"  # all scans present, only the end marker is missing


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP"])
def test_other_formats_cut_anywhere_are_refused(kind: str, pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(24, 24), kind)
    last = 2 if kind == "GIF" else 1  # a GIF is whole without its trailer byte and the empty block before it

    codes = {code_of(content[:end]) for end in range(31, len(content) - last, 5)}

    assert codes <= {"truncated", "corrupt"}
    assert "truncated" in codes


def test_truncation_is_refused_even_where_pillow_was_told_to_accept_it(
    pixels: Pixels, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)

    for kind in ("JPEG", "PNG", "GIF", "BMP"):
        content = encode(pixels(40, 40), kind)
        assert code_of(content[: len(content) * 2 // 3]) == "truncated"
        assert decode(content, 3).shape == (40, 40, 3)


def test_png_with_a_wrong_checksum_is_corrupt(pixels: Pixels, encode: Encode) -> None:
    whole = encode(pixels())
    end = whole.index(b"IEND") - 4

    for place in (whole.index(b"IDAT") + 20, end - 1):  # in the pixels, and in their checksum
        content = bytearray(whole)
        content[place] ^= 1
        assert code_of(bytes(content)) == "corrupt"


def test_png_whose_pixels_do_not_unpack_is_corrupt() -> None:
    assert code_of(png(4, 4, data=b"this is no deflate stream")) == "corrupt"


def test_png_with_half_the_rows_is_refused() -> None:
    row = b"\0" + bytes(range(3 * 8))

    assert decode(png(8, 8, data=zlib.compress(row * 8)), 3).shape == (8, 8, 3)
    assert code_of(png(8, 8, data=zlib.compress(row * 7))) == "truncated"
    assert code_of(png(8, 8, depth=1, color=0, data=zlib.compress(b"\0\1" * 4))) == "truncated"


def test_a_black_last_row_is_no_missing_row() -> None:
    assert decode(png(8, 8, data=zlib.compress((b"\0" + bytes(24)) * 8)), 3).max() == 0


def test_an_interlaced_png_without_its_last_pass_is_truncated() -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1))
    passes = 8 * 8 + 15  # pixels, and a filter byte for each row of the seven passes

    def interlaced(count: int) -> bytes:
        return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(count))) + chunk(b"IEND", b"")

    assert decode(interlaced(passes), 1).shape == (8, 8, 1)
    assert code_of(interlaced(passes - 36)) == "truncated"


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_a_side_of_zero_is_corrupt(width: int, height: int) -> None:
    assert code_of(png(width, height, data=zlib.compress(b""))) == "corrupt"


def test_a_webp_whose_canvas_lies_is_refused(pixels: Pixels, encode: Encode) -> None:
    frames = [Image.fromarray(pixels(seed=seed)) for seed in (0, 1)]
    content = bytearray(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    assert content[12:16] == b"VP8X"
    content[24:30] = b"\xff\x3f\0\xff\x3f\0"

    with pytest.raises(ImageError, match="16384×16384 pixels are more than") as raised:
        decode(bytes(content), 3)
    assert raised.value.code == "too_many_pixels"
    content[12:16] = b"VP9?"
    assert code_of(bytes(content)) == "corrupt"


@pytest.mark.parametrize("lossless", [False, True])
def test_the_canvas_of_both_webp_kinds_is_known_before_decoding(
    lossless: bool, pixels: Pixels, encode: Encode
) -> None:
    content = encode(pixels(24, 32), "WEBP", lossless=lossless)

    assert code_of(content, limits=Limits(pixels=24 * 32 - 1)) == "too_many_pixels"
    assert decode(content, 3, limits=Limits(pixels=24 * 32)).shape == (24, 32, 3)


# Limits, before the pixels


def test_a_bomb_is_refused_before_its_pixels_are_made() -> None:
    import resource

    row = b"\0" + bytes(60_000 // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(1000)) + packer.flush()
    content = png(60_000, 60_000, depth=1, color=0, data=data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert code_of(content) == "too_many_pixels"
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_a_header_of_65535_squared_is_refused() -> None:
    jpeg = (
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
        b"\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\1\x03\x11\1"
        b"\xff\xda\0\x0c\x03\1\0\2\0\3\0\0\x3f\0" + bytes(20)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert code_of(jpeg) == "too_many_pixels"
    assert code_of(png(2**31 - 1, 2**31 - 1, data=b"")) == "too_many_pixels"


@pytest.mark.parametrize("disposal", [0, 2])
def test_a_gif_whose_first_frame_is_huge_is_refused(disposal: int, pixels: Pixels, encode: Encode) -> None:
    content = bytearray(encode(pixels(8, 8), "GIF"))
    place = content.index(b"\x2c\0\0\0\0\x08\0\x08\0")
    content[place:place] = bytes((0x21, 0xF9, 4, disposal << 2, 0, 0, 0, 0))
    assert decode(bytes(content), 3).shape == (8, 8, 3)
    struct.pack_into("<HH", content, place + 8 + 5, 10_000, 10_000)

    with pytest.raises(ImageError, match="10000×10000 pixels are more than"):
        decode(bytes(content), 3)
    struct.pack_into("<HH", content, place + 8 + 5, 65535, 65535)
    assert code_of(bytes(content), limits=Limits(pixels=10**12, side=10**6)) == "too_many_pixels"


def test_the_pixel_limit_is_exact(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(10, 10))

    assert decode(content, 3, limits=Limits(pixels=100)).shape == (10, 10, 3)
    assert code_of(content, limits=Limits(pixels=99)) == "too_many_pixels"
    assert code_of(content, limits=Limits(side=9)) == "too_many_pixels"


def test_the_length_limit_is_exact(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(10, 10))

    assert decode(content, 3, limits=Limits(content_bytes=len(content))).shape == (10, 10, 3)
    assert code_of(content, limits=Limits(content_bytes=len(content) - 1)) == "too_many_bytes"


@pytest.mark.parametrize("shape", [(1, 201), (201, 1)])
def test_a_strip_is_refused(shape: tuple[int, int], pixels: Pixels, encode: Encode) -> None:
    assert code_of(encode(pixels(*shape))) == "aspect_limit"


def test_a_text_bomb_is_refused_without_unpacking_it() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**24), 9))
    content = png(1, 1, data=zlib.compress(b"\0\0\0\0"), extra=bomb)

    assert code_of(content) == "metadata_limit"


def test_much_metadata_is_refused_in_jpeg_and_png(pixels: Pixels, encode: Encode) -> None:
    block = b"\xff\xed" + struct.pack(">H", 65000) + bytes(64998)
    jpeg = encode(pixels(), "JPEG")
    texts = b"".join(chunk(b"tEXt", b"k\0" + b"v" * 20) for _ in range(40_000))
    plain = png(1, 1, data=zlib.compress(b"\0\0\0\0"))

    assert decode(jpeg[:2] + block * 10 + jpeg[2:], 3).shape == (24, 32, 3)
    assert code_of(jpeg[:2] + block * 20 + jpeg[2:]) == "metadata_limit"
    assert code_of(plain[:33] + texts + plain[33:]) == "metadata_limit"
