"""optimize.rounding: each way by its name, what it gives, and that a name alone changes nothing."""

import numpy as np
import onnx
import pytest

from foveal.bundle.graph import check_graph
from foveal.core.errors import BundleError, UnknownNameError
from foveal.optimize.divergence import divergence
from foveal.optimize.graphs.integers import units
from foveal.optimize.graphs.simplify import simplified
from foveal.optimize.rounding import ROUNDINGS, rounded, some
from foveal.optimize.steps.mixed_precision import mixed_precision
from foveal.train.examples import Examples


@pytest.mark.parametrize("name", ROUNDINGS)
def test_each_gives_a_smaller_graph_that_stands_alone_and_decides_nearly_alike(name, wide_graph, pictures):
    made = rounded(wide_graph, pictures[:64], name)

    check_graph(made.model)
    assert made.steps == (ROUNDINGS[name].step,)
    kinds = {i.data_type for i in onnx.load_from_string(made.model).graph.initializer}
    wanted = {"int8": onnx.TensorProto.INT8, "int4": onnx.TensorProto.INT4}[made.precision]
    assert wanted in kinds
    assert onnx.TensorProto.INT4 in kinds or made.precision == "int8"
    assert divergence(wide_graph, made.model, pictures).flips.value < 0.1


@pytest.mark.parametrize("name", ["int4", "w4a8"])
def test_what_rounds_nothing_is_refused_instead_of_called_four_bits(name, separable_graph, pictures):
    """None of its layers has a thousand weights."""
    with pytest.raises(BundleError, match=f"{name} changes nothing") as caught:
        rounded(separable_graph, pictures[:8], name)

    assert caught.value.code == "nothing_rounded"


def test_a_name_that_there_is_not_lists_the_others(nano_graph, pictures):
    with pytest.raises(UnknownNameError, match="did you mean 'int8'"):
        rounded(nano_graph, pictures, "int9")


def test_layers_that_are_tried_one_by_one_are_told(outlier_graph, pictures):
    told: dict[str, list[tuple[int, int]]] = {}

    rounded(
        outlier_graph,
        pictures,
        "mixed",
        progress=lambda stage, done, total, note="": told.setdefault(stage, []).append((done, total)),
    )

    layers = units(simplified(outlier_graph))
    assert told["sensitivity"] == [(done, len(layers)) for done in range(1, len(layers) + 1)]
    assert told["layers in float"][-1][0] == told["layers in float"][-1][1]


def test_mixed_is_never_just_int8_and_nearer_to_float(wide_graph, pictures):
    """On these pictures int8 alone is within the usual limit."""
    assert not mixed_precision(wide_graph, pictures).sensitivities

    eight, mixed = (rounded(wide_graph, pictures, name).model for name in ("int8", "mixed"))

    assert mixed != eight
    assert divergence(wide_graph, mixed, pictures).mean_kl < divergence(wide_graph, eight, pictures).mean_kl


def test_pictures_that_may_be_looked_at_are_evenly_spaced_over_what_was_learned_from():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    learning = Examples(images, np.zeros(100, np.int64), np.arange(10, 90)[::-1].copy())

    shown = some(learning, 9).ravel()

    assert shown.tolist() == sorted(shown.tolist())
    assert (shown[0], shown[-1]) == (10, 89)
    assert set(np.diff(shown).tolist()) <= {9, 10}
    assert np.array_equal(some(learning, 1000).ravel(), np.arange(10, 90))
