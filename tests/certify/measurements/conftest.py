"""A subject whose file names the strongest colour, and pictures of three colours with overlap."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from foveal.bundle.manifest import Data, Images
from foveal.bundle.predictor import Predictor
from foveal.certify.level import LEVELS
from foveal.certify.profile import Profile
from foveal.certify.subject import Answered, Overlap, Subject
from foveal.evaluate.held_out import HeldOut
from foveal.export.sealing import Origin
from foveal.export.sealing import bundle as seal
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

from .halves import LEVEL, pictures, recognizer


def colours(n: int, *, seed: int = 0, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures uint8 (n, size, size, 3) and the channel that was made stronger, int64 (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    levels = rng.integers(60, 140, size=(n, 1, 1, 3)) + 60 * np.eye(3)[labels][:, None, None]
    images = (levels + rng.normal(scale=8, size=(n, size, size, 3))).clip(0, 255).astype(np.uint8)
    return images, labels.astype(np.int64)


@pytest.fixture
def answered() -> Callable[..., Answered]:
    """Make pictures with the answers of a predictor; `labels` replaces the truth."""

    def make(predictor: Predictor, n: int, *, seed: int = 0, labels: np.ndarray | None = None) -> Answered:
        images, truth = colours(n, seed=seed, size=predictor.preprocess.size)
        truth = truth if labels is None else labels
        held_out = HeldOut(truth, [f"{k}.png" for k in range(n)], lambda place: images[place])
        outputs = predictor.run(images)
        return Answered(held_out, outputs.probabilities, outputs.logits)

    return make


@pytest.fixture
def subject(bundle: Path, answered: Callable[..., Answered]) -> Callable[..., Subject]:
    """Make a subject on the colour classifier; keyword arguments replace its entries."""

    def make(**changes: object) -> Subject:
        path = changes.pop("bundle", bundle)
        predictor = Predictor.open(path, threads=1)
        entries = {
            "bundle": path,
            "predictor": predictor,
            "test": changes["test"] if "test" in changes else answered(predictor, 300),
            "proving": None,
            "tuning": None,
            "twin": None,
            "no_twin": "no network here",
            "overlap": Overlap(known=True, count=0, n=300),
            "level": LEVELS["smoke"],
            "profile": Profile(name="test"),
        }
        return Subject(**{**entries, **changes})

    return make


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[nn.Module], tuple[Recognizer, Path]]:
    """Export a network of halves."""

    def make(network: nn.Module) -> tuple[Recognizer, Path]:
        twin, path = recognizer(network), tmp_path_factory.mktemp("halves") / "halves.foveal"
        images, labels = pictures(400, seed=1)
        calib = Examples(images, labels, np.arange(400))
        data = Data(fingerprint="0" * 64, split_seed=0, images=Images(fit=0, calib=400, test=0))
        assert seal(twin, path, calib=calib, origin=Origin(data)).bundle is not None
        return twin, path

    return make


@pytest.fixture
def attacked(subject: Callable[..., Subject]) -> Callable[..., Subject]:
    """Make a subject on a sealed network, with its twin."""

    def make(twin: Recognizer | None, path: Path, **changes: object) -> Subject:
        images, labels = pictures(200, seed=2)
        outputs = Predictor.open(path, threads=1).run(images)
        held_out = HeldOut(labels, [f"{k}.png" for k in range(200)], lambda place: images[place])
        test = Answered(held_out, outputs.probabilities, outputs.logits)
        why = "" if twin is not None else "no network here"
        entries = {"bundle": path, "test": test, "twin": twin, "no_twin": why, "level": LEVEL}
        return subject(**{**entries, **changes})

    return make
