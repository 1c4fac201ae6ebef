"""How many pictures a network answers in a time: so many are asked about as a budget pays for."""

import time

import torch

from foveal.core.batches import at_once
from foveal.data.dataset import UInt8
from foveal.tasks.classify.learn import normalize
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
    _answer(recognizer, few)  # the first call prepares what later ones reuse
    began = time.monotonic()
    _answer(recognizer, few)
    rate = len(few) / max(time.monotonic() - began, 1e-6)
    return int(min(at_most, max(at_least, rate * seconds)))


@torch.no_grad()
def _answer(recognizer: Recognizer, images: UInt8) -> None:
    """Let a network answer, whatever its answers mean."""
    network, step = recognizer.network.eval(), at_once(recognizer.preprocess.shape)
    for start in range(0, len(images), step):
        network(normalize(torch.from_numpy(images[start : start + step]), recognizer.preprocess))
