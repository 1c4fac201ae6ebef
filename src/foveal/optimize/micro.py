"""The smallest graphs that show what one layer costs in an engine: with the layer, and without it.

Both follow the contract of `bundle.session.Session`, so that any engine loads them. In both, the layer's
input comes from a cheap convolution of one factor per channel: in a network a layer gets its input from
another one, in the engine's own layout and already quantized. So what a change of layout costs cancels.

A part of the library around `optimize.lookup`, which says why `foveal optimize` does not use it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from foveal.core import random
from foveal.optimize.shapes import Shape

Precision = Literal["fp32", "int8"]
_OPSET, _IR = 20, 10  # what torch's exporter writes
_CLASSES = 2
_ACTIVATION_SCALE = 1.0  # bytes of pictures, and what random weights of a variance of 1 / inputs make of them


@dataclass
class _Graph:
    """A graph in the making; every method that adds a node returns the name of its output."""

    precision: Precision
    rng: np.random.Generator
    nodes: list[Any] = field(default_factory=list)
    tensors: list[Any] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def tensor(self, value: NDArray[Any]) -> str:
        name = f"tensor_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(value, name))
        return name

    def quantized(self, name: str) -> str:
        """Return the tensor after QuantizeLinear and DequantizeLinear; in fp32 itself."""
        if self.precision == "fp32":
            return name
        scale = self.tensor(np.array(_ACTIVATION_SCALE, np.float32))
        zero = self.tensor(np.zeros((), np.uint8))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", name, scale, zero), scale, zero)

    def weights(self, *shape: int) -> str:
        """Return random weights whose first axis are the outputs, each with its own scale in int8."""
        if self.precision == "fp32":
            bound = float(np.prod(shape[1:])) ** -0.5
            return self.tensor(self.rng.uniform(-bound, bound, shape).astype(np.float32))
        values = self.rng.integers(-127, 128, shape, dtype=np.int8)
        scale, zero = self.tensor(self._scales(shape)), self.tensor(np.zeros(shape[0], np.int8))
        return self.node("DequantizeLinear", self.tensor(values), scale, zero, axis=0)

    def bias(self, *shape: int) -> str:
        """Return a bias for weights of this shape: int32 in the scale of the products, as engines want it."""
        if self.precision == "fp32":
            return self.tensor(self.rng.uniform(0, 0.1, shape[0]).astype(np.float32))
        values = self.rng.integers(0, 100, shape[0], dtype=np.int32)
        scale = self.tensor((self._scales(shape) * np.float32(_ACTIVATION_SCALE)).astype(np.float32))
        zero = self.tensor(np.zeros(shape[0], np.int32))
        return self.node("DequantizeLinear", self.tensor(values), scale, zero, axis=0)

    @staticmethod
    def _scales(shape: tuple[int, ...]) -> NDArray[np.float32]:
        return np.full(shape[0], float(np.prod(shape[1:])) ** -0.5 / 127, np.float32)

    def layer(self, shape: Shape, name: str) -> str:
        """Return what comes out of a layer and a ReLU."""
        if shape.kind == "convolution":
            filters = (shape.outputs, shape.inputs // shape.groups, *shape.kernel)
            inputs = (name, self.weights(*filters), self.bias(*filters))
            output = self.node(
                "Conv",
                *inputs,
                kernel_shape=list(shape.kernel),
                strides=list(shape.stride),
                pads=list(shape.padding),
                dilations=list(shape.dilation),
                group=shape.groups,
            )
        elif shape.height == 1:
            matrix = (shape.outputs, shape.inputs)
            output = self.node("Gemm", name, self.weights(*matrix), self.bias(*matrix), transB=1)
        else:
            turned = self.node("Transpose", self.weights(shape.outputs, shape.inputs), perm=[1, 0])
            output = self.node("MatMul", name, turned)
        return self.quantized(self.node("Relu", output))


def micro(shape: Shape, precision: Precision, *, with_layer: bool) -> bytes:
    """Return a serialized ONNX graph around a layer, or the same graph without it.

    Input `images` uint8 (N, height, width, inputs); outputs `probabilities` and `logits`, float32 (N, 2).
    Weights are random, the same for equal arguments.

    Args:
        shape: Of the layer.
        precision: "fp32", or "int8": QDQ with uint8 activations and int8 weights of a scale per output.
        with_layer: Whether the layer is in it.
    """
    graph = _Graph(precision, random.stream(0, "micro", str(shape)))
    pixels = graph.node("Cast", "images", to=TensorProto.FLOAT)
    if shape.kind == "convolution":
        vectors = _around_convolution(graph, shape, pixels, with_layer=with_layer)
    else:
        vectors = _around_linear(graph, shape, pixels, with_layer=with_layer)
    features = shape.outputs if with_layer else shape.inputs
    return _finished(graph, vectors, features, (shape.height, shape.width, shape.inputs))


def entrance(precision: Precision, *, channels: int, size: int) -> bytes:
    """Return a graph without any layer: it normalizes a picture as exported graphs do, and answers.

    Args:
        precision: As for `micro`.
        channels: Of the picture.
        size: Side of the square picture in pixels.
    """
    graph = _Graph(precision, random.stream(0, "entrance"))
    mean, scale = (graph.tensor(np.full(channels, value, np.float32)) for value in (120.0, 0.016))
    pixels = graph.node("Cast", "images", to=TensorProto.FLOAT)
    normalized = graph.node("Mul", graph.node("Sub", pixels, mean), scale)
    planes = graph.quantized(graph.node("Transpose", normalized, perm=[0, 3, 1, 2]))
    return _finished(graph, _pooled(graph, planes), channels, (size, size, channels))


def _around_convolution(graph: _Graph, shape: Shape, pixels: str, *, with_layer: bool) -> str:
    features = graph.quantized(graph.node("Transpose", pixels, perm=[0, 3, 1, 2]))
    inputs, height, width = shape.inputs, shape.height, shape.width
    features = graph.layer(
        Shape("convolution", inputs, inputs, groups=inputs, height=height, width=width), features
    )
    return _pooled(graph, graph.layer(shape, features) if with_layer else features)


def _around_linear(graph: _Graph, shape: Shape, pixels: str, *, with_layer: bool) -> str:
    form = [0, shape.inputs] if shape.height == 1 else [0, shape.height, shape.inputs]
    vectors = graph.quantized(graph.node("Reshape", pixels, graph.tensor(np.array(form, np.int64))))
    if with_layer:
        vectors = graph.layer(shape, vectors)
    if shape.height > 1:
        axes = graph.tensor(np.array([1], np.int64))
        vectors = graph.quantized(graph.node("ReduceMean", vectors, axes, keepdims=0))
    return vectors


def _pooled(graph: _Graph, features: str) -> str:
    return graph.node("Flatten", graph.quantized(graph.node("GlobalAveragePool", features)))


def _finished(graph: _Graph, vectors: str, features: int, size: tuple[int, int, int]) -> bytes:
    """Return the graph with a last layer from vectors of so many features to the two outputs."""
    last = (_CLASSES, features)
    logits = graph.node("Gemm", vectors, graph.weights(*last), graph.bias(*last), transB=1)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    graph.nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    free: list[str | int | None] = ["N", *size]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, free)
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", _CLASSES])
        for name in ("probabilities", "logits")
    ]
    made = helper.make_graph(graph.nodes, "micro", [images], outputs, graph.tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
