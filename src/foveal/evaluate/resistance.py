"""What a recognizer still names correctly under corruption and attack, picture by picture.

Everything is asked of the file that ships. Corruptions: the types of Hendrycks & Dietterich, 2019; accuracy
under them is an estimate. Attack: `perturb/attacks/black_box/square.py`; what survives it is an upper bound,
because a stronger attack may find more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.core import catalog
from foveal.core.batches import in_parts
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.clip import tall
from foveal.data.dataset import UInt8
from foveal.evaluate.corrupted import corrupted
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.perturb import corruptions
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.square import square

SEVERITY = 3
BALLS = (Ball("linf", 2.0), Ball("linf", 8.0))  # rising: what falls in a smaller one falls in all
Bools = NDArray[np.bool_]


class HasLogits(Protocol):
    """What is answered for N pictures."""

    @property
    def logits(self) -> Float32:
        """Before any temperature; float32 (N, K)."""
        ...


class RunsLogits(Protocol):
    """Anything that answers with logits: a `Predictor` is one."""

    def run(self, images: UInt8, /) -> HasLogits:
        """Return the answers for uint8 (N, size, size, channels), N ≥ 1."""
        ...


@dataclass(frozen=True)
class Effort:
    """How much is asked.

    Attributes:
        images: Pictures, at most.
        fewest: So many where a network is large.
        queries: Of the attack, for each picture and ball.
    """

    images: int
    fewest: int
    queries: int

    def pictures(self, macs: int) -> int:
        """Return how many pictures to take for networks of up to so many multiply-adds a picture."""
        return int(np.clip(_AFFORDABLE // max(1, macs), self.fewest, self.images))


_AFFORDABLE = 20_000_000_000  # multiply-adds for asking once about every picture
LEVELS = {"quick": Effort(200, 50, 100), "full": Effort(1000, 1000, 1000)}


@dataclass(frozen=True)
class Resistance:
    """Which of N pictures one recognizer names correctly.

    Attributes:
        clean: As they are, bool (N,).
        disturbed: Under each corruption, bool (N,).
        attacked: After an attack within each ball, by its name, bool (N,).
    """

    clean: Bools = field(repr=False)
    disturbed: Mapping[str, Bools] = field(repr=False)
    attacked: Mapping[str, Bools] = field(repr=False)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the corruptions under which each picture is named correctly, (N,)."""
        found: NDArray[np.float64] = np.mean(list(self.disturbed.values()), axis=0)
        return found

    def mean_corruption(self, *, seed: int) -> Measured:
        """Return the accuracy, averaged over the corruptions; the interval resamples pictures."""
        return bootstrap(self.shares, seed=seed)

    def retention(self, *, seed: int) -> Measured | None:
        """Return that as a share of the accuracy on the same pictures as they are; None where that is 0."""
        if not self.clean.any():
            return None
        columns = np.stack([self.shares, self.clean], axis=1)
        return bootstrap(columns, lambda m: m[:, 0] / np.maximum(m[:, 1], 1 / len(columns)), seed=seed)

    def robust(self) -> dict[str, Measured]:
        """Return the share that is named correctly after each attack."""
        return {ball: clopper_pearson(int(right.sum()), len(right)) for ball, right in self.attacked.items()}


def types() -> tuple[str, ...]:
    """Return the corruptions of ImageNet-C, in the paper's order."""
    return tuple(name for name in corruptions.IMAGENET_C if name in catalog.names(corruptions))


def resistance(
    predictor: RunsLogits, images: UInt8, labels: NDArray[np.int64], *, queries: int, seed: int
) -> Resistance:
    """Disturb and attack pictures, each once with every corruption and within every ball.

    Args:
        predictor: Runs the model.
        images: At model size, uint8 (N, size, size, C), N ≥ 1; of clips (N, T, size, size, C), which are
            attacked as tall pictures, frame below frame.
        labels: The truth, int64 (N,).
        queries: Of the attack, for each picture and ball.
        seed: Of disturbances and attack: the same for every recognizer.
    """

    def scores(asked: UInt8) -> Float32:
        asked = asked.reshape(len(asked), *images.shape[1:])  # the attack knows pictures alone
        together = in_parts(len(asked), asked.shape[1:])
        return np.concatenate([predictor.run(asked[part.start : part.stop]).logits for part in together])

    disturbed = {}
    for name in types():
        rng = stream(seed, "resistance", name)
        disturbed[name] = corrupted(name, images, labels, severity=SEVERITY, rng=rng, ask=scores).right
    clean: Bools = scores(images).argmax(axis=1) == labels
    attacked, alive = {}, clean.copy()
    for ball in BALLS:
        rows, rng = np.flatnonzero(alive), stream(seed, "resistance", str(ball))
        if len(rows):
            found = square(scores, tall(images[rows]), labels[rows], ball=ball, queries=queries, rng=rng)
            alive[rows] = scores(found).argmax(axis=1) == labels[rows]
        attacked[str(ball)] = alive.copy()
    return Resistance(clean, disturbed, attacked)
