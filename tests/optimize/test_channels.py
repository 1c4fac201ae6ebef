"""optimize.channels: what is removed was the same as nothing, and what is not understood stays."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from foveal.core.random import stream
from foveal.optimize.channels import groups
from foveal.optimize.channels.group import tensors
from foveal.optimize.channels.removal import parameters_left, without

SIZES = {
    **dict.fromkeys(("nano", "mobilenet_v2", "resnet18", "resnet50"), 32),
    **dict.fromkeys(("efficientnet_b0", "mobilenet_v3_small", "vgg11_bn", "densenet121", "googlenet"), 64),
    **dict.fromkeys(("squeezenet1_1", "convnext_tiny", "shufflenet_v2_x1_0", "regnet_x_400mf"), 64),
}
# Shares that can go at all; an analysis that freezes too much falls below.
PRUNABLE = {"convnext_tiny": 0.9, "shufflenet_v2_x1_0": 0.3, "squeezenet1_1": 0.9}


def choice(found, seed=0):
    """Keep most units of each group at random, one at least."""
    rng = stream(seed, "keep")
    kept = {group.name: rng.random(len(group)) < 0.8 for group in found}
    for mask in kept.values():
        mask[rng.integers(len(mask))] = True
    return kept


@torch.no_grad()
def silenced(network, found, kept):
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


@pytest.mark.parametrize("name", SIZES)
def test_removed_is_the_same_as_silent(name, network):
    net = network(name)
    found = groups(net, channels=3, size=SIZES[name])
    kept = choice(found)
    images = torch.randn(2, 3, SIZES[name], SIZES[name], dtype=torch.float64)
    before = {key: value.clone() for key, value in net.state_dict().items()}

    smaller = without(net, found, kept)

    with torch.no_grad():
        expected = silenced(net, found, kept).double()(images)
        answer = smaller.double()(images)
    spread = expected.std(dim=0).max().item()
    assert spread > 1e-6, "the pictures matter"
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-6 * spread)
    counts = {group: int(mask.sum()) for group, mask in kept.items()}
    left = sum(p.numel() for p in smaller.parameters())
    assert left == parameters_left(net, found, counts)
    total = sum(p.numel() for p in net.parameters())
    fewest = parameters_left(net, found, {group.name: 1 for group in found})
    assert 1 - fewest / total > PRUNABLE.get(name, 0.97)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    touched = {place.module for group in found for place in group.places}
    for key, value in smaller.state_dict().items():
        if key.rpartition(".")[0] not in touched:
            assert torch.equal(value, before[key].to(value)), "what is in no group is left alone"


class Around(nn.Module):
    """A convolution, something in between, and a convolution that reads it."""

    def __init__(self, between):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 6, 3)
        self.head = nn.Linear(6, 2)
        self.between = between

    def forward(self, images):
        return self.head(self.second(self.between(self.first(images))).mean((2, 3)))


KNOWN = {
    "itself": lambda x: x,
    "doubled": lambda x: x + x,
    "there and back": lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    "gate": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
}
UNKNOWN = {
    "running sum": lambda x: torch.cumsum(x, 1),
    "reshape": lambda x: x.reshape(x.shape[0], 4, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    "halves": lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1),
    "softmax": lambda x: x.softmax(1),
    "table": lambda x: x * torch.arange(8.0).view(8, 1, 1),
    "mean over channels": lambda x: x - x.mean(1, keepdim=True),
    "turned": lambda x: x[:, :, :, :8].transpose(1, 3) + x[:, :, :8, :8],
    "roll": lambda x: x.roll(1, dims=1),
}


@pytest.mark.parametrize("between", KNOWN)
def test_what_is_understood_is_prunable(between):
    found = groups(Around(KNOWN[between]), channels=3, size=16)

    assert [(group.name, len(group)) for group in found] == [("first", 8), ("second", 6)]


@pytest.mark.parametrize("between", UNKNOWN)
def test_what_is_not_understood_stays(between):
    found = groups(Around(UNKNOWN[between]), channels=3, size=16)

    assert [(group.name, len(group)) for group in found] == [("second", 6)]


def test_a_layer_that_runs_twice_is_cut_for_both():
    class Twice(Around):
        def forward(self, images):
            entered = self.first(images)
            return self.head(self.second(entered).mean((2, 3)) + self.second(entered.relu()).amax((2, 3)))

    net = Twice(None).double().eval()
    found = groups(net, channels=3, size=12)
    kept = choice(found)
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64)

    torch.testing.assert_close(without(net, found, kept)(images), silenced(net, found, kept)(images))
    assert len(found) == 2


def test_a_layer_that_also_runs_on_what_stays_is_not_cut():
    class Again(Around):
        def forward(self, images):
            entered = self.first(images)
            return self.head(self.second(entered).mean((2, 3)) + self.second(entered.cumsum(1)).mean((2, 3)))

    assert [group.name for group in groups(Again(None), channels=3, size=12)] == ["second"]


@pytest.mark.parametrize("how", ["tied", "used elsewhere", "of another class"])
def test_weights_that_are_not_a_layers_own_stay(how):
    class Other(nn.Conv2d):
        pass

    class Shared(Around):
        def forward(self, images):
            logits = super().forward(images)
            return logits + self.first.weight.sum() if how == "used elsewhere" else logits

    net = Shared(lambda x: x)
    if how == "tied":
        net.between = nn.Conv2d(8, 6, 3)
        net.between.weight = net.second.weight
        net.forward = lambda images: net.head(
            net.second(net.first(images)).mean((2, 3)) + net.between(net.first(images)).mean((2, 3))
        )
    elif how == "of another class":
        net.first = Other(3, 8, 3)

    names = {group.name for group in groups(net, channels=3, size=12)}
    assert names.isdisjoint({"first", "between"})


def test_a_flattened_channel_goes_with_its_whole_plane():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).double()
    (group,) = groups(net, channels=3, size=8)

    assert [(place.module, place.role, place.positions.shape) for place in group.places] == [
        ("0", "makes", (4, 1)),
        ("3", "reads", (4, 36)),
    ]
    assert np.array_equal(group.places[1].positions, np.arange(144).reshape(4, 36))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vgg11_bn"])
def test_torch_pruning_finds_the_same_groups(name, network):
    pruning = pytest.importorskip("torch_pruning")
    net, size = network(name), SIZES[name]
    names = {module: key for key, module in net.named_modules()}
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    graph = pruning.DependencyGraph().build_dependency(net, torch.randn(1, 3, size, size))
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)

    for group in groups(net, channels=3, size=size):
        root = net.get_submodule(group.makers[0])
        cut = (
            pruning.prune_conv_out_channels
            if isinstance(root, nn.Conv2d)
            else pruning.prune_linear_out_channels
        )
        coupled = set()
        for dependency, _ in graph.get_pruning_group(root, cut, idxs=[0]):
            module = dependency.target.module
            if isinstance(module, kinds):
                reads = dependency.handler in (
                    pruning.prune_conv_in_channels,
                    pruning.prune_linear_in_channels,
                )
                coupled.add((names[module], int(reads)))

        assert {(place.module, place.axis) for place in group.places} == coupled
