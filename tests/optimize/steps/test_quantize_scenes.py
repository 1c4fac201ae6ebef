"""Integers in graphs that say where something is: the network becomes integer, its answers do not."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

import untrained
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.export.objects_graph import objects_graph, with_scores
from foveal.export.regions_graph import regions_graph
from foveal.models.detectors.fcos import fcos
from foveal.optimize.dense_divergence import is_dense
from foveal.optimize.divergence import away_from
from foveal.optimize.graphs.integers import Scheme, ends, tensors, units
from foveal.optimize.graphs.simplify import simplified
from foveal.optimize.rounding import rounded
from foveal.optimize.steps.mixed_precision import mixed_precision
from foveal.optimize.steps.quantize import quantize
from foveal.tasks.detect.learn import Selection

SHOWN = untrained.pictures(24)
KINDS = ("objects", "regions")
_HELD = ("QuantizeLinear", "DequantizeLinear")


@pytest.fixture(scope="module")
def graphs():
    return {
        "objects": objects_graph(untrained.detector(), Selection(objects=50)),
        "regions": regions_graph(untrained.segmenter()),
    }


def nodes_of(model):
    return onnx.load_from_string(model).graph.node


def behind(model, names):
    """Return the nodes that depend on the nodes of these names."""
    reached = {output for node in nodes_of(model) if node.name in names for output in node.output}
    found = []
    for node in nodes_of(model):
        if reached.intersection(node.input):
            reached.update(node.output)
            found.append(node)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_layers_become_integer_but_those_that_answer_and_nothing_behind_them_does(graphs, kind) -> None:
    answering = ends(simplified(graphs[kind]))
    model = quantize(graphs[kind], SHOWN, scheme=Scheme())
    writers = {output: node for node in nodes_of(model) for output in node.output}

    for conv in [node for node in nodes_of(model) if node.op_type == "Conv"]:
        weights = writers.get(conv.input[1])
        assert (weights is None) == (conv.name in answering), conv.name
    assert len(answering) == (2 if kind == "objects" else 1)
    assert not [node.name for node in behind(model, answering) if node.op_type in _HELD]
    inner = [
        node for node in nodes_of(model) if node.op_type == "Resize" and not node.name.startswith("regions.")
    ]
    assert inner
    assert all(writers[node.input[0]].op_type == "DequantizeLinear" for node in inner), (
        "maps grow as integers"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_corners_and_shares_are_no_units(graphs, kind) -> None:
    plain = simplified(graphs[kind])
    answering = ends(plain)

    assert not {node.name for node in behind(plain, answering)}.intersection(units(plain))
    assert set(answering) <= set(units(plain))


@pytest.mark.parametrize("name", ["int8", "mixed"])  # its layers are too small for 4 bits
def test_every_rounding_gives_a_file_that_finds_nearly_the_same(graphs, name) -> None:
    images = untrained.pictures(4, seed=7)
    for kind, model in graphs.items():
        lowering = rounded(model, SHOWN, name)
        before, after = (onnxruntime(m, threads=1).answer(images) for m in (model, lowering.model))
        assert {key: value.shape for key, value in before.items()} == {k: v.shape for k, v in after.items()}
        if kind == "regions":
            assert (before["regions"] == after["regions"]).mean() > 0.9
        else:
            assert np.abs(before["scores"] - after["scores"]).max() < 0.1


def test_where_maps_grow_to_a_size_that_is_reckoned_the_size_stays_a_whole_number() -> None:
    """Torchvision's pyramid reads the size of the finer map."""
    arguments = {**untrained.detector().arguments, "widths": [32, 32, 32, 32], "tower": 32}
    network = fcos(**arguments)
    made = replace(untrained.detector(), network=network.eval(), architecture="fcos")
    model = objects_graph(made, Selection(objects=50))
    grown = {node.input[3] for node in nodes_of(simplified(model)) if node.op_type == "Resize"} - {""}

    integer = quantize(model, SHOWN)

    assert grown
    assert not grown.intersection(tensors(simplified(model)))
    found = onnxruntime(integer, threads=1).answer(untrained.pictures(2))
    assert found["boxes"].shape == (2, 50, 4)
    assert len(integer) < 0.7 * len(model)


def test_the_distance_is_none_from_itself_and_grows_with_what_is_changed(graphs) -> None:
    away = away_from(graphs["objects"], SHOWN)
    one, two = (
        with_scores(graphs["objects"], scale=1.0, shift=0.0),
        changed_weights(graphs["objects"], 0.05),
    )

    assert away(one) == 0, "scores are made behind what is compared"
    assert 0 < away(changed_weights(graphs["objects"], 0.01)) < away(two)
    away = away_from(graphs["regions"], SHOWN)
    assert away(graphs["regions"]) == 0
    assert 0 < away(changed_weights(graphs["regions"], 0.01)) < away(changed_weights(graphs["regions"], 0.05))


def changed_weights(model, share):
    """Return the graph with noise on its weights, by a share of their own deviation."""
    loaded, rng = onnx.load_from_string(model), np.random.default_rng(0)
    for tensor in loaded.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.ndim == 4 and values.size > 20:
            noisy = values + share * values.std() * rng.normal(size=values.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(noisy.astype(values.dtype), tensor.name))
    return loaded.SerializeToString()


def test_boxes_that_move_count_though_no_class_changes(graphs) -> None:
    loaded = onnx.load_from_string(graphs["objects"])
    [reader] = [node for node in loaded.graph.node if "whole_boxes" in node.output]
    step = onnx.numpy_helper.from_array(np.full(4, 3, np.float32), "step")
    loaded.graph.initializer.append(step)
    place = list(loaded.graph.node).index(reader)
    loaded.graph.node.insert(place, onnx.helper.make_node("Add", [reader.input[0], "step"], ["moved"]))
    reader.input[0] = "moved"

    assert away_from(graphs["objects"], SHOWN)(loaded.SerializeToString()) > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_halves_what_integers_change_and_leaves_no_layer_in_float_that_it_need_not(
    graphs, kind
) -> None:
    away = away_from(graphs[kind], SHOWN[:6])
    found = mixed_precision(graphs[kind], SHOWN, scheme=Scheme(), method="minmax")

    assert found.sensitivities
    assert not set(found.floats).intersection(ends(simplified(graphs[kind])))
    whole = quantize(graphs[kind], SHOWN, scheme=Scheme(), method="minmax")
    assert away(found.model) < away(whole)


def test_a_classifier_is_not_dense(nano_graph) -> None:
    assert not is_dense(nano_graph)
