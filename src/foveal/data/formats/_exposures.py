"""Frames of one part under several exposures, told by their names: `exp3_num_4764`."""

import re
from collections.abc import Sequence

from foveal.data.formats._annotations import stem_of

_NAME = re.compile(r"exp\d+_num_(\d+)")
_APART = (
    200  # frames; measured on magnetic tiles: of one tile they are 10 to 150 apart, of two seldom below 300
)


def exposures(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the part that each picture shows, None where names do not tell.

    The number is that of a frame: a camera that runs sees one part for a while, under one exposure after the
    other, and then the next. Frames that follow each other closely are of one part; two parts that come close
    on each other stay together, too, which costs pictures and makes no number too good.

    >>> exposures(["a/exp2_num_570.jpg", "b/exp1_num_542.jpg", "a/exp1_num_9000.jpg"])
    ('group 542', 'group 542', 'group 9000')
    >>> exposures(["a/1.jpg", "a/exp1_num_9000.jpg"]) is None
    True
    """
    found = [_NAME.fullmatch(stem_of(name).rpartition("/")[2]) for name in names]
    numbers = [int(match[1]) for match in found if match]
    if not numbers or len(numbers) < len(names):
        return None
    first: dict[int, int] = {}
    ordered = sorted(set(numbers))
    for before, number in zip([ordered[0], *ordered], ordered, strict=False):
        near = number - before <= _APART
        first[number] = first.get(before, number) if near else number
    return tuple(f"group {first[number]}" for number in numbers)
