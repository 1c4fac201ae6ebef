"""Which way up a picture is, from its EXIF block.

Source: EXIF 2.32, tag 0x0112 of the first directory. We read this one number ourselves: a full EXIF
parser warns, or fails, on the broken blocks that cameras and web sites write, and the picture is fine.
"""

import struct

from PIL import Image

_TAG = 0x0112
_SHORT = 3
_UPRIGHT = 1
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(exif: bytes) -> int:
    """Return the orientation 1 to 8; 1 (upright) where the block is broken or says nothing sensible.

    Args:
        exif: The block, with or without its `Exif` prefix.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return _UPRIGHT
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        entries = struct.unpack_from(f"{order}H", tiff, start)[0]
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == _TAG:
                return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else _UPRIGHT
    except struct.error:  # the table points outside the tag: as if there were none
        return _UPRIGHT
    return _UPRIGHT


def swaps_sides(turn: int) -> bool:
    """Return whether an orientation exchanges width and height."""
    return turn >= 5


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Return the picture turned upright; the same object where it is already."""
    method = _TURNS.get(turn)
    return image if method is None else image.transpose(method)
