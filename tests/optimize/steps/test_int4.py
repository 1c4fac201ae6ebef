"""steps.int4: a seventh of the bytes, standard operators, and the nearest weights that 4 bits can say."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from foveal.bundle.graph import check_graph
from foveal.core.errors import UsageError
from foveal.export.graph import graph, with_temperature
from foveal.optimize.divergence import divergence
from foveal.optimize.steps.int4 import BLOCK, int4, rounded
from foveal.tasks.recognizer import Recognizer


def logits(model, images):
    return onnxruntime.InferenceSession(model).run(["logits"], {"images": images})[0]


@pytest.fixture(scope="module")
def wide(nano):
    """A network of the usual size of layers; in small ones the rest of the file weighs more."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 192, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(192, 192, 3, padding=1),
        nn.Flatten(),
        nn.Linear(192 * 16, 6),
    )
    return graph(Recognizer(network.eval(), "own", {}, nano.preprocess, nano.classes))


def test_the_file_shrinks_sevenfold_and_keeps_its_contract(wide, pictures):
    small = int4(wide)

    assert 6.5 < len(wide) / len(small) < 8
    assert small == int4(wide)
    check_graph(small)
    loaded = onnx.load_from_string(small)
    onnx.checker.check_model(loaded, full_check=True)
    assert [(entry.domain, entry.version) for entry in loaded.opset_import] == [("", 21)]
    assert logits(small, pictures[:5]).shape == (5, 6)
    warm = with_temperature(small, 3.0)
    np.testing.assert_array_equal(logits(warm, pictures[:5]), logits(small, pictures[:5]))


def test_decisions_mostly_stay(nano_graph, test_set):
    after = divergence(nano_graph, int4(nano_graph), test_set[0])

    assert 0 < after.mean_kl < 0.2
    assert after.flips.value < 0.1


def test_the_operators_mean_what_onnx_says(wide, pictures):
    small = int4(wide)

    reference = ReferenceEvaluator(onnx.load_from_string(small)).run(["logits"], {"images": pictures[:2]})[0]

    np.testing.assert_allclose(logits(small, pictures[:2]), reference, atol=1e-4)


def test_the_graph_computes_with_the_rounded_weights(wide, pictures):
    loaded = onnx.load_from_string(wide)
    for tensor in loaded.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim > 1 and array.size >= 1024:
            integers, scales = rounded(array.reshape(len(array), -1), BLOCK)
            size = integers.shape[1] // scales.shape[1]
            restored = (integers * np.repeat(scales, size, axis=1)).astype(np.float32).reshape(array.shape)
            tensor.CopyFrom(numpy_helper.from_array(restored, tensor.name))

    expected = logits(loaded.SerializeToString(), pictures)

    np.testing.assert_allclose(logits(int4(wide), pictures), expected, atol=1e-4)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), inputs=st.integers(1, 200), block=st.integers(2, 80))
def test_rounding_is_nowhere_worse_than_spanning_each_block(seed, inputs, block):
    rows = np.random.default_rng(seed).standard_t(3, (5, inputs)).astype(np.float32)

    integers, scales = rounded(rows, block)

    size, left = divmod(inputs, scales.shape[1])
    assert left == 0, "blocks are equally long"
    assert size <= block or size == inputs
    assert np.abs(integers).max() <= 7
    blocks = rows.reshape(5, -1, size)
    error = np.square(blocks - integers.reshape(blocks.shape) * scales[..., None]).sum(axis=2)
    widest = np.abs(blocks).max(axis=2, keepdims=True) / 7
    spanning = np.square(blocks - np.rint(blocks / widest) * widest).sum(axis=2)
    assert (error <= spanning * (1 + 1e-4) + 1e-9).all()


def test_zeros_stay_zeros():
    integers, scales = rounded(np.zeros((2, 64), np.float32), 32)

    assert not integers.any()
    assert np.isfinite(scales).all()


def test_a_block_of_one_is_refused(nano_graph):
    with pytest.raises(UsageError, match="two weights or more"):
        int4(nano_graph, block=1)
