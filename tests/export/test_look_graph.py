"""What pictures look like: the nodes of a graph find what numpy finds, at every size and in few digits."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from foveal.calibrate.unknowns._look import look, nodes, parameters


def pictures(side: int, channels: int, contrast: float = 40) -> np.ndarray:
    rng = np.random.default_rng(side + channels)
    light = 128 + rng.normal(0, 20, (16, 1, 1, 1))
    noise = rng.normal(0, contrast, (16, side, side, channels))
    return (light + noise).clip(0, 255).round().astype(np.uint8)


def serialized(images: np.ndarray, middle: np.ndarray) -> bytes:
    shape = images.shape[1:]
    made = [helper.make_node(n.op, n.inputs, n.outputs, **n.attributes) for n in nodes(shape)]
    constants = {**parameters(shape, middle), "axis": np.array([1], np.int64)}
    graph = helper.make_graph(
        made,
        "look",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, images.shape)],
        [helper.make_tensor_value_info("look", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [8, 33, 64, 95, 224])
def test_a_graph_sees_what_numpy_sees(side: int, channels: int) -> None:
    images = pictures(side, channels)
    middle = look(pictures(side, channels, 20)).mean(axis=0)
    session = onnxruntime.InferenceSession(serialized(images, middle), providers=["CPUExecutionProvider"])

    (found,) = session.run(["look"], {"images": images})

    np.testing.assert_allclose(found, look(images) - middle, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("contrast", [1.5, 20])
def test_what_rounding_does_is_what_an_engine_in_bf16_does(side: int, channels: int, contrast: float) -> None:
    """Pictures of little contrast are moved most: their differences are as small as the digits."""
    openvino = pytest.importorskip("openvino")
    from foveal.bundle.engines.openvino import precisions

    if "bf16" not in precisions():
        pytest.skip("this processor does not compute in bf16")
    images = pictures(side, channels, contrast)
    middle = look(images).mean(axis=0)
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(serialized(images, middle)), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"}
    )

    found = compiled({"images": images})[0]

    exact, rounded = look(images) - middle, look(images, rounded=True) - middle
    np.testing.assert_allclose(found, rounded, atol=0.005)
    if contrast == 1.5:
        assert np.abs(found - exact).max() > 0.05
