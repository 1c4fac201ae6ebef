"""graphs.simplify: other operators, the same answers."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.graph import check_graph
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize.graphs.simplify import simplified
from foveal.tasks.recognizer import Recognizer, build

WHOLE_LEVELS = (77 / 255, 130 / 255, 152 / 255)
FLOAT_ARITHMETIC = {"Mul", "BatchNormalization", "ReduceMean", "ReduceMax", "Gather", "Reshape"}


def operators(model):
    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


def disturbed(network):
    """Give norms statistics and scales of their own, some of them negative."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, -1, 2)
            nn.init.normal_(module.bias, std=0.3)
    return network.eval()


def nano(channels):
    return build("nano", {"channels": channels, "classes": 5, "size": 32, "widths": [8, 8, 16]})


def residual(channels):
    """Padding in front, a norm with no convolution before it, a mean as torchvision writes it."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.MaxPool2d(3, stride=2, padding=1),
        BasicBlock(8, 8),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


@pytest.mark.parametrize("architecture", [nano, residual])
@pytest.mark.parametrize("channels", [1, 3])
def test_answers_stay_and_float_arithmetic_goes(architecture, channels):
    torch.manual_seed(0)
    network = disturbed(architecture(channels))
    preprocess = Preprocess(size=32, channels=channels, mean=WHOLE_LEVELS[:channels], std=(0.2,) * channels)
    model = graph(Recognizer(network, "own", {}, preprocess, tuple("abcde")), temperature=1.7)

    plain = simplified(model)

    check_graph(plain)
    onnx.checker.check_model(onnx.load_from_string(plain), full_check=True)
    assert not FLOAT_ARITHMETIC & set(operators(plain)), operators(plain)
    before, after = onnxruntime(model, threads=1), onnxruntime(plain, threads=1)
    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, 32, 32, channels), dtype=np.uint8)
        for expected, got in zip(before.run(images), after.run(images), strict=True):
            np.testing.assert_allclose(got, expected, atol=2e-5 * max(1, np.abs(expected).max()))


def test_graphs_of_earlier_versions_which_transpose_last_become_the_same():
    torch.manual_seed(0)
    preprocess = Preprocess(size=32, channels=3, mean=WHOLE_LEVELS, std=(0.2,) * 3)
    model = graph(Recognizer(disturbed(nano(3)), "own", {}, preprocess, tuple("abcde")))
    older = onnx.load_from_string(model)
    nodes = older.graph.node
    transpose, cast, subtract, multiply = nodes[:4]
    assert [node.op_type for node in nodes[:4]] == ["Transpose", "Cast", "Sub", "Mul"]
    constants = {tensor.name: tensor for tensor in older.graph.initializer}
    for node in (subtract, multiply):
        constants[node.input[1]].dims[:] = [3]  # one for each of the innermost axis
    transpose.output[0], multiply.output[0] = multiply.output[0], "last"
    cast.input[0], transpose.input[0] = "images", "last"
    order = [cast, subtract, multiply, transpose, *nodes[4:]]
    moved = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
    del nodes[:]
    nodes.extend(moved)

    plain = simplified(older.SerializeToString())

    assert operators(plain) == operators(simplified(model))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    answers = [onnxruntime(each, threads=1).run(images)[1] for each in (simplified(model), plain)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 3), (1, (2, 0)), (2, (0, 1))])
def test_what_is_padded_is_the_mean_of_each_channel(stride, padding):
    """Black would be -1.5 to -3 there, and one level for all channels 0.6 off; half a level is 0.01."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=stride, padding=padding),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )

    def answers(mean):
        preprocess = Preprocess(size=16, channels=3, mean=mean, std=(0.2,) * 3)
        model = graph(Recognizer(network, "own", {}, preprocess, tuple("abcde")))
        plain = simplified(model)
        assert operators(plain)["Conv"] == 1, "it normalizes"
        images = np.full((2, 16, 16, 3), 255, np.uint8)
        images[:, ::2, 1::2] = np.rint(np.array(mean) * 255)
        return [onnxruntime(m, threads=1).run(images)[1] for m in (model, plain)]

    np.testing.assert_allclose(*answers(WHOLE_LEVELS), atol=1e-5)
    between = tuple(mean + 0.49 / 255 for mean in WHOLE_LEVELS)
    np.testing.assert_allclose(*answers(between), atol=0.01)


class Joined(nn.Module):
    """The norm of a sum of two convolutions, one of them enlarged; `again` reads one a second time."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 8, 3, padding=1)
        self.coarse = nn.Conv2d(3, 8, 2, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        self.again = again

    def forward(self, images):
        fine, coarse = self.fine(images), self.coarse(images)
        joined = self.norm(nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest") + fine)
        if self.again:
            joined = joined + fine
        return self.head(torch.relu(joined).mean(dim=(2, 3)))


@pytest.mark.parametrize("again", [False, True])
def test_the_norm_of_a_sum_goes_into_both_convolutions_unless_another_reads_one(again):
    torch.manual_seed(0)
    network = disturbed(Joined(again=again))
    preprocess = Preprocess(size=16, channels=3, mean=WHOLE_LEVELS, std=(0.2,) * 3)
    model = graph(Recognizer(network, "own", {}, preprocess, tuple("abcde")))

    plain = simplified(model)

    # Two that read the picture, and what normalizes it; a norm that stays becomes one more.
    assert operators(plain)["Conv"] == (4 if again else 3)
    assert not operators(plain)["BatchNormalization"]
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    before, after = (onnxruntime(each, threads=1).run(images)[1] for each in (model, plain))
    np.testing.assert_allclose(after, before, atol=2e-5 * max(1, np.abs(before).max()))


def test_a_trained_nano_has_no_norm_left(nano_graph):
    found = operators(simplified(nano_graph))

    assert found["Conv"] == 7, "the first one normalizes too; norms lie inside"
    assert found["Div"] == 1, "temperature alone"
    assert found["Sub"] == 1, "one grey level, which becomes the zero of the bytes"


def test_a_graph_of_another_kind_passes_unharmed(classifier):
    model = classifier()
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)

    expected, got = (onnxruntime(m, threads=1).run(images)[1] for m in (model, simplified(model)))

    np.testing.assert_allclose(got, expected, atol=1e-5)
