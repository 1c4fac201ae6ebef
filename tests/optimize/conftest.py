"""Small networks that really classify, and the pictures they were trained for."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer, build

SIZE, CLASSES = 16, ("level", "upright", "diagonal", "red", "green", "blue")
PREPROCESS = Preprocess(size=SIZE, channels=3, mean=(0.5, 0.45, 0.4), std=(0.25, 0.2, 0.3))


def drawn(count: int, seed: int):
    """Return pictures uint8 (M, 16, 16, 3) and labels: grey stripes in three directions, or a tint."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), count)
    across = np.arange(SIZE)
    down = across[:, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    waves = [np.sin(axis * 1.6 + phase) for axis in (down + 0 * across, across + 0 * down, down + across)]
    pictures = rng.normal(110, 30, (count, SIZE, SIZE, 3))
    for index, label in enumerate(labels):
        if label < 3:
            pictures[index] += 30 * waves[label][index][..., None]
        else:
            pictures[index, :, :, label - 3] += 25
    return np.clip(pictures, 0, 255).astype(np.uint8), labels


def trained(network: nn.Module, architecture: str = "own", steps: int = 120) -> Recognizer:
    torch.manual_seed(0)
    pictures, labels = drawn(1024, seed=1)
    images, targets = learn.normalize(torch.from_numpy(pictures), PREPROCESS), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    network.train()
    for step in range(steps):
        rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(step))[:64]
        loss = nn.functional.cross_entropy(network(images[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Recognizer(network.eval(), architecture, {}, PREPROCESS, CLASSES)


@pytest.fixture(scope="session")
def pictures():
    """192 that nothing was trained on."""
    return drawn(192, seed=2)[0]


@pytest.fixture(scope="session")
def test_set():
    """Pictures and labels for judging: 600."""
    return drawn(600, seed=3)


@pytest.fixture(scope="session")
def nano():
    """A trained nano: normalization without padding behind it, maxima, residual sums."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": len(CLASSES), "size": SIZE, "widths": [8, 16, 16]}
    return trained(build("nano", arguments), "nano")


class Separable(nn.Module):
    """Padded first convolution, depthwise convolution, mean: what MobileNets are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 12, 3, padding=1)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.norm = nn.BatchNorm2d(12)
        self.mix = nn.Conv2d(12, 16, 1)
        self.head = nn.Linear(16, len(CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.norm(self.depthwise(torch.relu(self.enter(images)))))
        return self.head(nn.functional.relu6(self.mix(features)).mean(dim=(2, 3)))


@pytest.fixture(scope="session")
def separable():
    torch.manual_seed(0)
    return trained(Separable(), steps=250)


@pytest.fixture(scope="session")
def outlier(separable):
    """The same decisions, but one channel in front of the depthwise convolution is 3000 times as large.

    ReLU passes factors on, so dividing the depthwise weights of that channel by the factor undoes it exactly.
    """
    network = copy.deepcopy(separable.network)
    with torch.no_grad():
        network.enter.weight[0] *= 3000
        network.enter.bias[0] *= 3000
        network.depthwise.weight[0] /= 3000
    return Recognizer(network, "own", {}, PREPROCESS, CLASSES)


@pytest.fixture(scope="session")
def nano_graph(nano):
    return graph(nano)


@pytest.fixture(scope="session")
def separable_graph(separable):
    return graph(separable)


@pytest.fixture(scope="session")
def outlier_graph(outlier):
    return graph(outlier)
