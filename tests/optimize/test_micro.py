"""optimize.micro: the layer in a micro graph is torch's, an engine keeps it, and int8 runs as int8."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime as runtime
import pytest
import torch
from onnx import numpy_helper, shape_inference
from torch import nn

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.graph import check_graph
from foveal.optimize.micro import entrance, micro
from foveal.optimize.shapes import Shape, shapes

STRIDED = nn.Conv2d(6, 8, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
LAYERS = {
    "dense": (nn.Conv2d(6, 8, 3, padding=1), 6),
    "strided": (STRIDED, 6),
    "same": (nn.Conv2d(6, 8, 4, padding="same"), 6),
    "depthwise": (nn.Conv2d(6, 6, 3, padding=1, groups=6), 6),
    "grouped": (nn.Conv2d(6, 9, 1, groups=3), 6),
    "linear": (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 9)), 6),
    "tokens": (nn.Sequential(nn.Flatten(2), nn.Linear(81, 7)), 6),
}
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def shape_of(name: str) -> Shape:
    network, channels = LAYERS[name]
    [shape] = shapes(network, channels=channels, size=9)
    return shape


def images(shape: Shape, count: int = 3):
    size = (count, shape.height, shape.width, shape.inputs)
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    return pixels // np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]  # one darker than the other


def nodes_that_run(model: bytes, tmp_path) -> list[str]:
    """The kinds of nodes that ONNX Runtime is left with after all it rearranges."""
    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]


@pytest.mark.parametrize("with_layer", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", LAYERS)
def test_an_engine_runs_it_for_any_number_of_pictures(name, precision, with_layer) -> None:
    shape = shape_of(name)
    model = micro(shape, precision, with_layer=with_layer)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)

    session = onnxruntime(model, threads=1)
    probabilities, logits = session.run(images(shape))

    assert session.input_shape == (shape.height, shape.width, shape.inputs)
    assert probabilities.shape == logits.shape == (3, 2)
    assert len(np.unique(logits, axis=0)) == 3, "pictures must reach the answer"
    assert micro(shape, precision, with_layer=with_layer) == model


@pytest.mark.parametrize("name", ["dense", "strided", "same", "depthwise", "grouped"])
def test_the_layer_is_the_one_that_torch_would_run(name) -> None:
    shape = shape_of(name)
    model = onnx.load_from_string(micro(shape, "fp32", with_layer=True))
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    first, second = (node for node in model.graph.node if node.op_type == "Conv")
    last = next(node for node in model.graph.node if node.op_type == "Gemm")
    as_torch = {name: torch.from_numpy(values.copy()) for name, values in tensors.items()}

    features = torch.from_numpy(images(shape)).float().permute(0, 3, 1, 2)
    features = nn.functional.conv2d(features, *(as_torch[n] for n in first.input[1:]), groups=shape.inputs)
    top, left, bottom, right = shape.padding
    features = nn.functional.pad(features.relu(), (left, right, top, bottom))
    features = nn.functional.conv2d(
        features,
        *(as_torch[n] for n in second.input[1:]),
        stride=shape.stride,
        dilation=shape.dilation,
        groups=shape.groups,
    )
    expected = nn.functional.linear(features.relu().mean(dim=(2, 3)), *(as_torch[n] for n in last.input[1:]))

    _, logits = onnxruntime(model.SerializeToString(), threads=1).run(images(shape))
    assert np.allclose(logits, expected.numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2, 32])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("precision", "kind"), [("fp32", "Conv"), ("int8", "QLinearConv")])
def test_the_engine_runs_one_convolution_more_and_the_same_around_it(
    groups, stride, precision, kind, tmp_path
) -> None:
    network = nn.Conv2d(32, 32 if groups == 32 else 64, 3, stride=stride, padding=1, groups=groups)
    [shape] = shapes(network, channels=32, size=9)

    more, fewer = (
        Counter(nodes_that_run(micro(shape, precision, with_layer=there), tmp_path))
        for there in (True, False)
    )

    assert more - fewer == Counter({kind: 1})
    assert fewer - more == Counter()


def test_an_int8_linear_layer_runs_as_int8(tmp_path) -> None:
    ran = nodes_that_run(micro(shape_of("linear"), "int8", with_layer=True), tmp_path)

    assert ran.count("QGemm") == 2


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_entrance_has_no_layer_of_the_network(precision, channels) -> None:
    model = entrance(precision, channels=channels, size=8)

    kinds = [node.op_type for node in shape_inference.infer_shapes(onnx.load_from_string(model)).graph.node]
    assert "Conv" not in kinds
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, channels), dtype=np.uint8)
    _, logits = onnxruntime(model, threads=1).run(pictures)
    assert logits.shape == (2, 2)
    if precision == "fp32":
        check_graph(model)
