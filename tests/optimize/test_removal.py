"""optimize.channels.removal: on whole networks, what is removed was the same as nothing."""

import pytest
import torch

from foveal.optimize.channels import groups
from foveal.optimize.channels.removal import parameters_left, without

SIZES = {
    **dict.fromkeys(("nano", "mobilenet_v2", "resnet18", "resnet50"), 32),
    **dict.fromkeys(("efficientnet_b0", "mobilenet_v3_small", "vgg11_bn", "densenet121", "googlenet"), 64),
    **dict.fromkeys(("squeezenet1_1", "convnext_tiny", "shufflenet_v2_x1_0", "regnet_x_400mf"), 64),
}
# Shares that can go at all; an analysis that freezes too much falls below.
PRUNABLE = {"convnext_tiny": 0.9, "shufflenet_v2_x1_0": 0.3, "squeezenet1_1": 0.9}


@pytest.mark.parametrize("name", SIZES)
def test_removed_is_the_same_as_silent(name, network, choice, silenced):
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
