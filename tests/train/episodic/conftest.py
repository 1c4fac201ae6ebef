"""A small world of few-shot tasks: each class is a pattern of its own, seen through noise."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from foveal.data.preprocess import Preprocess
from foveal.train.episodic import _method
from foveal.train.episodic._episodes import Shape
from foveal.train.episodic._episodic import Episodic
from foveal.train.examples import Examples
from foveal.train.plan import Plan

PREPROCESS = Preprocess(size=16, channels=1, mean=(0.5,), std=(0.3,))


def patterns(classes: int, each: int, *, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, (classes, 4, 4)).repeat(4, 1).repeat(4, 2) * 160 + 40
    images = kinds.repeat(each, 0) + rng.normal(0, 20, (classes * each, 16, 16))
    images = images.clip(0, 255).astype(np.uint8)[..., None]
    return Examples(images, np.arange(classes).repeat(each), np.arange(classes * each))


@pytest.fixture(scope="session")
def learned() -> Examples:
    return patterns(24, 8, seed=0)


@pytest.fixture(scope="session")
def unseen() -> Examples:
    return patterns(12, 8, seed=1)


@pytest.fixture
def planned(learned: Examples) -> Callable[..., Plan]:
    def make(method: str, *, steps: int = 12, images: int | None = None, **given: float) -> Plan:
        known = _method.settings_of(method, {})
        wanted = {name: given.pop(name) for name in list(given) if name in known}
        shape = Shape(**{"tasks": 2, "way": 4, "shot": 1, "query": 2, **given})
        return Plan(
            model="conv4_strided",
            arguments={"channels": 1, "classes": 1, "size": 16, "width": 8},
            images=images or len(learned),
            steps=steps,
            batch_size=shape.pictures,
            learning_rate=_method.usual(method).learning_rate,
            weight_decay=0.0,
            label_smoothing=0.0,
            ema_share=0.03,
            augmentation={"shift": 0.05},
            precision="fp32",
            optimizer="muon",
            head_rate=1.0,
            objective=method,
            settings={**known, **wanted, **vars(shape)},
            seed=0,
            threads=torch.get_num_threads(),
            step_seconds=0.0,
        )

    return make


@pytest.fixture
def begun() -> Callable[[Plan], Episodic]:
    return lambda plan: _method.begin(plan, PREPROCESS)
