"""Rows 1 to 25: files that are no picture, are damaged, lie about their size, or are of formats not read."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bad_inputs.made import bmp, chunk, encoded, photo, png, segment
from bad_inputs.row import Case, Row, bad, good

_DAMAGED = ("truncated", "corrupt")


def empty() -> Iterator[Case]:
    yield bad("empty", b"", "empty")


def few_bytes() -> Iterator[Case]:
    yield bad("one byte", b"\xff", "not_image")
    yield bad("start of a JPEG", b"\xff\xd8\xff", "not_image")


def prose() -> Iterator[Case]:
    yield bad("text", b"just some text, long enough to be a picture", "not_image")
    yield bad("error page", b"<!doctype html><html><body>404 not found</body></html>", "not_image")
    yield bad("text that begins as a BMP does", b"BM is how this text begins, no bitmap follows", "not_image")


def documents() -> Iterator[Case]:
    for name, content in (
        ("PDF", b"%PDF-1.7\n" + bytes(60)),
        ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) = quit\n" + bytes(60)),
        ("EPS for DOS", b"\xc5\xd0\xd3\xc6" + bytes(60)),
        ("SVG", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
    ):
        yield bad(name, content, "format_not_allowed")


def programs() -> Iterator[Case]:
    for name, start in (
        ("ELF", b"\x7fELF"),
        ("zip", b"PK\x03\x04"),
        ("pickle", b"\x80\x04\x95"),
        ("ONNX", b"\x08\x07\x12\x07pytorch"),
        ("sound", b"RIFF\x40\0\0\0WAVEfmt "),
    ):
        yield bad(name, start + bytes(60), "not_image")


def misnamed() -> Iterator[Case]:
    yield good("JPEG called PNG", encoded(photo(), "JPEG"), "image/png")
    yield good("PNG called JPEG", encoded(photo(), "PNG"), "image/jpeg")
    yield good("GIF called nothing", encoded(photo(), "GIF"), "application/octet-stream")


def polyglots() -> Iterator[Case]:
    yield good("JPEG and zip", encoded(photo(), "JPEG") + b"PK\x03\x04" + bytes(100))
    yield good("PNG and payload", encoded(photo(), "PNG") + b"<script>alert(1)</script>" * 9)


def cut_jpeg() -> Iterator[Case]:
    content = encoded(photo(40, 40), "JPEG")
    for end in range(12, len(content) - 2, 37):
        yield bad(f"{end} bytes", content[:end], "truncated")


def cut_progressive() -> Iterator[Case]:
    content = encoded(photo(40, 40), "JPEG", progressive=True)
    for end in range(12, len(content) - 2, 37):
        yield bad(f"{end} bytes", content[:end], "truncated")


def no_end() -> Iterator[Case]:
    yield bad("all scans and no end", encoded(photo(40, 40), "JPEG")[:-2], "truncated")


def damaged_png() -> Iterator[Case]:
    whole = encoded(photo())
    place = whole.index(b"IDAT") + 20
    yield bad("wrong checksum", whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :], "corrupt")
    yield bad("no end", whole[:-12], "truncated")
    yield bad("cut pixels", whole[:place], "truncated")
    yield bad("no deflate stream", png(4, 4, data=b"this is no deflate stream"), "corrupt")
    yield bad("rows are missing", png(8, 8, data=zlib.compress((b"\0" + bytes(range(24))) * 7)), "truncated")


def bomb() -> Iterator[Case]:
    row = b"\0" + bytes(60_000 // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(60_000)) + packer.flush()
    yield bad("60 000 squared in 60 kB", png(60_000, 60_000, depth=1, color=0, data=data), "too_many_pixels")


def _one_bit(width: int, height: int) -> bytes:
    rows = (b"\0" + b"\xaa" * -(-width // 8)) * height
    return png(width, height, depth=1, color=0, data=zlib.compress(rows, 1))


def at_the_limit() -> Iterator[Case]:
    yield good("50 000 000 pixels", _one_bit(10_000, 5_000))
    yield bad("one row more", _one_bit(10_000, 5_001), "too_many_pixels")
    yield good("a side of 16 384", _one_bit(16_384, 82))
    yield bad("a side of 16 385", _one_bit(16_385, 83), "too_many_pixels")


def lying_headers() -> Iterator[Case]:
    frame = b"\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\1\x03\x11\1"
    scan = b"\x03\1\0\2\0\3\0\0\x3f\0"
    start = b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    jpeg = start + segment(0xC0, frame) + segment(0xDA, scan) + bytes(20)
    yield bad("JPEG of 65535 squared", jpeg, "too_many_pixels")
    yield bad("PNG of 2³¹ - 1 squared", png(2**31 - 1, 2**31 - 1, data=b""), "too_many_pixels")
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"\x2c" + bytes(40)
    yield bad("GIF of 65535 squared", gif, "too_many_pixels")


def no_extent() -> Iterator[Case]:
    yield bad("0 wide", png(0, 5, data=zlib.compress(b"")), "corrupt")
    yield bad("0 high", png(5, 0, data=zlib.compress(b"")), "corrupt")
    yield bad(
        "GIF of nothing",
        b"GIF89a" + bytes(7) + b"\x2c" + struct.pack("<4H", 0, 0, 0, 5) + bytes(20),
        *_DAMAGED,
    )
    yield bad("BMP of nothing", bmp(0, 4, data=bytes(20)), *_DAMAGED)


def top_down() -> Iterator[Case]:
    rows = b"".join(row[:, ::-1].tobytes() for row in photo(8, 8))
    yield good("negative height", bmp(8, -8, data=rows))
    yield bad("the lowest height there is", bmp(8, -(2**31), data=rows), "too_many_pixels", *_DAMAGED)


def large_bmp() -> Iterator[Case]:
    yield bad("60 000 squared", bmp(60_000, 60_000, data=bytes(64)), "too_many_pixels")
    yield bad("45 million pixels in 2 bytes", bmp(9_000, 5_000, bits=8, packing=1, data=b"\xff\0"), *_DAMAGED)
    runs = b"\xff\1" * (8_000 * 6_000 // 255 + 1) + b"\0\1"
    slow = bmp(1_000, 999, bits=8, packing=1, data=(b"\1\7" * 1000 + b"\0\0") * 999 + b"\0\1")
    yield bad("a million runs of one pixel", slow, "too_many_bytes")
    yield bad("48 million pixels in runs", bmp(8_000, 6_000, bits=8, packing=1, data=runs), *_DAMAGED)


def containers() -> Iterator[Case]:
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 100, 22)
    for name, content in (
        ("ICO", b"\0\0\1\0\1\0" + entry + png(40_000, 40_000, data=b"")),
        ("cursor", b"\0\0\2\0\1\0" + entry + bytes(60)),
        ("ICNS", b"icns" + struct.pack(">I", 2**31) + b"ic10" + bytes(60)),
        (
            "BLP",
            b"BLP2" + struct.pack("<IBBBB", 1, 1, 0, 0, 0) + struct.pack("<II", 2**30, 2**30) + bytes(60),
        ),
    ):
        yield bad(name, content, "format_not_allowed")


def gif_frames() -> Iterator[Case]:
    frames = [Image.fromarray(photo(8, 8, seed=seed)) for seed in (0, 1)]
    content = bytearray(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    second = content.rindex(b"\x2c\0\0\0\0\x08\0\x08\0")
    struct.pack_into("<HH", content, second + 5, 65535, 65535)
    yield good("the second frame is 65535 squared", bytes(content))
    first = content.index(b"\x2c\0\0\0\0\x08\0\x08\0")
    struct.pack_into("<HH", content, first + 5, 65535, 65535)
    yield bad("so is the first", bytes(content), "too_many_pixels")


def many_frames() -> Iterator[Case]:
    frame = encoded(photo(4, 4, seed=0), "GIF")
    start = frame.index(b"\x2c")
    yield good("GIF", frame[:start] + frame[start:-1] * 10_000 + b";")
    picture = encoded(photo(4, 4))
    place, end = picture.index(b"IDAT") - 4, len(picture) - 12
    pixels = picture[place + 8 : end - 4]
    control = struct.pack(">IIIIHHBB", 4, 4, 0, 0, 0, 0, 0, 0)
    moves = chunk(b"acTL", struct.pack(">II", 10_000, 0)) + chunk(b"fcTL", struct.pack(">I", 0) + control)
    more = b"".join(
        chunk(b"fcTL", struct.pack(">I", 2 * i - 1) + control)
        + chunk(b"fdAT", struct.pack(">I", 2 * i) + pixels)
        for i in range(1, 10_000)
    )
    yield good("PNG", picture[:place] + moves + picture[place:end] + more + picture[end:])
    frames = [Image.fromarray(photo(4, 4, seed=seed)) for seed in (0, 1)]
    webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    last = webp[webp.rindex(b"ANMF") :]
    whole = webp[8:] + last * 9_998
    yield good("WebP", b"RIFF" + struct.pack("<I", len(whole)) + whole)


def disposals() -> Iterator[Case]:
    frames = [Image.fromarray(photo(seed=seed)) for seed in range(3)]
    for how in (0, 1, 2, 3):
        content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=how, duration=0)
        yield good(f"GIF, disposal {how}", content)
    yield good("PNG", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], disposal=2))
    yield good("WebP", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=0))


def tiffs() -> Iterator[Case]:
    loop = (
        b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 256, 3, 1, 9) + struct.pack("<I", 8)
    )
    tags = b"II*\0\x08\0\0\0" + struct.pack("<H", 65535) + struct.pack("<HHII", 277, 4, 1, 2**31) * 65535
    for name, content in (
        ("directories in a circle", loop),
        ("65 535 tags, 2³¹ samples a pixel", tags),
        ("the other order of bytes", b"MM\0*" + bytes(60)),
        ("big", b"II+\0\x08\0\0\0" + bytes(60)),
        ("a real one", encoded(photo(), "TIFF")),
    ):
        yield bad(name, content, "format_not_allowed")


def pages() -> Iterator[Case]:
    more = [Image.fromarray(photo(seed=1))]
    yield bad(
        "two",
        encoded(Image.fromarray(photo()), "TIFF", save_all=True, append_images=more),
        "format_not_allowed",
    )


def rare_formats() -> Iterator[Case]:
    for name, content in (
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60)),
        ("FITS", b"SIMPLE  =                    T" + bytes(60)),
        ("Photoshop", b"8BPS\0\1" + bytes(60)),
        ("DDS", b"DDS |\0\0\0" + bytes(120)),
        ("PNM", b"P6\n2 2\n255\n" + bytes(12)),
    ):
        yield bad(name, content, "format_not_allowed")
    yield bad(
        "McIdas", b"\0\0\0\0\0\0\0\4" + bytes(256), "not_image"
    )  # of no known name, and refused as well
    yield bad("FLI", b"\x80\0\0\0\x12\xaf" + bytes(122), "not_image")


def phones() -> Iterator[Case]:
    for brand in (b"heic", b"mif1", b"avif", b"avis"):
        yield bad(brand.decode(), b"\0\0\0\x1cftyp" + brand + bytes(60), "format_not_allowed")


def colours() -> Iterator[Case]:
    """Row 53: red, green and blue; tests elsewhere hold that each stays what it is."""
    for name, channel in (("red", 0), ("green", 1), ("blue", 2)):
        plain = np.zeros((16, 16, 3), np.uint8)
        plain[:, :, channel] = 255
        for kind in ("PNG", "JPEG", "BMP"):
            yield good(f"{name} {kind}", encoded(plain, kind))


ROWS = (
    Row(1, "empty file", empty),
    Row(2, "one byte, three bytes of a JPEG", few_bytes),
    Row(3, "text, an error page saved as .jpg", prose),
    Row(4, "PDF, PostScript, SVG", documents),
    Row(5, "programs, archives and models called .png", programs),
    Row(6, "a name that says another format", misnamed),
    Row(7, "two files in one", polyglots),
    Row(8, "JPEG cut anywhere", cut_jpeg),
    Row(9, "progressive JPEG cut anywhere", cut_progressive),
    Row(10, "JPEG without its end mark", no_end),
    Row(11, "PNG damaged", damaged_png),
    Row(12, "PNG bomb", bomb),
    Row(13, "at the limits of pixels and sides", at_the_limit),
    Row(14, "a header that says 65535 × 65535", lying_headers),
    Row(15, "a side of 0", no_extent),
    Row(16, "BMP of negative height", top_down),
    Row(17, "large BMP, few bytes for many pixels", large_bmp),
    Row(18, "ICO, ICNS, BLP", containers),
    Row(19, "GIF frames larger than the screen", gif_frames),
    Row(20, "10 000 frames", many_frames),
    Row(21, "animations and how they clear", disposals),
    Row(22, "TIFF made to hurt", tiffs),
    Row(23, "TIFF of several pages", pages),
    Row(24, "rare formats", rare_formats),
    Row(25, "HEIC, AVIF", phones),
)
