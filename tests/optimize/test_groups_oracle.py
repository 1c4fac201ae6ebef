"""optimize.channels against torch-pruning, which reads the same couplings off autograd."""

import pytest
import torch
from torch import nn

from foveal.optimize.channels import groups


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vgg11_bn"])
def test_torch_pruning_finds_the_same_groups(name, network):
    pruning = pytest.importorskip("torch_pruning")
    net, size = network(name), 64 if name == "vgg11_bn" else 32
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
