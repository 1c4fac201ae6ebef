"""steps.quantize with weights in 4 bits: half of the bytes, the same kernels, what training foresaw."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tests.optimize.steps.test_quantize import fused, run

from foveal.bundle.engines.openvino import openvino
from foveal.bundle.graph import check_graph
from foveal.export.graph import graph
from foveal.optimize.graphs.integers import INT4, Scheme
from foveal.optimize.steps.quantize import quantize
from foveal.tasks.classify import learn
from foveal.train.fake_quantization import FEWEST_FOR_FOUR, FakeQuantization

FOUR = Scheme(four_bits=True)


def test_large_layers_are_held_in_half_of_the_bytes_and_run_on_the_same_kernels(wide, pictures, tmp_path):
    model = graph(wide)
    eight, four = (quantize(model, pictures, scheme=scheme, method="minmax") for scheme in (Scheme(), FOUR))
    held = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(four).graph.initializer}
    saved = sum(array.size // 2 for array in held.values() if array.dtype == INT4)

    assert {array.size >= FEWEST_FOR_FOUR for array in held.values() if array.dtype == INT4} == {True}
    assert all(array.size < FEWEST_FOR_FOUR for array in held.values() if array.dtype == np.int8)
    assert len(four) == pytest.approx(len(eight) - saved, rel=0.01)
    assert fused(four, tmp_path) == fused(eight, tmp_path)
    check_graph(four)


def test_small_networks_stay_as_they_are(nano_graph, pictures):
    eight, four = (
        quantize(nano_graph, pictures, scheme=scheme, method="minmax") for scheme in (Scheme(), FOUR)
    )

    assert run(four, pictures)[1].tolist() == run(eight, pictures)[1].tolist()


def test_the_graph_computes_what_training_foresaw(wide, pictures):
    """Rounded in training before the batch norm is folded in, rounded in the graph behind it: the same."""
    rounding = FakeQuantization(wide.network, 4)
    images = learn.normalize(torch.from_numpy(pictures), wide.preprocess)
    with torch.no_grad():
        rounding.train()(images)  # it learns the ranges; the network's own statistics stay as they are
        wide.network.eval()
        foreseen = rounding.eval()(images).numpy()
        plain = wide.network(images).numpy()

    found = run(quantize(graph(wide), pictures, scheme=FOUR, method="minmax"), pictures)[1]

    assert np.abs(found - foreseen).mean() < 0.25 * np.abs(plain - foreseen).mean()


def test_openvino_computes_the_same(wide, pictures):
    four = quantize(graph(wide), pictures, scheme=FOUR, method="minmax")

    expected = run(four, pictures[:8])[0]
    found = openvino(four, threads=1, precision="fp32").run(pictures[:8])[0]

    np.testing.assert_allclose(found, expected, atol=0.03)


def test_narrow_says_nothing_about_four_bits(wide, pictures):
    """15 levels never saturate: processors without VNNI hold the same numbers."""
    held = [
        {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(model).graph.initializer}
        for model in (
            quantize(graph(wide), pictures, scheme=scheme, method="minmax")
            for scheme in (FOUR, replace(FOUR, narrow=True))
        )
    ]
    fours = [name for name, array in held[0].items() if array.dtype == INT4]

    assert fours
    assert all((held[0][name].astype(int) == held[1][name].astype(int)).all() for name in fours)
