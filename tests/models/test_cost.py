"""models._cost: published figures, networks that are counted by hand, and laws of scale."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foveal import models
from foveal.core.errors import UnknownNameError, UsageError
from foveal.data.clip import FRAMES
from foveal.models._cost import cost, cost_of, macs
from foveal.models.spiking_cnn import _WIDTHS

NAMES = [
    "alexnet", "convnext_atto", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "logistic",
    "mobilenet_v2", "mobilenet_v3_small", "nano", "plain20", "resnet20", "resnet18", "shufflenet_v2_x0_5",
    "small_conv", "swin_tiny", "timm:test_vit", "vgg11_bn", "vit_tiny", "cnn_gru", "cnn_lstm", "cnn_frame",
    "row_gru", "row_lstm", "v4_lif", "spiking_cnn", "efficientnet_lite0",
]  # fmt: skip
CONVOLUTIONAL = ["nano", "resnet18", "resnet101", "mobilenet_v2"]
# GFLOPS (multiply-adds) and parameters that torchvision documents for 224 pixels and 1,000 classes.
PUBLISHED = {
    "resnet18": (1.81, 11_689_512),
    "resnet50": (4.09, 25_557_032),
    "resnet101": (7.80, 44_549_160),
    "mobilenet_v2": (0.30, 3_504_872),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_figures_come_out(name):
    found = cost(name, size=224, classes=1000)

    assert (round(found.macs / 1e9, 2), found.parameters) == PUBLISHED[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_real_forward_pass_has_the_same_multiply_adds(name):
    network = models.architecture(name).build(channels=3, classes=10, size=32).eval()

    frames = (FRAMES,) if models.card(name).task == "video" else ()
    # The first state of a recurrent network is zeros: what follows from it alone is a constant.
    gates = {"cnn_gru": 3, "cnn_lstm": 4}.get(name, 0)
    real = macs(network, torch.zeros(1, *frames, 3, 32, 32))
    assert cost(name, size=32).macs == real - gates * 64 * 64


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_four_times_the_pixels_are_four_times_the_work_and_the_memory_and_the_same_weights(name):
    small, large = cost(name, size=128), cost(name, size=256)
    if name == "nano":  # halves large pictures more often: its stem grows with them
        large = cost_of(build("nano", 128), torch.empty(1, 3, 256, 256, device="meta"), name="", classes=10)

    for one, other in zip(small.layers, large.layers, strict=True):
        assert one.kind == other.kind
        if one.kind not in ("linear", "other"):
            assert other.macs == 4 * one.macs
            assert other.activation_bytes == 4 * one.activation_bytes
    assert large.peak_activation_bytes == 4 * small.peak_activation_bytes
    assert large.weight_bytes == small.weight_bytes


def build(name, size):
    with torch.device("meta"):
        return models.architecture(name).build(channels=3, classes=10, size=size)


@pytest.mark.parametrize("name", NAMES)
def test_the_kinds_add_up_to_the_whole_and_the_peak_holds_the_largest_layer(name):
    found = cost(name, size=64)

    for what in ("macs", "weight_bytes", "activation_bytes"):
        assert sum(getattr(layer, what) for layer in found.layers) == getattr(found, what)
    assert found.peak_activation_bytes <= found.activation_bytes
    # What batch norm scales by is read as part of the filters where a network folds it in itself.
    folded = 2 * sum(_WIDTHS) if name == "spiking_cnn" else 0
    assert found.weight_bytes >= 4 * (found.parameters - folded)


def test_a_depthwise_separable_block_by_hand():
    class Block(nn.Sequential):
        def __init__(self, *, channels, classes, size):
            super().__init__(
                nn.Conv2d(channels, 4, 3, padding=1, bias=False),
                nn.BatchNorm2d(4),
                nn.ReLU(),
                nn.Conv2d(4, 4, 3, padding=1, groups=4),
                nn.Conv2d(4, 8, 1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(8, classes),
            )

    found = cost(Block, size=8, channels=2, classes=5)

    kinds = {layer.kind: layer for layer in found.layers}
    assert {kind: layer.macs for kind, layer in kinds.items()} == {
        "convolution": 64 * 4 * 2 * 9,
        "pointwise": 64 * 8 * 4,
        "depthwise": 64 * 4 * 9,
        "linear": 8 * 5,
        "other": 0,
    }
    assert {kind: layer.weight_bytes for kind, layer in kinds.items()} == {
        "convolution": 4 * 4 * 2 * 9,
        "pointwise": 4 * (8 * 4 + 8),
        "depthwise": 4 * (4 * 9 + 4),
        "linear": 4 * (8 * 5 + 5),
        "other": 4 * 4 * 4,  # scale, shift, mean and variance
    }
    assert {kind: layer.activation_bytes for kind, layer in kinds.items()} == {
        "convolution": 4 * 64 * (2 + 4),
        "pointwise": 4 * 64 * (4 + 8),
        "depthwise": 4 * 64 * (4 + 4),
        "linear": 4 * (8 + 5),
        "other": 4 * (64 * 8 + 8),  # the mean; norm and ReLU change the convolution's result in place
    }
    assert found.peak_activation_bytes == 4 * 64 * (4 + 8), "while the 1×1 convolution runs"


class Shaped(nn.Module):
    """Convolutions of 64 pixels between maps, as a test lays them out."""

    def __init__(self, forward):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False)
        self.c = nn.Conv2d(2, 4, 1, bias=False)
        self.shape = forward

    def forward(self, x):
        return self.shape(self, x)


X, Y = 4 * 64 * 2, 4 * 64 * 4  # bytes of the picture, and of a map of four channels
LAYOUTS = [
    ("chain", lambda n, x: n.b(n.a(x)), 2 * Y),
    ("in place", lambda n, x: n.b(F.relu(n.a(x))), 2 * Y),
    ("in place for torch, too", lambda n, x: n.b(F.relu(n.a(x), inplace=True)), 2 * Y),
    ("the picture itself is not changed", lambda n, x: F.relu(x), 2 * X),
    ("a shortcut lives on", lambda n, x: (lambda y: n.b(n.b(y)) + y)(n.a(x)), 3 * Y),
    ("a shortcut of one", lambda n, x: (lambda y: n.b(y) + y)(n.a(x)), 2 * Y),
    ("what is needed later is not changed", lambda n, x: (lambda y: n.b(F.relu(y)) + y)(n.a(x)), 3 * Y),
    ("two branches", lambda n, x: torch.cat([n.a(x), n.c(x)], 1), 4 * Y),
    ("two sums", lambda n, x: n.a(x) + n.c(x), X + 2 * Y),
    ("a view is the map", lambda n, x: n.b(n.a(x).view(1, 4, 64).view(1, 4, 8, 8)), 2 * Y),
    ("a view keeps the map", lambda n, x: (lambda y: n.b(n.b(y)).sum() + y[:, :1].sum())(n.a(x)), 3 * Y),
    ("the output lives", lambda n, x: (n.a(x), n.c(x), n.c(x)), X + 3 * Y),
    ("what nobody reads is not made", lambda n, x: F.max_pool2d(n.a(x), 1), 2 * Y),
    ("filled step by step", lambda n, x: filled(n, x), 3 * Y),
]


def filled(network, x):
    y = network.a(x)
    out = torch.empty(1, 8, 8, 8, device="meta")
    out[:, :4] = y
    return out


@pytest.mark.parametrize(("layout", "peak"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_the_peak_is_what_must_live_at_once(layout, peak):
    with torch.device("meta"):
        found = cost_of(Shaped(layout), torch.empty(1, 2, 8, 8), name="", classes=2)

    assert found.peak_activation_bytes == peak


def test_a_fused_sum_reads_only_the_other_map():
    def measured(layout):
        with torch.device("meta"):
            layers = cost_of(Shaped(layout), torch.empty(1, 2, 8, 8), name="", classes=2).layers
        return {layer.kind: layer.activation_bytes for layer in layers}

    assert measured(LAYOUTS[5][1]) == {"pointwise": X + Y + 2 * Y, "other": Y}


def test_attention_is_counted_as_products_of_matrices():
    class Attention(nn.Module):
        def __init__(self, *, channels, classes, size):
            super().__init__()
            self.head = nn.Linear(channels, classes)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            return self.head(F.scaled_dot_product_attention(tokens, tokens, tokens).mean(dim=1))

    [linear] = [layer for layer in cost(Attention, size=4, channels=8).layers if layer.kind == "linear"]

    assert linear.macs == 2 * 16 * 16 * 8 + 8 * 10
    assert linear.macs == macs(Attention(channels=8, classes=10, size=4), torch.zeros(1, 8, 4, 4))


def test_weights_that_are_used_twice_are_there_once():
    found = cost(lambda *, channels, classes, size: Shaped(LAYOUTS[4][1]), size=8, channels=2)

    assert found.weight_bytes == 4 * (2 * 4 + 4 * 4), "a and b; nobody runs c"


def test_a_size_that_no_machine_could_hold_is_counted():
    found = cost("resnet101", size=1 << 20)

    assert found.peak_activation_bytes > 1e14


def test_counting_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}

    cost_of(network, torch.randn(1, 3, 4, 4), name="", classes=2)

    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "size", "error", "said"),
    [
        ("svm-hog", 32, UsageError, "follows from the pictures that it is fitted on"),
        ("resnet50", 8, UsageError, "takes pictures of 16 pixels or more; got 8"),
        ("nanoo", 32, UnknownNameError, "did you mean 'nano'"),
    ],
)
def test_what_cannot_be_counted_says_why(name, size, error, said):
    with pytest.raises(error, match=said):
        cost(name, size=size)
