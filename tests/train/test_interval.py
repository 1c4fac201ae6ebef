"""train.objectives.interval: half of it is the worst case over a box; what it trains can be proven."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foveal.certified.bounds.linf import certified_linf
from foveal.core.errors import RecipeError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train import chosen
from foveal.train.objective import Batch
from foveal.train.objectives.interval import Interval
from foveal.train.objectives.supervised import Supervised

SIZE, CLASSES = 8, 3
PREPROCESS = Preprocess(size=SIZE, channels=1, mean=(0.5,), std=(0.25,))
SHARED = {"classes": CLASSES, "preprocess": PREPROCESS, "augmentation": {}, "label_smoothing": 0.0}
DEFAULTS = chosen.settings_of("interval", {})


def interval(network: nn.Module, **settings: float) -> Interval:
    return Interval(Supervised(network, **SHARED), {**DEFAULTS, **settings})


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, CLASSES)),
    )


def examples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright corner, left, middle or right: easy, but with little contrast."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    images = rng.integers(90, 130, (count, SIZE, SIZE, 1))
    for image, label in zip(images, labels, strict=True):
        image[:4, 3 * label : 3 * label + 2] += 40
    return images.astype(np.uint8), labels


def batch(share: float, count: int = 40, seed: int = 0) -> Batch:
    images, labels = (torch.from_numpy(part) for part in examples(count, seed))
    zeros = torch.zeros(count, dtype=torch.int64)
    return Batch(images, labels, zeros, zeros, share, torch.Generator().manual_seed(0))


def test_before_the_box_grows_it_is_supervised_training():
    plain, ours = Supervised(small_network(), **SHARED), interval(small_network())

    assert float(ours(batch(0.05)).loss.detach()) == float(plain(batch(0.05)).loss.detach())
    assert float(ours(batch(0.06)).loss.detach()) > float(plain(batch(0.06)).loss.detach())


def test_box_and_share_grow_once_and_stay():
    ours = interval(small_network(), rise_from=0.2, rise_until=0.6)

    grown = [ours.grown(share) for share in np.linspace(0, 1, 51)]

    assert grown == sorted(grown)
    assert (ours.grown(0.2), ours.grown(0.4), ours.grown(0.6), ours.grown(0.99)) == (
        0,
        pytest.approx(0.5),
        1,
        1,
    )


def test_the_worst_case_is_worse_than_anything_in_the_box_and_nothing_without_one():
    network, radius = small_network(), 6.0
    worst = float(interval(network, epsilon=radius, worst=1.0)(batch(0.9)).loss.detach())
    empty = float(interval(network, epsilon=1e-6, worst=1.0)(batch(0.9)).loss.detach())
    images, labels = (torch.from_numpy(part) for part in examples(40))

    with torch.no_grad():

        def loss(moves: torch.Tensor) -> float:
            pixels = (images.float() + moves).clamp(0, 255)
            return float(F.cross_entropy(network(learn.normalize(pixels, PREPROCESS)), labels))

        moved = [loss(radius * torch.randint(-1, 2, images.shape)) for _ in range(200)]
        assert empty == pytest.approx(loss(torch.zeros(images.shape)), abs=1e-4)
    assert worst > max(moved)


def trained(objective: Supervised, steps: int = 150) -> Recognizer:
    optimizer = torch.optim.Adam(objective.parameters(), lr=5e-3)
    for step in range(steps):
        optimizer.zero_grad()
        objective(batch(step / steps, seed=step)).loss.backward()
        optimizer.step()
    return Recognizer(objective.deployable().eval(), "small", {}, PREPROCESS, ("a", "b", "c"))


def test_what_it_trains_is_proven_far_more_often():
    images, labels = examples(100, seed=1000)
    radius = 6.0

    plain = trained(Supervised(small_network(), **SHARED))
    ours = trained(interval(small_network(), epsilon=radius * 1.1))

    shares = [certified_linf(one, images, labels, radius=radius).mean() for one in (plain, ours)]
    assert (ours.logits(images).argmax(1) == labels).mean() > 0.95
    assert shares[1] > 0.8
    assert shares[1] > shares[0] + 0.3


def test_a_rise_that_ends_before_it_starts_is_refused():
    with pytest.raises(RecipeError, match="rise_from"):
        interval(small_network(), rise_from=0.5, rise_until=0.5)


def test_a_network_without_bounds_is_refused_before_it_is_trained():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Sigmoid(), nn.Linear(8, CLASSES))

    with pytest.raises(UsageError, match="sigmoid"):
        interval(network)
