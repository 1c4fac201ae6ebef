"""graphs.ranges: what was seen, and which part of it integers span."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import helper

from foveal.optimize.graphs.ranges import Values, observed, spans

PICTURES = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)


def values(samples):
    """Return what `observed` says of numbers that a graph makes out of bytes: a table looked up by pixel."""
    table = np.resize(np.asarray(samples, np.float32), 256)
    nodes = [
        helper.make_node("Cast", ["images"], ["indices"], to=onnx.TensorProto.INT32),
        helper.make_node("Gather", ["table", "indices"], ["looked_up"]),
    ]
    images = helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["N", 4, 4, 3])
    output = helper.make_tensor_value_info("looked_up", onnx.TensorProto.FLOAT, ["N", 4, 4, 3])
    body = helper.make_graph(nodes, "g", [images], [output], [onnx.numpy_helper.from_array(table, "table")])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    found = observed(model.SerializeToString(), ["looked_up"], PICTURES)
    return found, table[PICTURES]


@settings(max_examples=20)
@given(arrays(np.float32, 256, elements=st.floats(-1e4, 1e4, width=32)))
def test_observed_counts_every_number_between_the_true_ends(samples):
    found, seen = values(samples)

    assert (found["looked_up"].low, found["looked_up"].high) == (seen.min(), seen.max())
    assert found["looked_up"].counts.sum() == seen.size


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
@settings(max_examples=20)
@given(arrays(np.float32, 256, elements=st.floats(-1e4, 1e4, width=32)))
def test_a_span_holds_zero_and_nothing_that_was_not_seen(method, samples):
    found, seen = values(samples)

    low, high = spans(found, method)["looked_up"]

    slack = 1e-3 * max(1e-6, float(np.abs(seen).max()))
    assert min(seen.min(), 0) - slack <= low <= 0 <= high <= max(seen.max(), 0) + slack


def test_minmax_spans_everything():
    found, seen = values(np.linspace(-3, 5, 256))

    assert spans(found, "minmax")["looked_up"] == (seen.min(), seen.max())


def test_percentile_and_entropy_leave_out_what_is_rare_and_far():
    rng = np.random.default_rng(0)
    bulk = np.abs(rng.normal(0, 1, 200_000))
    samples = np.append(bulk, [60.0])
    seen = Values(0.0, 60.0, np.histogram(samples, bins=4096, range=(0, 60))[0])

    percentile = spans({"x": seen}, "percentile")["x"][1]
    entropy = spans({"x": seen}, "entropy")["x"][1]

    assert percentile == pytest.approx(np.quantile(samples, 0.99995), abs=0.05)
    assert 2 < entropy < 20


def test_a_rare_channel_that_never_speaks_has_a_span():
    found, _ = values([0.0])

    for method in ("minmax", "percentile", "entropy"):
        assert spans(found, method)["looked_up"] == pytest.approx((0, 0), abs=1e-6)
