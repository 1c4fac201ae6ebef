"""Small pictures with something in them, and each method around a small network."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from foveal import models
from foveal.data.preprocess import Preprocess
from foveal.train import pretext
from foveal.train.examples import Examples
from foveal.train.objective import Batch
from foveal.train.plan import Plan
from foveal.train.pretexts._pretext import Pretext

SIZE = 16
PREPROCESS = Preprocess(size=SIZE, channels=3, mean=(0.4, 0.4, 0.4), std=(0.25, 0.25, 0.25))
ARGUMENTS = {
    "nano": {"channels": 3, "classes": 2, "size": SIZE, "widths": [8, 16, 16]},
    "vit_tiny": {"channels": 3, "classes": 2, "size": SIZE},
}


@pytest.fixture
def examples() -> Examples:
    """96 pictures: a bright bar on a dark ground, upright, at one of several places; no label is told."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (96, SIZE, SIZE, 3), dtype=np.uint8)
    for image, place, color in zip(images, rng.integers(0, 12, 96), rng.integers(0, 3, 96), strict=True):
        image[: SIZE // 2, place : place + 3, color] += 150
    return Examples(images, np.zeros(96, np.int64), np.arange(96))


@pytest.fixture
def planned() -> Callable[..., Plan]:
    def make(method: str, *, model: str = "nano", **settings: float) -> Plan:
        return Plan(
            model=model,
            arguments=ARGUMENTS[model],
            images=96,
            steps=12,
            batch_size=32,
            learning_rate=0.05 if model == "nano" else 1e-3,
            weight_decay=1e-3,
            label_smoothing=0.0,
            ema_share=0.2,
            augmentation={},
            precision="fp32",
            optimizer="muon" if model == "nano" else "adam",
            objective=method,
            settings=pretext.settings_of(method, settings),
            seed=0,
            threads=torch.get_num_threads(),
            step_seconds=0.0,
        )

    return make


@pytest.fixture
def started(examples: Examples, planned: Callable[..., Plan]) -> Callable[..., Pretext]:
    def make(method: str, *, model: str = "nano", **settings: float) -> Pretext:
        plan = planned(method, model=model, **settings)
        return pretext.start(plan, models.architecture(model), examples, PREPROCESS)

    return make


@pytest.fixture
def batch(examples: Examples) -> Callable[..., Batch]:
    def make(count: int = 32, *, seed: int = 0, share: float = 0.5) -> Batch:
        rows = torch.arange(count)
        images = torch.from_numpy(examples.images[:count].copy())
        generator = torch.Generator().manual_seed(seed)
        return Batch(images, torch.zeros_like(rows), rows, rows * 0, share, generator)

    return make
