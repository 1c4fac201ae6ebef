"""A small problem that a small network learns in a second: which colour channel is bright."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import build
from foveal.train.examples import Examples
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan

PREPROCESS = Preprocess(size=16, channels=3, mean=(0.3, 0.3, 0.3), std=(0.2, 0.2, 0.2))
ARGUMENTS = {"channels": 3, "classes": 3, "size": 16, "widths": [8, 16, 16]}


@pytest.fixture
def examples() -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    images = rng.integers(0, 140, (90, 16, 16, 3), dtype=np.uint8)
    images[np.arange(90), :, :, labels] += 60
    return Examples(images, labels, np.arange(10, 90))


@pytest.fixture
def plan() -> Plan:
    return Plan(
        model="nano",
        arguments=ARGUMENTS,
        images=80,
        steps=24,
        batch_size=32,
        learning_rate=0.1,
        weight_decay=1e-3,
        label_smoothing=0.1,
        ema_share=0.2,
        augmentation={"flip": 1.0, "shift": 0.1, "affine": 0.5, "color": 0.1, "cutout": 0.2},
        precision="fp32",
        seed=0,
        threads=torch.get_num_threads(),
        step_seconds=0.0,
    )


@pytest.fixture
def supervised(examples: Examples) -> Callable[[Plan], Supervised]:
    def make(plan: Plan) -> Supervised:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(plan.seed, "weights"))
            network = build(plan.model, plan.arguments)
        network.learn_from(learn.normalize(torch.from_numpy(examples.images), PREPROCESS))
        return Supervised(
            network,
            classes=3,
            preprocess=PREPROCESS,
            augmentation=plan.augmentation,
            label_smoothing=plan.label_smoothing,
        )

    return make
