"""Would an int8 file answer otherwise on a processor without VNNI? Found out on any processor.

There, `vpmaddubsw` multiplies unsigned by signed bytes and adds two neighbouring products in 16 bits, where
255 · 127 · 2 does not fit: the sum stops at ±2¹⁵ (Intel, "Intel 64 and IA-32 Architectures Software
Developer's Manual", volume 2, PMADDUBSW). Neighbours are two inputs of the same output, channels innermost.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from foveal.bundle.session import Float32, UInt8
from foveal.core.batches import framed
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.export.unknown import feeds
from foveal.optimize.divergence import Divergence, between
from foveal.optimize.graphs.engine import session
from foveal.optimize.graphs.net import Net, attribute

_LOWEST, _HIGHEST = -(2**15), 2**15 - 1
_BATCH = 32


@dataclass(frozen=True)
class Saturation:
    """What the missing bits do.

    Attributes:
        share: Of all sums of two products, those that do not fit 16 bits.
        divergence: Of the answers with such sums cut off from the exact ones.
    """

    share: float
    divergence: Divergence


@dataclass(frozen=True)
class _Layer:
    """An integer convolution or product: its nodes' names, and what its sums are made of."""

    node: Any
    pixels: str  # the uint8 tensor it reads
    zero: int
    weights: NDArray[np.int64]  # (O, height, width, I)
    scale: NDArray[np.float64]  # of its sums, per output
    added: str


def saturation(model: bytes, pictures: UInt8) -> Saturation:
    """Return how often sums of two products do not fit, and what that does to the decisions.

    Depthwise and other grouped convolutions have kernels of their own that add in 32 bits; they are left out.

    Args:
        model: As `steps.quantize.quantize` makes it.
        pictures: uint8 (M, size, size, C), or clips (M, T, size, size, C), M ≥ 1.

    Raises:
        UsageError: No pictures.
    """
    if len(pictures) == 0:
        raise UsageError("saturation is looked for on one picture or more; got none", code="empty")
    net = Net(model)
    layers = _layers(net)
    running = session(_opened(net, layers), threads=usable_cpus())
    exact, cut = [], []
    over = total = 0
    at_once = framed(_BATCH, pictures.shape[1:])
    for start in range(0, len(pictures), at_once):
        batch = np.ascontiguousarray(pictures[start : start + at_once])
        given = {layer.added: np.zeros((1,) * 4, np.float32) for layer in layers}
        given |= {la.added: np.zeros((1, 1), np.float32) for la in layers if la.node.op_type == "Gemm"}
        given |= feeds(running, batch)
        exact.append(running.run(["probabilities"], given)[0])
        for layer in layers:
            read = running.run([layer.pixels], given)[0]
            given[layer.added], several, count = _lost(layer, read)
            over, total = over + several, total + count
        cut.append(running.run(["probabilities"], given)[0])
    return Saturation(over / max(total, 1), between(np.concatenate(exact), np.concatenate(cut)))


def _layers(net: Net) -> list[_Layer]:
    found = []
    for node in [n for n in net.nodes if n.op_type in ("Conv", "Gemm") and attribute(n, "group", 1) == 1]:
        pixels, weights = (net.producer(name) for name in node.input[:2])
        if any(n is None or n.op_type != "DequantizeLinear" for n in (pixels, weights)):
            continue
        zero, stored = net.constants[pixels.input[2]], net.constants[weights.input[0]]
        if zero.dtype != np.uint8 or stored.dtype != np.int8:
            continue
        if node.op_type == "Gemm":
            rows = stored if attribute(node, "transB", 0) else stored.T
            stored = rows[:, :, None, None]
        scale = net.constants[weights.input[1]].astype(np.float64) * float(net.constants[pixels.input[1]])
        whole = stored.transpose(0, 2, 3, 1).astype(np.int64)
        name = net.free(f"{node.output[0]}_lost")
        found.append(_Layer(node, pixels.input[0], int(zero), whole, scale.reshape(-1), name))
    return found


def _opened(net: Net, layers: list[_Layer]) -> bytes:
    """Return the graph that also tells what each layer reads, and takes what is added to its outputs."""
    inner = {layer.pixels for layer in layers if net.producer(layer.pixels) is not None}
    for layer in layers:
        name = layer.node.output[0]
        layer.node.output[0] = net.free(f"{name}_exact")
        add = helper.make_node("Add", [layer.node.output[0], layer.added], [name], name=layer.added)
        net.insert_behind(layer.node, add)
    graph = onnx.load_from_string(net.to_bytes())
    for layer in layers:
        rank = 2 if layer.node.op_type == "Gemm" else 4
        shape = [None] * rank
        graph.graph.input.append(helper.make_tensor_value_info(layer.added, onnx.TensorProto.FLOAT, shape))
    graph.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None) for name in sorted(inner)
    )
    data: bytes = graph.SerializeToString()
    return data


def _lost(layer: _Layer, read: UInt8) -> tuple[Float32, int, int]:
    """Return what cutting off adds to each output, how many sums are cut off, and how many there are."""
    node, (outputs, height, width, inputs) = layer.node, layer.weights.shape
    pixels = read if read.ndim == 4 else read[:, :, None, None]
    pads = attribute(node, "pads", [0, 0, 0, 0])
    edges = ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3]))
    padded = np.pad(pixels, edges, constant_values=layer.zero).astype(np.int32)
    strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    size = [
        (padded.shape[2 + axis] - (kernel - 1) * dilations[axis] - 1) // strides[axis] + 1
        for axis, kernel in enumerate((height, width))
    ]

    def under(place: int) -> NDArray[np.int32]:
        spot, channel = divmod(place, inputs)
        top, left = (at * dilation for at, dilation in zip(divmod(spot, width), dilations, strict=True))
        rows = slice(top, top + (size[0] - 1) * strides[0] + 1, strides[0])
        columns = slice(left, left + (size[1] - 1) * strides[1] + 1, strides[1])
        part: NDArray[np.int32] = padded[:, channel, rows, columns]
        return part

    flat = layer.weights.reshape(outputs, -1)
    lost = np.zeros((len(pixels), outputs, *size))
    over = 0
    for first in range(0, flat.shape[1] - 1, 2):
        pair = flat[:, first : first + 2]
        reach = 255 * np.maximum(np.clip(pair, 0, None).sum(1), np.clip(-pair, 0, None).sum(1))
        for output in np.flatnonzero(reach > _HIGHEST):
            sums = under(first) * pair[output, 0] + under(first + 1) * pair[output, 1]
            difference = np.clip(sums, _LOWEST, _HIGHEST) - sums
            over += int(np.count_nonzero(difference))
            lost[:, output] += difference * layer.scale[output]
    count = math.prod(lost.shape) * (flat.shape[1] // 2)
    added = lost.astype(np.float32)
    return (added if node.op_type == "Conv" else added[:, :, 0, 0]), over, count
