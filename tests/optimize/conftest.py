"""Networks with random weights and statistics, and small ones that really classify, with their pictures."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from foveal.core.random import stream
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize.channels.group import tensors
from foveal.tasks import recognizer
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer, build

OURS = ("nano", "mobilenet_v2", "resnet18", "resnet50")


@pytest.fixture(scope="session")
def randomized() -> Callable[[nn.Module], nn.Module]:
    """Give a network's norms statistics and scales that are not 0 and 1; returns it in eval mode.

    The statistics are near those of noise, so that the pictures still matter behind many layers.
    """

    def make(network: nn.Module, size: int = 32) -> nn.Module:
        torch.manual_seed(1)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.3)
                module.momentum = 1.0
            elif isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.normal_(module.bias, std=0.3)
        with torch.no_grad():
            network.train()(torch.randn(4, 3, size, size))
        for module, momentum in zip(norms, momenta, strict=True):
            module.running_mean += 0.1 * torch.randn_like(module.running_mean)
            module.running_var *= torch.empty_like(module.running_var).uniform_(0.7, 1.3)
            module.momentum = momentum
        return network.eval()

    return make


@pytest.fixture(scope="session")
def network(randomized: Callable[[nn.Module], nn.Module]) -> Callable[[str], nn.Module]:
    """Make a network for 3 channels and 5 classes, ours for 32 pixels."""

    def make(name: str) -> nn.Module:
        torch.manual_seed(0)
        if name in OURS:
            return randomized(recognizer.build(name, {"channels": 3, "classes": 5, "size": 32}))
        more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        made = torchvision.models.get_model(name, weights=None, num_classes=5, **more)
        if name == "vgg11_bn":  # its own has a hundred million weights, and the same operations
            made.classifier[0], made.classifier[3] = nn.Linear(25088, 64), nn.Linear(64, 48)
            made.classifier[6] = nn.Linear(48, 5)
        return randomized(made, 64)

    return make


@pytest.fixture(scope="session")
def choice():
    return _choice


def _choice(found):
    """Keep most units of each group at random, one at least."""
    rng = stream(0, "keep")
    kept = {group.name: rng.random(len(group)) < 0.8 for group in found}
    for mask in kept.values():
        mask[rng.integers(len(mask))] = True
    return kept


@pytest.fixture(scope="session")
def silenced():
    return _silenced


@torch.no_grad()
def _silenced(network, found, kept):
    """Set to 0 what makes and scales the removed units; what reads them keeps its weights."""
    network = copy.deepcopy(network)
    for group in found:
        for place in group.places:
            if place.role != "reads":
                gone = torch.from_numpy(place.positions[~kept[group.name]].ravel())
                for name in ("weight", "bias"):
                    if name in tensors(network.get_submodule(place.module), 0):
                        network.get_submodule(place.module).get_parameter(name)[gone] = 0
    return network


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


@pytest.fixture(scope="session")
def wide():
    """A trained nano with layers above and below what 4 bits are for."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": len(CLASSES), "size": SIZE, "widths": [16, 48, 64]}
    return trained(build("nano", arguments), "nano")


@pytest.fixture(scope="session")
def wide_graph(wide):
    return graph(wide)


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
