"""Sizes that Pillow reserves memory for while it opens a file, before anybody can look at them.

Sources: WebP container specification (RFC 9649), section 2; GIF89a specification (1990), sections 17 to 24.
"""

import struct

from foveal.core.errors import ImageError

_FRAME, _EXTENSION = 0x2C, 0x21


def webp_canvas(content: bytes) -> tuple[int, int]:
    """Return width and height that a WebP file declares.

    Raises:
        ImageError: `truncated` or `corrupt`.
    """
    if len(content) < 30 or int.from_bytes(content[4:8], "little") + 8 > len(content):
        raise ImageError("the WebP file ends too early", code="truncated")
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError(f"unknown WebP chunk {kind!r}", code="corrupt")


def gif_canvas(content: bytes) -> tuple[int, int]:
    """Return width and height of a GIF's screen, made large enough for its first frame.

    Raises:
        ImageError: `truncated` or `corrupt`.
    """
    try:
        width, height, flags = struct.unpack_from("<HHB", content, 6)
        position = 13 + _color_table_bytes(flags)
        while content[position] == _EXTENSION:
            position += 2
            while content[position]:
                position += 1 + content[position]
            position += 1
        if content[position] != _FRAME:
            raise ImageError("the GIF has no frame", code="corrupt")
        left, top, wide, high = struct.unpack_from("<4H", content, position + 1)
    except (IndexError, struct.error) as error:
        raise ImageError("the GIF ends before its first frame", code="truncated") from error
    return max(width, left + wide), max(height, top + high)


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
