"""A predictor that needs no bundle, and pictures whose class is their brightest channel."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.core.errors import ImageError
from foveal.data.clip import Clip
from foveal.data.preprocess import Preprocess
from foveal.evaluate.held_out import HeldOut
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

CLASSES = ("red", "green", "blue")


class Brightest:
    """Answers with the brightest channel, as sure as it is bright, and remembers the shapes it was given."""

    classes = CLASSES
    digest = "d" * 64
    session = SimpleNamespace(engine="pencil 1.0")
    manifest = SimpleNamespace(task="classify")
    precision = "fp32"
    decision = Decision(
        abstain=Abstain(threshold=0.6, risk=0.05, delta=0.05, n=100),
        conformal=Conformal(alpha=0.1, quantile=0.7, n=100),
    )

    def __init__(self, size: int = 8, frames: int | None = None) -> None:
        clip = None if frames is None else Clip(frames=frames)
        self.preprocess = Preprocess(size=size, channels=3, mean=[0] * 3, std=[1] * 3, clip=clip)
        self.asked: list[tuple[int, ...]] = []

    def run(self, images: np.ndarray) -> SimpleNamespace:
        """Return softmax of the mean channels."""
        assert images.dtype == np.uint8
        self.asked.append(images.shape)
        powers = np.exp(images.mean(axis=tuple(range(1, images.ndim - 1))) / 40)
        probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return SimpleNamespace(probabilities=probabilities, logits=np.log(powers))


@pytest.fixture
def predictor() -> Brightest:
    """Return the predictor."""
    return Brightest()


@pytest.fixture
def of_clips() -> Brightest:
    """Return one that takes clips of 8 frames of 224 pixels."""
    return Brightest(size=224, frames=8)


@pytest.fixture
def decision() -> Decision:
    """Return its thresholds."""
    return Brightest.decision


@pytest.fixture
def coloured() -> Callable[..., HeldOut]:
    """Return a maker of n pictures; those at the positions `broken` cannot be read."""

    def make(n: int = 90, *, broken: tuple[int, ...] = (), size: int = 8) -> HeldOut:
        rng = np.random.default_rng(0)
        labels = np.arange(n) % 3
        levels = rng.integers(40, 160, size=(n, 1, 1, 3)) + 60 * np.eye(3)[labels][:, None, None]
        noise = rng.normal(scale=8, size=(n, size, size, 3))
        images = (levels + noise).clip(0, 255).astype(np.uint8)

        def read(position: int) -> np.ndarray:
            if position in broken:
                raise ImageError(f"picture {position} ends early", code="truncated")
            return images[position]

        return HeldOut(labels, [f"{position}.png" for position in range(n)], read)

    return make
