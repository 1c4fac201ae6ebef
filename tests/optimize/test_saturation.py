"""optimize.saturation: sums of two products that stop at 16 bits, counted and followed to the decisions."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize.graphs.integers import Scheme
from foveal.optimize.graphs.net import Net
from foveal.optimize.saturation import _layers, _lost, saturation
from foveal.optimize.steps.quantize import quantize
from foveal.tasks.recognizer import Recognizer


def bright_or_not(first, second):
    """Return a recognizer that adds two channels with these weights and compares with a third."""
    conv = nn.Conv2d(4, 3, 1)
    with torch.no_grad():
        conv.weight.copy_(
            torch.tensor([[first, second, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])[..., None, None]
        )
        conv.bias.zero_()
    network = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with torch.no_grad():
        network[-1].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 2.6, 0], [0, 0, 1.0]]))
        network[-1].bias.zero_()
    preprocess = Preprocess(size=16, channels=4, mean=(0,) * 4, std=(1,) * 4)
    return Recognizer(network.eval(), "own", {}, preprocess, ("sum", "third", "fourth"))


@pytest.fixture(scope="module")
def bright():
    """Two nearly white channels, a third at 150: the exact sum 1.9 beats 2.6 · 0.59, the cut one does not."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(235, 256, (24, 16, 16, 4), dtype=np.uint8)
    pictures[..., 2] = 150
    pictures[..., 3] = 10
    return pictures


def test_white_times_large_weights_does_not_fit_and_changes_the_decision(bright):
    rounded = quantize(graph(bright_or_not(1.0, 1.0)), bright, scheme=Scheme(), method="minmax")

    found = saturation(rounded, bright)

    assert found.divergence.flips.value == 1
    assert found.share == pytest.approx(1 / 6, abs=0.05), "one of the six pairs of the convolution"


def test_seven_bits_fit(bright):
    rounded = quantize(graph(bright_or_not(1.0, 1.0)), bright, scheme=Scheme(narrow=True), method="minmax")

    found = saturation(rounded, bright)

    assert (found.share, found.divergence.flips.value, found.divergence.mean_kl) == (0, 0, 0)


def test_weights_that_pull_apart_fit(bright):
    rounded = quantize(graph(bright_or_not(1.0, -1.0)), bright, scheme=Scheme(), method="minmax")

    assert saturation(rounded, bright).share == 0


@pytest.mark.parametrize("zero", [None, 200])
@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
def test_each_output_lacks_what_its_pairs_lack(request, pictures, network, zero):
    """Every pair of every output, added one by one."""
    model = request.getfixturevalue(network)
    net = Net(quantize(model, pictures, scheme=Scheme(), method="minmax"))
    checked = 0
    for layer in _layers(net):
        if layer.node.op_type != "Conv":
            continue
        if zero is not None:  # weights so large that padding counts too
            layer = replace(layer, zero=zero, weights=np.sign(layer.weights) * 120)
        height, width, inputs = layer.weights.shape[1:]
        read = np.random.default_rng(1).integers(100, 256, (1, inputs, 6, 6), dtype=np.uint8)
        pads = next((a.ints for a in layer.node.attribute if a.name == "pads"), [0] * 4)
        edges = ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3]))
        padded = np.pad(read, edges, constant_values=layer.zero).astype(int)
        lost, over, count = _lost(layer, read)
        expected, seen = np.zeros(lost.shape), 0
        for output, down, across in np.ndindex(*lost.shape[1:]):
            patch = padded[0, :, down : down + height, across : across + width].transpose(1, 2, 0).reshape(-1)
            products = patch * layer.weights[output].reshape(-1)
            pairs = products[: len(products) // 2 * 2].reshape(-1, 2).sum(1)
            cut = np.clip(pairs, -(2**15), 2**15 - 1)
            expected[0, output, down, across] = (cut - pairs).sum() * layer.scale[output]
            seen += (cut != pairs).sum()
            checked += len(pairs)
        np.testing.assert_allclose(lost, expected, rtol=1e-5, atol=1e-6)
        assert over == seen
        assert count == lost.size * (height * width * inputs // 2)
    assert checked > 1_000


def test_a_float_graph_has_nothing_to_cut_off(nano_graph, pictures):
    assert saturation(nano_graph, pictures[:4]).share == 0


def test_no_pictures_are_refused(nano_graph, pictures):
    with pytest.raises(UsageError, match="got none"):
        saturation(nano_graph, pictures[:0])


def test_the_graph_that_is_asked_is_left_alone(nano_graph, pictures):
    rounded = quantize(nano_graph, pictures, method="minmax")
    before = onnx.load_from_string(rounded).SerializeToString(deterministic=True)

    saturation(rounded, pictures[:4])

    assert onnx.load_from_string(rounded).SerializeToString(deterministic=True) == before
