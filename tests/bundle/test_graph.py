"""bundle.graph: a graph that reaches outside itself never gets to an engine."""

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle.graph import check_graph
from foveal.core.errors import BundleError


@pytest.fixture
def model(classifier):
    return onnx.load_from_string(classifier())


def refused(model, message: str) -> None:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(BundleError, match=message) as caught:
        check_graph(content)
    assert caught.value.code == "bad_graph"


def test_graph_that_stands_alone_is_let_through(classifier) -> None:
    check_graph(classifier())


@pytest.mark.parametrize("location", ["weights.data", "../weights.data", "/etc/passwd"])
def test_weights_in_another_file_are_refused(model, location) -> None:
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location)

    refused(model, "its weights lie in another file")


def test_external_entry_is_refused_even_where_the_location_says_inside(model) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="x")

    refused(model, "its weights lie in another file")


def test_external_location_is_refused_even_without_entries(model) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    refused(model, "its weights lie in another file")


def test_external_weights_are_found_in_constants_and_sparse_tensors(model) -> None:
    tensor = numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]), "hidden")
    onnx.external_data_helper.set_external_data(tensor, "x")
    tensor.ClearField("raw_data")
    constant = onnx.ModelProto()
    constant.CopyFrom(model)
    constant.graph.node.append(helper.make_node("Constant", [], ["unused"], value=tensor))
    sparse = onnx.ModelProto()
    sparse.CopyFrom(model)
    sparse.graph.sparse_initializer.add().values.CopyFrom(tensor)
    attribute = onnx.ModelProto()
    attribute.CopyFrom(model)
    attribute.graph.node[0].attribute.add().sparse_tensor.indices.CopyFrom(tensor)

    refused(attribute, "its weights lie in another file")
    refused(constant, "its weights lie in another file")
    refused(sparse, "its weights lie in another file")


@pytest.mark.parametrize("domain", ["com.microsoft", "evil.ops", "ai.onnx.ml"])
def test_operators_of_others_are_refused(model, domain) -> None:
    model.graph.node[0].domain = domain

    refused(model, f"an operator from '{domain}'")


def test_standard_domain_may_be_spelled_out(model) -> None:
    model.graph.node[0].domain = "ai.onnx"

    check_graph(model.SerializeToString())


def test_functions_are_refused(model) -> None:
    model.functions.add(name="f", domain="d")

    refused(model, "defines functions of its own")


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan"])
def test_loops_and_branches_are_refused(model, operator) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node(operator, ["images"], ["x"], body=body))

    refused(model, "it has a loop or a branch")


def test_graph_without_a_graph_is_refused() -> None:
    refused(b"", "it holds no graph")
    refused(onnx.ModelProto(ir_version=10).SerializeToString(), "it holds no graph")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x3a\xff\xff\xff\xff\x0f", "a field is cut short"),
        (b"\x3a", "a field is cut short"),
        (b"\x3b\x00", "wire type 3"),
        (b"\x38\x01", "field 7 of a model is no message"),
        (b"\x08" + b"\xff" * 11, "a number is too long"),
        (b"\x00\x00", "a field is cut short"),
    ],
)
def test_broken_messages_are_refused(content, message) -> None:
    refused(content, message)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_let_through_but_never_crash(content) -> None:
    try:
        check_graph(content)
    except BundleError as error:
        assert error.code == "bad_graph"  # noqa: PT017 (both ways are right, a crash is not)


@given(st.data())
def test_flipped_bytes_are_refused_or_let_through_but_never_crash(classifier, data) -> None:
    content = bytearray(classifier())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        check_graph(bytes(content))
    except BundleError as error:
        assert error.code == "bad_graph"  # noqa: PT017


def test_message_with_millions_of_parts_ends_in_a_refusal(model, monkeypatch) -> None:
    monkeypatch.setattr("foveal.bundle.graph._FIELDS", 50)

    refused(model, "it has too many parts")


def test_depth_is_bounded(model, monkeypatch) -> None:
    monkeypatch.setattr("foveal.bundle.graph._DEPTH", 1)

    refused(model, "nested too deeply")


def test_all_kinds_of_numbers_are_stepped_over(model) -> None:
    tensor = TensorProto(name="n", dims=[3], float_data=[1, 2], double_data=[3.0], int64_data=[-1])
    model.graph.initializer.append(tensor)
    model.graph.node[0].attribute.append(helper.make_attribute("f", 0.5))

    check_graph(model.SerializeToString())
