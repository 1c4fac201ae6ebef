"""Where smaller networks come from, one family per file: `families/<name>.py` defines `<name>`.

A family takes the original recognizer and some pictures that may be looked at, and returns candidates. None
of them is trained; a search decides which of them are.
"""

import sys

from foveal.core import catalog
from foveal.data.dataset import UInt8
from foveal.optimize.families._candidate import Candidate as Candidate
from foveal.tasks.recognizer import Recognizer

__all__ = ["Candidate", "candidates"]

_LARGEST = 0.75  # of the original's multiply-adds: a candidate that saves less is not worth a lesson


def candidates(original: Recognizer, shown: UInt8, *, macs: int, most: int) -> list[Candidate]:
    """Return candidates of all families that are clearly smaller than the original, the largest first.

    Where there are more than wanted, some are left out evenly, by their multiply-adds.

    Args:
        original: What is to be replaced.
        shown: Pictures that may be looked at, uint8 (N, S, S, C).
        macs: Multiply-adds of the original for one picture.
        most: How many to return at most.
    """
    folder = sys.modules[__name__]
    found = [one for name in catalog.names(folder) for one in catalog.find(folder, name)(original, shown)]
    smaller = sorted((one for one in found if one.macs <= _LARGEST * macs), key=lambda one: -one.macs)
    if len(smaller) <= most:
        return smaller
    return [smaller[round(place * (len(smaller) - 1) / (most - 1))] for place in range(most)]
