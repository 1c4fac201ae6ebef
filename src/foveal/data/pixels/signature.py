"""What kind of file some bytes are, by the bytes alone: a name only says what was meant."""

from foveal.core.errors import ImageError

ALLOWED = ("JPEG", "PNG", "WebP", "BMP", "GIF")
_SHORTEST_PICTURE = 12  # bytes; below that no allowed format has said what it is
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# Formats we know and refuse: rarely needed decoders are where the security bugs of picture libraries are.
_REFUSED = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"icns", "ICNS"),
    (b"BLP1", "BLP"),
    (b"BLP2", "BLP"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"SIMPLE  =", "FITS"),
    (b"8BPS", "Photoshop"),
    (b"DDS ", "DDS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance"),
    *((b"P%d%c" % (kind, space), "PNM") for kind in range(1, 8) for space in b" \n\r\t"),
)


def picture_format(content: bytes) -> str:
    """Return which of `ALLOWED` the bytes are.

    Raises:
        ImageError: `empty`, `not_image`, or `format_not_allowed` for a picture of another format.
    """
    if not content:
        raise ImageError("the file is empty", code="empty", hint="copy or download it again")
    if len(content) >= _SHORTEST_PICTURE:
        if content.startswith(b"\xff\xd8\xff"):
            return "JPEG"
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return "PNG"
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return "WebP"
        if content.startswith((b"GIF87a", b"GIF89a")):
            return "GIF"
        if content.startswith(b"BM") and int.from_bytes(content[14:18], "little") in _BMP_HEADER_SIZES:
            return "BMP"
    refused = _refused_format(content)
    if refused is None:
        raise ImageError(
            "these bytes are no picture", code="not_image", hint="remove the file or save it anew"
        )
    raise ImageError(
        f"{refused} is not read; allowed are {', '.join(ALLOWED)}",
        code="format_not_allowed",
        hint="convert it, for example to PNG",
    )


def _refused_format(content: bytes) -> str | None:
    for magic, name in _REFUSED:
        if content.startswith(magic):
            return name
    if content[4:8] == b"ftyp":
        return "HEIC, AVIF or video"
    return "SVG" if b"<svg" in content[:1024].lower() else None
