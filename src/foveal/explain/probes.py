"""How much of the classes can be read off at each depth: a linear classifier on what comes out there.

Source: Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016, §3.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.explain.features import features
from foveal.explain.layers import depths
from foveal.explain.scores import Float32, UInt8
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer
from foveal.train.planes import cross_entropy, planes

PIXELS = "pixels"
_DECAY = 0.01  # on the squared weights, against a mean loss in nats; chosen beforehand, not on any data
_FLAT = 1e-6  # a feature that varies less is the same for every picture


@dataclass(frozen=True)
class Probe:
    """What a linear classifier reads off at one depth.

    Attributes:
        layer: The part that has learned; `pixels` is the picture itself.
        depth: 0 for the pixels, then counted.
        shape: What comes out there for a picture.
        features: How many numbers the classifier was given.
        accuracy: On pictures that neither it nor the network has learned from.
    """

    layer: str
    depth: int
    shape: tuple[int, ...]
    features: int
    accuracy: Measured

    def as_json(self) -> dict[str, Any]:
        """Return an entry of the document's `probes`."""
        return {**vars(self), "shape": list(self.shape), "accuracy": self.accuracy.as_json()}


@dataclass(frozen=True)
class Labelled:
    """Pictures at model size, uint8 (N, size, size, channels), with their classes, int64 (N,)."""

    images: UInt8
    labels: NDArray[np.int64]


def probes(recognizer: Recognizer, *, fit: Labelled, test: Labelled) -> list[Probe]:
    """Return what can be read off linearly at each depth, the pixels first.

    Args:
        recognizer: The network.
        fit: Pictures to learn the linear classifiers from; those the network has learned from.
        test: Others, to measure them.

    Raises:
        UsageError: One of the two is empty.
    """
    if not len(fit.labels) or not len(test.labels):
        raise UsageError("probes need pictures to learn from and others to be measured on", code="empty")
    found = depths(recognizer)
    known, asked = (features(recognizer, part.images, found) for part in (fit, test))
    size, channels = recognizer.preprocess.size, recognizer.preprocess.channels
    places = [(PIXELS, "", (channels, size, size)), *((one.title, one.name, one.shape) for one in found)]
    results = []
    for depth, (title, name, shape) in enumerate(places):
        answers = linear_answers(known[name], fit.labels, asked[name], classes=len(recognizer.classes))
        accuracy = clopper_pearson(int((answers == test.labels).sum()), len(answers))
        results.append(Probe(title, depth, shape, known[name].shape[1], accuracy))
    return results


def linear_answers(
    known: Float32, labels: NDArray[np.int64], asked: Float32, *, classes: int
) -> NDArray[np.int64]:
    """Return what a linear classifier that learned from known rows answers for others, int64 (M,).

    Features are brought to mean 0 and deviation 1 over the known rows; softmax regression with a fixed weight
    decay, by L-BFGS from zero: nothing is random and nothing is chosen.

    Args:
        known: (N, D).
        labels: Their classes, (N,) in [0, classes).
        asked: (M, D).
        classes: K ≥ 2.
    """
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    scale = np.where(deviation > _FLAT, 1 / np.maximum(deviation, _FLAT), 0)
    rows, others = (torch.from_numpy(((part - mean) * scale).astype(np.float32)) for part in (known, asked))
    cost = 1 / (_DECAY * len(rows))  # of the summed losses against ½ Σ weights²: the same minimum
    found = planes(rows, torch.from_numpy(labels), classes=classes, cost=cost, loss=cross_entropy)
    answers: NDArray[np.int64] = (others @ found[:-1] + found[-1]).argmax(dim=1).numpy()
    return answers
