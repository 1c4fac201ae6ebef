"""Nanos of other widths, whatever the original is: they have to learn everything anew."""

from functools import partial

import torch

from foveal.core.random import seed_for
from foveal.data.dataset import UInt8
from foveal.models import Architecture, nano
from foveal.models._cost import cost
from foveal.optimize.candidate import Candidate
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

# Channels of the three stages, the largest first. The last stage holds most of the weights, the first ones
# take most of the time: what is saved there is seen in the file or in the clock.
_WIDTHS = (
    (64, 128, 256), (48, 96, 192), (48, 96, 128), (32, 96, 128), (32, 64, 128), (24, 48, 96), (16, 32, 64),
)  # fmt: skip


def narrow(original: Recognizer, shown: UInt8) -> list[Candidate]:
    """Return a candidate for each choice of widths.

    Args:
        original: Gives preprocessing and classes.
        shown: Pictures whose patches set the first convolution, uint8 (N, S, S, C).
    """
    if original.preprocess.size < nano.CARD.smallest_size:
        return []
    return [_candidate(original, shown, widths) for widths in _WIDTHS]


def _candidate(original: Recognizer, shown: UInt8, widths: tuple[int, ...]) -> Candidate:
    preprocess, classes = original.preprocess, len(original.classes)
    arguments = {
        "channels": preprocess.channels,
        "classes": classes,
        "size": preprocess.size,
        "widths": list(widths),
    }

    def make() -> Recognizer:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(0, "narrow", name))
            network = nano.nano(
                channels=preprocess.channels, classes=classes, size=preprocess.size, widths=widths
            )
        network.learn_from(learn.normalize(torch.from_numpy(shown), preprocess))
        return Recognizer(network.eval(), "nano", arguments, preprocess, original.classes)

    name = "nano-" + "-".join(map(str, widths))
    found = cost(
        Architecture(partial(nano.nano, widths=widths)),
        size=preprocess.size,
        channels=preprocess.channels,
        classes=classes,
    )
    return Candidate(name, (name,), make, found.macs, found.parameters, rate_share=1.0, inherits=False)
