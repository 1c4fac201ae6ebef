"""What can be removed from a network, and how much each unit counts."""

from dataclasses import dataclass, field

import numpy as np

from foveal.data.dataset import UInt8
from foveal.optimize.channels import Group
from foveal.optimize.importance._shares import Scores
from foveal.optimize.importance.fisher import fisher
from foveal.optimize.steps.prune import removable
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


@dataclass(frozen=True)
class Units:
    """The groups of a network with the scores of their units.

    Attributes:
        groups: That may lose units.
        scores: Of the units of each, float64 (units,).
    """

    groups: tuple[Group, ...]
    scores: tuple[Scores, ...] = field(repr=False)


def scored(recognizer: Recognizer, images: UInt8) -> Units:
    """Return what can be removed, with scores from the gradients of pictures.

    Each picture's class is what the network says. Measured (docs/benchmarks.md, "Without training"): of a
    network whose filters the optimizer keeps at one length, lengths of weights say nothing.

    Args:
        recognizer: The network.
        images: What it is asked about, uint8 (N, S, S, C) or clips (N, T, S, S, C), N ≥ 1.
    """
    found = removable(recognizer)
    asked = Examples(images, np.full(len(images), -1, dtype=np.int64), np.arange(len(images)))
    return Units(found, fisher(recognizer, found, asked))
