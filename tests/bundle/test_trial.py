"""bundle.trial: a graph that everybody can run, and what is said of an engine that cannot."""

import numpy as np
from onnx import TensorProto, checker, helper

from foveal.bundle import trial as trials
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.graph import check_graph
from foveal.bundle.trial import trial


def test_the_bytes_are_those_of_the_graph_that_is_described():
    nodes = [
        helper.make_node("Cast", ["images"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["levels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["planes"], ["means"]),
        helper.make_node("Flatten", ["means"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])
        for name in ("probabilities", "logits")
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 4, 4, 3])
    graph = helper.make_graph(nodes, "means", [images], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)

    checker.check_model(model, full_check=True)
    check_graph(trials.MODEL)
    assert model.SerializeToString(deterministic=True) == trials.MODEL


def test_it_answers_with_the_mean_of_each_channel():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)

    _, logits = onnxruntime(trials.MODEL, threads=1).run(images)

    np.testing.assert_allclose(logits, images.mean(axis=(1, 2)), rtol=1e-5)


def test_the_engine_that_is_always_there_works():
    found = trial("onnxruntime")

    assert found.works, found.error
    assert found.version.startswith("onnxruntime 1.")
    assert found.as_json()["first_run_ms"] > 0


def test_an_engine_that_is_not_there_is_told_and_not_raised():
    found = trial("warpdrive")

    assert not found.works
    assert "has no 'warpdrive'" in found.error
