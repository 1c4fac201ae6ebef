"""Pictures that can be told apart, and the cheapest member of each family trained on them for a few steps."""

import numpy as np
import pytest

from foveal import models
from foveal.core.progress import silent
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fit
from foveal.train.plan import Plan
from foveal.train.starting import start

SIZE, CLASSES = 32, ("level", "upright", "diagonal", "red", "green", "blue")
PREPROCESS = Preprocess(size=SIZE, channels=3, mean=(0.5, 0.45, 0.4), std=(0.25, 0.2, 0.3))


def drawn(count: int, seed: int):
    """Return pictures uint8 (N, 32, 32, 3) and labels: stripes in three directions, or a tint, on noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), count)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    images = np.empty((count, SIZE, SIZE, 3))
    for image, label in zip(images, labels, strict=True):
        coarse = rng.normal(0, 1, (8, 8, 3)).repeat(4, axis=0).repeat(4, axis=1)
        image[:] = 120 + 20 * coarse + rng.normal(0, 12, (SIZE, SIZE, 3))
        if label < 3:
            phase = (y, x, x + y)[label] * 2 * np.pi / rng.uniform(5, 9) + rng.uniform(0, 6)
            image += 50 * np.sin(phase)[:, :, None]
        else:
            image[:, :, label - 3] += 50
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.int64)


def plan(name: str, images: int, steps: int, **changes):
    """Return the plan of a training by the architecture's own settings, at its coarsest stem."""
    architecture = models.architecture(name)
    chosen = architecture.settings
    arguments = {"channels": 3, "classes": len(CLASSES), "size": SIZE, **architecture.variants(SIZE)[0]}
    wanted = {
        "model": architecture.name, "arguments": arguments, "images": images, "steps": steps,
        "batch_size": 32,
        "optimizer": chosen.optimizer, "learning_rate": chosen.learning_rate, "head_rate": chosen.head_rate,
        "warm_up_share": chosen.warm_up_share, "weight_decay": chosen.weight_decay, "label_smoothing": 0.1,
        "ema_share": 0.05, "augmentation": {}, "precision": "fp32", "seed": 0, "threads": 1,
        "step_seconds": 0.0,
    }  # fmt: skip
    return Plan(**(wanted | changes))


def trained(name: str, *, images: int = 192, steps: int = 24, **changes):
    """Return the objective, what fitting gave, and the recognizer."""
    pictures, labels = drawn(images, 1)
    examples = Examples(pictures, labels, np.arange(images))
    wanted, architecture = plan(name, images, steps, **changes), models.architecture(name)
    objective = start(wanted, architecture, examples, PREPROCESS, classes=len(CLASSES))
    fitted = fit(objective, examples, wanted, progress=silent)
    made = Recognizer(objective.deployable(), architecture.name, wanted.arguments, PREPROCESS, CLASSES)
    return objective, fitted, made.with_weights(fitted.weights)


@pytest.fixture(scope="session")
def known():
    """What `train` learns from, where it is given 64 images: pictures and labels."""
    return drawn(64, 1)


@pytest.fixture(scope="session")
def pictures():
    """Others of the same kinds."""
    return drawn(64, 2)[0]


@pytest.fixture(scope="session")
def train():
    return trained
