"""Networks with random weights and random statistics, as none has right after it was built."""

import copy
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn

from foveal.core.random import stream
from foveal.optimize.channels.group import tensors
from foveal.tasks import recognizer

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
