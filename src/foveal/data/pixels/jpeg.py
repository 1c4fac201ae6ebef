"""How much work a JPEG is: each scan is a pass over the whole picture, however few bytes it has.

Source: ITU-T T.81, 1992, annex B (markers and segments).
"""

import re

_MARKER = re.compile(rb"\xff[^\x00\xff]")  # decoders pass over anything else between segments
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment


def scans(content: bytes) -> int:
    """Return how many scans the first picture of a JPEG has; what is cut off or follows it is not counted."""
    found, position = 0, 2
    while marker := _MARKER.search(content, position):
        kind, position = marker[0][1], marker.end()
        if kind == _END:
            break
        if kind not in _ALONE:
            position += int.from_bytes(content[position : position + 2], "big")
            found += kind == _START_OF_SCAN
    return found
