"""data.pixels.png: rows that a file promises and does not hold are missed."""

import struct

from foveal.data.pixels.png import Png, lacks_rows


def test_pixels_that_do_not_unpack_are_missing() -> None:
    header = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)

    assert lacks_rows(Png(header, (memoryview(b"no deflate stream"),), 0))
