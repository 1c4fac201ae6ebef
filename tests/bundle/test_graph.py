"""bundle.graph: a graph that reaches outside itself never gets to an engine."""

import re
from collections.abc import Callable

import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle.graph import check_graph
from foveal.core.errors import BundleError


@pytest.fixture
def model(classifier):
    return onnx.load_from_string(classifier())


def refusal(model) -> str:
    """Return with which message a graph is refused."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(BundleError) as caught:
        check_graph(content)
    assert caught.value.code == "bad_graph"
    return caught.value.message


def is_let_through(content: bytes) -> bool:
    try:
        check_graph(content)
    except BundleError:
        return False
    return True


def test_graph_that_stands_alone_is_let_through(classifier) -> None:
    assert is_let_through(classifier())


@pytest.mark.parametrize("location", ["weights.data", "../weights.data", "/etc/passwd"])
def test_weights_in_another_file_are_refused(model, location) -> None:
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location)

    assert "its weights lie in another file" in refusal(model)


def test_external_entry_is_refused_even_where_the_location_says_inside(model) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="x")

    assert "its weights lie in another file" in refusal(model)


def test_external_location_is_refused_even_without_entries(model) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    assert "its weights lie in another file" in refusal(model)


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

    assert "its weights lie in another file" in refusal(attribute)
    assert "its weights lie in another file" in refusal(constant)
    assert "its weights lie in another file" in refusal(sparse)


@pytest.mark.parametrize("domain", ["com.microsoft", "evil.ops", "ai.onnx.ml"])
def test_operators_of_others_are_refused(model, domain) -> None:
    model.graph.node[0].domain = domain

    assert f"an operator from '{domain}'" in refusal(model)


def test_standard_domain_may_be_spelled_out(model) -> None:
    model.graph.node[0].domain = "ai.onnx"

    assert is_let_through(model.SerializeToString())


def test_functions_are_refused(model) -> None:
    model.functions.add(name="f", domain="d")

    assert "defines functions of its own" in refusal(model)


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan"])
def test_loops_and_branches_are_refused(model, operator) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node(operator, ["images"], ["x"], body=body))

    assert "it has a loop or a branch" in refusal(model)


def test_graph_without_a_graph_is_refused() -> None:
    assert "it holds no graph" in refusal(b"")
    assert "it holds no graph" in refusal(onnx.ModelProto(ir_version=10).SerializeToString())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x3a\xff\xff\xff\xff\x0f", "a field is cut short"),
        (b"\x3a", "a field is cut short"),
        (b"\x3b\x00", "wire type 3"),
        (b"\x38\x01", "field 7 of a model has wire type 0"),
        (b"\x3d\x00\x00\x00\x00", "field 7 of a model has wire type 5"),
        (b"\x08" + b"\xff" * 11, "a number is too long"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "a number has more than 64 bits"),
        (b"\x08\x80\x00", "a number is longer than it needs to be"),
        (b"\x3a\x80\x00", "a number is longer than it needs to be"),
        (b"\x00\x00", "field 0 of a model is not known"),
        (b"\x08\x01\x08\x01", "field 1 of a model is given twice"),
        (b"\xba\x06\x00", "field 103 of a model is not known"),
        (b"\xa2\x01\x00", "field 20 of a model is not known"),
        (b"\x3c", "wire type 4"),
    ],
)
def test_broken_messages_are_refused(content, message) -> None:
    assert re.search(message, refusal(content))


def written(number: int, *, bytes_more: int = 0) -> bytes:
    """Return a number as protocol buffers write it, or with so many bytes more than it needs."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    if bytes_more:
        out[-1] |= 0x80
        out += b"\x80" * (bytes_more - 1) + b"\0"
    return bytes(out)


def field(number: int, content: bytes, *, key: Callable[[int], bytes] = written) -> bytes:
    """Return one field that holds bytes; `key` writes its tag."""
    return key(number << 3 | 2) + written(len(content)) + content


def tag_with_bit_32(tag: int) -> bytes:
    return written(tag | 1 << 32)


def tag_with_a_byte_more(tag: int) -> bytes:
    return written(tag, bytes_more=1)


@pytest.mark.parametrize("key", [tag_with_bit_32, tag_with_a_byte_more])
def test_node_whose_tag_only_the_engine_understands_is_refused(model, key) -> None:
    foreign = helper.make_node("Gelu", ["images"], ["x"], domain="evil.ops").SerializeToString()
    graph = model.graph.SerializeToString() + field(1, foreign, key=key)
    model.ClearField("graph")
    content = model.SerializeToString() + field(7, graph)

    with pytest.raises(Exception, match=r"evil\.ops"):  # the engine does see it
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert "it is not a readable ONNX file: a number" in refusal(content)


@pytest.mark.parametrize("key", [tag_with_bit_32, tag_with_a_byte_more])
def test_domain_functions_and_external_data_are_not_hidden_by_their_tags(model, key) -> None:
    node = model.graph.node[0].SerializeToString()
    domain = field(7, b"com.microsoft", key=key)
    tensor = model.graph.initializer[0].SerializeToString()
    entry = field(13, b"", key=key)
    function = field(25, field(1, b"f"), key=key)

    for content in (field(7, field(1, node + domain)), field(7, field(5, tensor + entry)), function):
        assert "it is not a readable ONNX file: a number" in refusal(content)


def test_second_graph_that_readers_would_merge_is_refused(model) -> None:
    content = model.SerializeToString() + field(7, model.graph.node[0].SerializeToString())

    assert "field 7 of a model is given twice" in refusal(content)


def test_domain_given_twice_is_refused(model) -> None:
    node = helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx").SerializeToString()

    assert "field 7 of a node is given twice" in refusal(field(7, field(1, node + field(7, b""))))


def test_numbers_may_be_packed_or_not(model) -> None:
    packed = field(5, field(1, b"\x01\x02") + field(8, b"n"))
    one_by_one = field(5, b"\x08\x01\x08\x02" + field(8, b"n"))

    assert is_let_through(field(7, packed + one_by_one))


def test_bytes_that_the_engine_takes_for_its_own_format_are_refused(model) -> None:
    model.ClearField("producer_name")
    content = field(2, b"abORTM") + model.SerializeToString()

    assert onnx.load_from_string(content).producer_name == "abORTM", "it is an ONNX file as well"
    with pytest.raises(Exception, match="ORT model verification failed"):
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert "an engine's own format" in refusal(content)


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

    assert "it has too many parts" in refusal(model)


def test_depth_is_bounded(model, monkeypatch) -> None:
    monkeypatch.setattr("foveal.bundle.graph._DEPTH", 1)

    assert "nested too deeply" in refusal(model)


def test_all_kinds_of_numbers_are_stepped_over(model) -> None:
    tensor = TensorProto(name="n", dims=[3], float_data=[1, 2], double_data=[3.0], int64_data=[-1])
    model.graph.initializer.append(tensor)
    model.graph.node[0].attribute.append(helper.make_attribute("f", 0.5))

    assert is_let_through(model.SerializeToString())
