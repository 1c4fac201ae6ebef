"""Runs of a mask as COCO packs them into a string: letters of six bits, from the third run on differences."""

import numpy as np
from numpy.typing import NDArray

_FIRST = 48  # the letter for 0
_MOST_LETTERS = 7  # of one number: 35 bits


def decoded(text: str) -> NDArray[np.int64]:
    """Return the lengths of runs, int64 (R,).

    Raises:
        ValueError: No such string.
    """
    lengths: list[int] = []
    value = letters = 0
    for letter in text.encode("utf-8"):
        bits = letter - _FIRST
        if not 0 <= bits < 64:
            raise ValueError(f"{chr(letter)!r} is no letter of packed runs")
        value |= (bits & 31) << (5 * letters)
        letters += 1
        if letters > _MOST_LETTERS:
            raise ValueError("a number in packed runs is too large")
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << (5 * letters)
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = letters = 0
    if letters:
        raise ValueError("packed runs end within a number")
    return np.array(lengths, dtype=np.int64)


def encoded(counts: NDArray[np.int64]) -> str:
    """Return the string of lengths of runs, int64 (R,).

    >>> encoded(np.array([6, 1, 40, 4, 5]))
    '61X13mN'
    """
    letters = bytearray()
    lengths = counts.tolist()
    for place, length in enumerate(lengths):
        value = length - lengths[place - 2] if place > 2 else length
        while True:
            bits = value & 31
            value >>= 5
            done = value == (-1 if bits & 16 else 0)
            letters.append(_FIRST + (bits if done else bits | 32))
            if done:
                break
    return letters.decode("ascii")
