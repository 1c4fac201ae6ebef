"""Products of bytes: exact, and from a graph that `onnx` would have written the same way."""

import numpy as np
import onnx
import pytest

from foveal.search.integer_product import MOST, IntegerProduct, _graph


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (1000, 64), (130, 1280)])
def test_products_are_exact_at_the_ends_of_their_range(shape) -> None:
    rng = np.random.default_rng(0)
    rows = rng.choice(np.array([-127, -126, -1, 0, 1, 127], np.int8), shape)
    digits = rng.choice(np.array([0, 1, MOST], np.uint8), (2, shape[1]))
    digits[0] = MOST
    rows[0] = 127

    found = IntegerProduct(rows)(digits)

    np.testing.assert_array_equal(found, digits.astype(np.int64) @ rows.astype(np.int64).T)


def test_the_graph_is_sound_onnx() -> None:
    rows = np.arange(-60, 60, dtype=np.int8).reshape(10, 12)

    model = onnx.load_from_string(_graph(rows))
    onnx.checker.check_model(model, full_check=True)

    [held] = model.graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(held), rows.T)
    assert [node.op_type for node in model.graph.node] == ["MatMulInteger"]
