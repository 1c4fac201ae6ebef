"""optimize.channels: what is understood can be removed, and what is not understood stays."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foveal.optimize.channels import groups
from foveal.optimize.channels.removal import without


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
    "turned": lambda x: F.adaptive_avg_pool2d(x, 8) + F.adaptive_avg_pool2d(x, 8).permute(0, 3, 2, 1),
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


def test_a_layer_that_runs_twice_is_cut_for_both(choice, silenced):
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
            colours = images.repeat(1, 3, 1, 1)[:, :8]
            return self.head(self.second(self.first(images)).mean((2, 3)) + self.second(colours).mean((2, 3)))

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
