"""Rows 26 to 53: pictures that are whole and strange, and what is given in the place of one."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bad_inputs.broken import colours
from bad_inputs.made import chunk, encoded, exif, photo, png, segment, with_chunk, with_segment
from bad_inputs.row import Case, Row, bad, good

_ORIENTATION = 0x0112


def turned() -> Iterator[Case]:
    content = encoded(photo(), "JPEG")
    for turn in range(1, 9):
        block = exif([(_ORIENTATION, 3, 1, turn)])
        yield good(f"orientation {turn}", with_segment(content, 0xE1, block))


def turned_wrongly() -> Iterator[Case]:
    content = encoded(photo(), "JPEG")
    for name, entry in (
        ("0", (_ORIENTATION, 3, 1, 0)),
        ("9", (_ORIENTATION, 3, 1, 9)),
        ("65535", (_ORIENTATION, 3, 1, 65535)),
        ("a string", (_ORIENTATION, 2, 4, 0x36363636)),
        ("a thousand of them", (_ORIENTATION, 3, 1000, 6)),
        ("a fraction", (_ORIENTATION, 5, 1, 6)),
    ):
        yield good(name, with_segment(content, 0xE1, exif([entry])))


def broken_exif() -> Iterator[Case]:
    content = encoded(photo(), "JPEG")
    for name, block in (
        ("cut", exif([(_ORIENTATION, 3, 1, 6)])[:17]),
        ("60 kB of zeros", b"Exif\0\0" + bytes(60_000)),
        ("a directory that follows itself", exif([(0x8769, 4, 1, 8)], following=8)),
        ("a directory outside", b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        ("65 535 entries of none", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"),
        ("a resolution that is none", exif([(0x011A, 5, 1, 2**31), (0x0128, 3, 1, 2)])),
    ):
        yield good(name, with_segment(content, 0xE1, block))


def two_orientations() -> Iterator[Case]:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation='3'/></x:xmpmeta>"
    content = with_segment(encoded(photo(), "JPEG"), 0xE1, xmp)
    yield good("EXIF says 6 and XMP 3", with_segment(content, 0xE1, exif([(_ORIENTATION, 3, 1, 6)])))


def four_inks() -> Iterator[Case]:
    cmyk = encoded(Image.fromarray(photo()).convert("CMYK"), "JPEG", quality=95)
    yield good("CMYK, inverted as Adobe does", cmyk)
    adobe = cmyk.index(b"Adobe")
    yield good("YCCK", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :])
    start, length = adobe - 4, 2 + int.from_bytes(cmyk[adobe - 2 : adobe], "big")
    yield good("CMYK that names nobody", cmyk[:start] + cmyk[start + length :])


def greys() -> Iterator[Case]:
    grey = Image.fromarray(photo()).convert("L")
    yield good("8 bits", encoded(grey))
    yield good("1 bit", encoded(grey.convert("1")))
    yield good("with transparency", encoded(grey.convert("LA")))
    yield good("JPEG", encoded(grey, "JPEG"))


def deep_greys() -> Iterator[Case]:
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    yield good("PNG of 16 bits", encoded(values))
    yield good("one level is transparent", encoded(values, transparency=640))


def deep_colours() -> Iterator[Case]:
    values = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    yield good("PNG of 3 × 16 bits", png(5, 4, depth=16, data=zlib.compress(rows)))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.pad(values, ((0, 0), (0, 0), (0, 1))))
    yield good("PNG of 4 × 16 bits", png(5, 4, depth=16, color=6, data=zlib.compress(rows)))


def floats() -> Iterator[Case]:
    pixels = np.array([[0, np.nan], [np.inf, 1]], np.float32)
    yield bad("TIFF of 32-bit floats", encoded(pixels, "TIFF"), "format_not_allowed")


def transparent() -> Iterator[Case]:
    for alpha in (0, 128, 255):
        rgba = np.dstack([photo(), np.full((24, 32), alpha, np.uint8)])
        yield good(f"PNG, {alpha}", encoded(rgba))
        yield good(f"WebP, {alpha}", encoded(rgba, "WEBP", lossless=True, exact=True))


def palettes() -> Iterator[Case]:
    image = Image.fromarray(photo(8, 8)).quantize(8)
    yield good("plain", encoded(image))
    yield good("one transparent", encoded(image, transparency=1))
    yield good("several transparent", encoded(image, transparency=bytes((255, 0, 90))))
    two = chunk(b"PLTE", bytes((9, 9, 9, 200, 100, 50)))
    rows = zlib.compress((b"\0" + bytes(range(248, 256))) * 8)
    yield good("index out of range", png(8, 8, color=3, extra=two, data=rows))
    yield bad("no palette", png(8, 8, color=3, data=rows), "corrupt")
    surplus = with_chunk(encoded(image), b"tRNS", bytes(300), before=b"IDAT")
    yield bad("more transparency than colours", surplus, "corrupt")


def profiles() -> Iterator[Case]:
    yield good("broken", encoded(photo(), icc_profile=b"broken"))
    yield good("broken, JPEG", encoded(photo(), "JPEG", icc_profile=b"broken"))
    yield bad("10 MB", encoded(photo(), icc_profile=np.random.default_rng(0).bytes(10**7)), "metadata_limit")
    yield bad("3 MB, JPEG", encoded(photo(), "JPEG", icc_profile=bytes(3 * 10**6)), "metadata_limit")


def gammas() -> Iterator[Case]:
    plain = encoded(photo())
    for kind, data in (
        (b"gAMA", struct.pack(">I", 10_000)),
        (b"gAMA", bytes(4)),
        (b"cHRM", struct.pack(">8I", *range(8))),
        (b"sRGB", b"\3"),
    ):
        yield good(f"{kind.decode()} {data.hex()}", with_chunk(plain, kind, data, before=b"IDAT"))


def text_bombs() -> Iterator[Case]:
    packed = zlib.compress(bytes(2**24), 9)
    for kind, data in ((b"zTXt", b"Comment\0\0" + packed), (b"iTXt", b"Comment\0\1\0\0\0" + packed)):
        yield bad(kind.decode(), with_chunk(encoded(photo()), kind, data, before=b"IDAT"), "metadata_limit")


def many_texts() -> Iterator[Case]:
    texts = b"".join(chunk(b"tEXt", b"k%d\0v" % number) for number in range(100_000))
    plain = encoded(photo())
    yield bad("100 000", plain[:33] + texts + plain[33:], "metadata_limit")


def strips() -> Iterator[Case]:
    yield good("1 × 1", encoded(photo(1, 1)))
    yield good("1 × 200", encoded(photo(1, 200)))
    yield bad("1 × 10 000", encoded(photo(1, 10_000)), "aspect_limit")
    yield bad("10 000 × 1", encoded(photo(10_000, 1)), "aspect_limit")


def smaller_than_the_model() -> Iterator[Case]:
    yield good("7 × 5", encoded(photo(7, 5)))


def says_nothing() -> Iterator[Case]:
    for name, pixels in (
        ("black", np.zeros((32, 32, 3), np.uint8)),
        ("white", np.full((32, 32, 3), 255, np.uint8)),
        ("one colour", np.full((32, 32, 3), (9, 200, 90), np.uint8)),
        ("noise", np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)),
    ):
        yield good(name, encoded(pixels))


def _seven_passes() -> bytes:
    image = photo(8, 8)[:, :, 0]
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    return b"".join(
        b"\0" + row.tobytes() for top, left, down, right in steps for row in image[top::down, left::right]
    )


def variants() -> Iterator[Case]:
    yield good("interlaced PNG", png(8, 8, color=0, data=zlib.compress(_seven_passes()), interlaced=True))
    cut = zlib.compress(_seven_passes()[:-20])
    yield bad(
        "interlaced PNG without its last pass",
        png(8, 8, color=0, data=cut, interlaced=True),
        "truncated",
        "corrupt",
    )
    plain = encoded(photo(), "JPEG", subsampling=0)
    yield good("restart marks", encoded(photo(), "JPEG", restart_marker_rows=1))
    for name, samples in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        yield good(name, encoded(photo(), "JPEG", subsampling=samples))
    # The frame's kind or depth is changed and the scan is not.
    frame = plain.index(b"\xff\xc0")
    arithmetic = plain[: frame + 1] + b"\xc9" + plain[frame + 2 :]
    yield good("arithmetic", arithmetic)  # its decoder takes any bytes for numbers: a picture, of noise
    for name, kind in (("lossless", 0xC3), ("hierarchical", 0xC5)):
        yield bad(name, plain[: frame + 1] + bytes((kind,)) + plain[frame + 2 :], "corrupt", "truncated")
    yield bad("12 bits", plain[: frame + 4] + b"\x0c" + plain[frame + 5 :], "corrupt")


def large_segments() -> Iterator[Case]:
    content = encoded(photo(), "JPEG")
    for name, kind in (("application", 0xED), ("comment", 0xFE)):
        yield bad(name, content[:2] + segment(kind, bytes(64_998)) * 200 + content[2:], "metadata_limit")


def two_starts() -> Iterator[Case]:
    content = encoded(photo(), "JPEG")
    yield good("a thumbnail", with_segment(content, 0xE1, encoded(photo(8, 8, seed=5), "JPEG")))
    yield bad("the start twice", content[:2] + content, "corrupt")


def stereo() -> Iterator[Case]:
    both = [Image.fromarray(photo(seed=seed)) for seed in (0, 1)]
    yield good("MPO", encoded(both[0], "MPO", save_all=True, append_images=both[1:]))


def webps() -> Iterator[Case]:
    yield good("lossy", encoded(photo(), "WEBP"))
    lossless = encoded(photo(), "WEBP", lossless=True)
    yield good("lossless", lossless)
    frames = [Image.fromarray(photo(seed=seed)) for seed in (0, 1)]
    wrong = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    wrong[24:30] = b"\xff\x3f\0\xff\x3f\0"
    yield bad("a canvas that lies", bytes(wrong), "too_many_pixels")
    wrong[24:30] = b"\x03\0\0\x03\0\0"
    yield bad("a canvas that is too small", bytes(wrong), "corrupt", "truncated")
    wrong[12:16] = b"VP9?"
    yield bad("an unknown part", bytes(wrong), "corrupt")
    tables = bytes((value ^ 0xFF) if 26 <= place < 60 else value for place, value in enumerate(lossless))
    yield bad("code tables that make no sense", tables, "corrupt", "truncated")


ROWS = (
    Row(
        26,
        "EXIF orientation 1 to 8",
        turned,
        covered=("tests/data/pixels/test_orientation.py::test_exif_orientation_is_applied_once",),
    ),
    Row(27, "EXIF orientation that there is not", turned_wrongly),
    Row(28, "EXIF block that is broken", broken_exif),
    Row(29, "EXIF and XMP contradict each other", two_orientations),
    Row(
        30,
        "CMYK and YCCK",
        four_inks,
        covered=("tests/data/test_decode.py::test_cmyk_becomes_the_color_it_prints",),
    ),
    Row(31, "grey, 1 bit, grey and transparency", greys),
    Row(
        32,
        "16-bit grey",
        deep_greys,
        covered=("tests/data/test_decode.py::test_16_bit_grey_keeps_its_high_byte",),
    ),
    Row(
        33,
        "16-bit RGB",
        deep_colours,
        covered=("tests/data/test_decode.py::test_16_bit_rgb_keeps_its_high_byte",),
    ),
    Row(
        34,
        "floating point",
        floats,
        covered=("tests/data/test_decode.py::test_a_mode_nobody_knows_is_refused",),
    ),
    Row(
        35,
        "transparency",
        transparent,
        covered=("tests/data/test_decode.py::test_transparency_lies_on_white",),
    ),
    Row(36, "palettes", palettes),
    Row(37, "colour profiles", profiles),
    Row(38, "gamma and primaries", gammas),
    Row(39, "texts that unpack to very much", text_bombs),
    Row(40, "100 000 texts", many_texts),
    Row(41, "long and thin, and one pixel", strips),
    Row(42, "smaller than the model's input", smaller_than_the_model),
    Row(43, "pictures that show nothing", says_nothing),
    Row(44, "rare kinds of PNG and JPEG", variants),
    Row(45, "very large segments of a JPEG", large_segments),
    Row(46, "two starts, a thumbnail", two_starts),
    Row(
        47, "MPO", stereo, covered=("tests/data/test_decode.py::test_of_a_stereo_picture_the_first_is_read",)
    ),
    Row(48, "WebP", webps),
    Row(
        49,
        "names of files",
        covered=(
            "tests/data/test_tree.py::test_any_name_is_just_a_name",
            "tests/data/test_tree.py::test_a_name_that_is_no_utf8_can_be_read",
            "tests/bundle/test_inputs.py::test_name_no_file_can_have_is_an_unreadable_picture",
            "tests/cli/test_predict.py::test_names_cannot_drive_the_terminal",
        ),
    ),
    Row(
        50,
        "what is no regular file, or vanishes",
        covered=(
            "tests/bundle/test_inputs.py::test_what_is_no_file_is_refused_and_never_waited_for",
            "tests/data/test_tree.py::test_special_files_are_passed_over_and_never_opened",
            "tests/data/test_tree.py::test_links_are_followed_but_not_in_circles",
            "tests/data/test_tree.py::test_a_fifo_put_in_place_of_a_file_is_refused_at_once",
        ),
    ),
    Row(
        51,
        "the same picture twice",
        covered=("tests/cli/test_predict.py::test_file_that_is_named_twice_is_answered_twice",),
    ),
    Row(
        52,
        "arrays of every kind",
        covered=(
            "tests/bundle/test_inputs.py::test_any_strides_will_do",
            "tests/bundle/test_inputs.py::test_other_arrays_are_refused_with_how_to_convert_them",
            "tests/bundle/test_predictor.py::test_run_refuses_what_is_not_at_model_size",
        ),
    ),
    Row(
        53,
        "red taken for blue",
        colours,
        covered=(
            "tests/data/test_decode.py::test_red_stays_red",
            "tests/bundle/test_predictor.py::test_red_stays_red",
        ),
    ),
)
