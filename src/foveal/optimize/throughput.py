"""How many pictures a network answers in a time: so many are asked about as a budget pays for."""

import time

from foveal.data.dataset import UInt8
from foveal.tasks.recognizer import Recognizer

_TIMED = 16  # pictures


def answered_in(seconds: float, recognizer: Recognizer, images: UInt8, *, at_least: int, at_most: int) -> int:
    """Return how many pictures a network answers in a time, within both bounds.

    Args:
        seconds: That all of them may take, as some foresee it.
        recognizer: The network.
        images: Of which the first are timed, uint8 (N, S, S, C), N ≥ 1.
        at_least: However long these take.
        at_most: However little time they need.
    """
    few = images[:_TIMED]
    recognizer.logits(few)  # the first call prepares what later ones reuse
    began = time.monotonic()
    recognizer.logits(few)
    rate = len(few) / max(time.monotonic() - began, 1e-6)
    return int(min(at_most, max(at_least, rate * seconds)))
