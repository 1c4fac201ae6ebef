"""bundle.engines.onnxruntime: the contract of a classifier's graph, held at the door."""

import re
import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle import engines
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core import catalog
from foveal.core.errors import BundleError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def model(classifier):
    return onnx.load_from_string(classifier())


def refusal(model, code: str = "bad_graph") -> str:
    """Return with which message the engine refuses a model."""
    with pytest.raises(BundleError) as caught:
        onnxruntime(model.SerializeToString(), threads=1)
    assert caught.value.code == code
    return caught.value.message


def test_answers_are_those_of_the_formula(classifier) -> None:
    session = onnxruntime(classifier(temperature=1.5), threads=1)

    probabilities, logits = session.run(IMAGES)

    assert (probabilities.dtype, logits.dtype) == (np.float32, np.float32)
    scaled = np.exp(logits.astype(np.float64) / 1.5)
    assert np.allclose(probabilities, scaled / scaled.sum(axis=1, keepdims=True), atol=1e-6)


def test_session_says_what_it_is(classifier) -> None:
    session = onnxruntime(classifier(), threads=1)

    assert session.engine.startswith("onnxruntime 1.")
    assert session.input_shape == (16, 16, 3)
    assert session.classes == 3


def test_it_is_found_by_its_file_name() -> None:
    assert catalog.find(engines, "onnxruntime") is onnxruntime


def test_each_picture_is_answered_as_if_it_were_alone(classifier) -> None:
    session = onnxruntime(classifier(), threads=2)

    together = session.run(IMAGES)[0]
    alone = np.concatenate([session.run(IMAGES[i : i + 1])[0] for i in range(len(IMAGES))])

    assert np.allclose(together, alone, atol=1e-6)


def test_many_threads_may_run_it_at_once(classifier) -> None:
    session = onnxruntime(classifier(), threads=1)
    expected, found = session.run(IMAGES)[0], []

    def run() -> None:
        found.extend(session.run(IMAGES)[0] for _ in range(50))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 200
    assert all(np.array_equal(answer, expected) for answer in found)


def test_input_of_another_name_or_type_is_refused(model) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert re.search(
        r"must have one input 'images' of uint8; it has \[\('images', 'float32'\)\]", refusal(model)
    )


def test_second_input_is_refused(model) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    assert "must have one input 'images' of uint8" in refusal(model)


@pytest.mark.parametrize("shape", [[4, 16, 16, 3], ["N", "H", 16, 3], ["N", 16, 48]])
def test_input_where_not_exactly_n_is_free_is_refused(model, shape) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", TensorProto.UINT8, shape))
    if len(shape) == 3:
        del model.graph.node[:]
        model.graph.node.append(helper.make_node("Cast", ["images"], ["probabilities"], to=TensorProto.FLOAT))
        model.graph.node.append(helper.make_node("Cast", ["images"], ["logits"], to=TensorProto.FLOAT))
        for output in model.graph.output:
            output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))
    assert "with only N free" in refusal(model)


def test_missing_output_is_refused(model) -> None:
    del model.graph.output[1]
    assert r"must have the outputs 'probabilities' and 'logits' of float32; it has" in refusal(model)


def test_output_of_another_rank_is_refused(model) -> None:
    model.graph.node[-1].output[0] = "flat"
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [-1])
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("Reshape", ["flat", "shape"], ["probabilities"]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["M"]))
    assert re.search(r"must have outputs \(N, classes\)", refusal(model))


def test_graph_that_does_not_load_is_refused_silently(model, capfd) -> None:
    model.graph.node[3].input[1] = "nothing"
    assert re.search("onnxruntime .* cannot load the model: .*nothing", refusal(model))
    with pytest.raises(BundleError, match="cannot load the model"):
        onnxruntime(b"\x08\x0a garbage", threads=1)

    assert capfd.readouterr() == ("", "")


def test_weights_in_another_file_are_never_loaded(model, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(model, "model.onnx", save_as_external_data=True, location="weights.data", size_threshold=0)

    with pytest.raises(BundleError, match="cannot load the model"):
        onnxruntime((tmp_path / "model.onnx").read_bytes(), threads=1)
    assert capfd.readouterr() == ("", ""), "the engine's own talk is off"


def test_answers_that_are_no_probabilities_are_refused(classifier) -> None:
    session = onnxruntime(classifier(temperature=0.0), threads=1)

    with pytest.raises(BundleError, match="no probabilities: NaN, infinite") as caught:
        session.run(IMAGES)
    assert caught.value.code == "model_output_invalid"


def test_infinite_logits_are_refused_beside_good_probabilities(model) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.float32(np.inf), "far"))
    model.graph.node[-3].output[0] = model.graph.node[-2].input[0] = "near"
    model.graph.node.append(helper.make_node("Add", ["near", "far"], ["logits"]))
    session = onnxruntime(model.SerializeToString(), threads=1)

    with pytest.raises(BundleError, match="no probabilities: NaN, infinite"):
        session.run(IMAGES)


def test_outputs_that_do_not_sum_to_one_are_refused(model) -> None:
    model.graph.node[-1].CopyFrom(helper.make_node("Sigmoid", ["scaled"], ["probabilities"]))
    session = onnxruntime(model.SerializeToString(), threads=1)

    with pytest.raises(BundleError, match="not summing to 1"):
        session.run(IMAGES)


def test_pictures_of_another_size_are_an_error_of_ours(classifier) -> None:
    session = onnxruntime(classifier(), threads=1)

    with pytest.raises(BundleError, match=r"cannot run the model on \(1, 8, 8, 3\)") as caught:
        session.run(IMAGES[:1, :8, :8])
    assert caught.value.code == "model_failed"


def test_open_number_of_classes_is_allowed(model) -> None:
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "K"
    model.graph.ClearField("value_info")

    session = onnxruntime(model.SerializeToString(), threads=1)

    assert session.classes in (None, 3)
