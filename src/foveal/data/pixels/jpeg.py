"""How much work a JPEG is: each scan is a pass over the whole picture, however few bytes it has.

Source: ITU-T T.81, 1992, annex B (markers and segments).
"""

import re

_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
_AFTER_PIXELS = re.compile(
    rb"\xff[^\x00\xff\xd0-\xd7]"
)  # the first marker that does not belong to packed pixels


def scans(content: bytes) -> int:
    """Return how many scans the first picture of a JPEG has; what is cut off or follows it is not counted."""
    found, position = 0, 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        kind = content[position + 1]
        if kind == _END:
            break
        if kind == 0xFF or kind in _ALONE:  # a fill byte, or a marker without a segment
            position += 1 if kind == 0xFF else 2
            continue
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if kind == _START_OF_SCAN:
            found += 1
            following = _AFTER_PIXELS.search(content, position)
            if following is None:
                break
            position = following.start()
    return found
