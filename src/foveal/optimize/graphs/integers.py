"""A graph whose convolutions and products run on 8-bit integers, in the QDQ form that engines fuse.

Every tensor that an integer operator reads or writes passes through a QuantizeLinear and a DequantizeLinear:
q = round(x / scale) + zero (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, eq. 1). An engine that sees DQ → Conv → Q runs one integer kernel.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

from foveal.optimize.graphs.border import belongs_to_border
from foveal.optimize.graphs.net import Array, Net, attribute
from foveal.optimize.graphs.ranges import Range
from foveal.optimize.graphs.simplify import CAST, CENTERING
from foveal.train.fake_quantization import FEWEST_FOR_FOUR, FOUR_BITS_END

INT4 = ml_dtypes.int4
_FOUR_BITS, _OPSET = 7, 21  # the largest weight; the first version of operators that knows INT4

_WEIGHTED = ("Conv", "Gemm")
_JOINING = ("Add", "Concat")
_KEEPS_VALUES = ("MaxPool", "Flatten", "Resize")  # what comes out went in: one scale for both sides
_AVERAGING = ("GlobalAveragePool", "AveragePool")
_ACTIVATIONS = ("Relu", "Clip")
_OF_LENGTHS = ("Shape", "Slice", "Gather", "Squeeze", "Unsqueeze")
_ENDS = {"uint8": (0, 255), "int8": (-128, 127)}


@dataclass(frozen=True)
class Scheme:
    """How numbers become integers.

    Attributes:
        activations: Type of what flows between layers; asymmetric, one scale per tensor.
        narrow: Weights use 7 bits instead of 8. Processors without VNNI add two products in 16 bits, and
            255 · 127 · 2 does not fit there, 255 · 64 · 2 does.
        four_bits: Weights of large layers behind the first one are held in 4 bits: half of the bytes, and the
            same kernels, for engines make 8-bit integers of them once, when the graph is loaded.
    """

    activations: Literal["uint8", "int8"] = "uint8"
    narrow: bool = False
    four_bits: bool = False


def units(model: bytes) -> tuple[str, ...]:
    """Return the names of the nodes of a simplified graph that can be integer or stay in float, in order."""
    return tuple(node.name for node in _units(Net(model)))


def ends(model: bytes) -> tuple[str, ...]:
    """Return the names of the `units` of a simplified graph that no other layer with weights follows."""
    net = Net(model)
    ahead = _before_weights(net)
    return tuple(node.name for node in _units(net) if not ahead.intersection(node.output))


def readers(model: bytes) -> tuple[str, ...]:
    """Return the names of the `units` of a simplified graph that read the picture, before any other unit."""
    net = Net(model)
    units_of = _units(net)
    behind: set[str] = set()  # tensors that some unit has worked on
    found = []
    for node in net.nodes:
        unit = any(node is one for one in units_of)
        fresh = not behind.intersection(node.input)
        if unit and fresh:
            found.append(node.name)
        if unit or not fresh:
            behind.update(node.output)
    return tuple(found)


def tensors(model: bytes) -> tuple[str, ...]:
    """Return the names of the tensors whose ranges `with_integers` may ask for."""
    net = Net(model)
    units_of = _units(net)
    found: dict[str, None] = {}
    for node in net.nodes:
        unit = any(node is one for one in units_of)
        if unit or _follows(node):
            read = node.input if unit else node.input[:1]  # behind it may come sizes
            found |= dict.fromkeys(name for name in read if net.producer(name) is not None)
            found |= dict.fromkeys([_after_activation(net, node)])
    return tuple(name for name in found if name not in net.outputs)


def with_integers(
    model: bytes, ranges: Mapping[str, Range], scheme: Scheme, *, floats: Collection[str] = ()
) -> bytes:
    """Return the graph on integers.

    Args:
        model: A simplified graph.
        ranges: What integers span, for all of `tensors(model)`.
        scheme: Types and bits.
        floats: Names of `units` that stay in float.
    """
    net = Net(model)
    fours = set(units(model)).difference(readers(model)) if scheme.four_bits else set()
    writer = _Writer(net, ranges, scheme, fours)
    chosen = [node for node in _units(net) if node.name not in floats]
    writer.read_bytes_directly()
    for node in list(net.nodes):
        if any(node is unit for unit in chosen):
            writer.make_integer(node)
        elif _follows(node) and node.input[0] in writer.restored:
            writer.follow(node)
    return net.to_bytes(opset=_OPSET if scheme.four_bits else None)


def _units(net: Net) -> list[Any]:
    """Return the nodes that can be integer, in order: up to the last layers with weights, none behind them.

    What is reckoned with answers, such as corners of boxes, needs more than 256 different numbers.
    """
    ahead = _before_weights(net) & net.floats()  # places that are looked up are added and joined, too
    return [node for node in net.nodes if _is_weighted(net, node) or _joins(net, node, ahead)]


def _is_weighted(net: Net, node: Any) -> bool:
    return node.op_type in _WEIGHTED and all(name in net.constants for name in node.input[1:])


def _joins(net: Net, node: Any, ahead: Collection[str]) -> bool:
    if node.op_type not in _JOINING or belongs_to_border(node) or node.output[0] not in ahead:
        return False
    return all(_holds_values(net, net.producer(name)) for name in node.input)


def _follows(node: Any) -> bool:
    """Return whether a node can stay on the integers that it is given."""
    if node.op_type == "Resize":
        return bool(attribute(node, "mode", b"nearest") == b"nearest")
    return node.op_type in (*_KEEPS_VALUES, *_AVERAGING)


def _before_weights(net: Net) -> set[str]:
    """Return the names of the tensors that some layer with weights depends on."""
    found: set[str] = set()
    for node in reversed(net.nodes):
        if _is_weighted(net, node) or found.intersection(node.output):
            found.update(node.input)
    return found


def _holds_values(net: Net, producer: Any) -> bool:
    """Return whether a tensor holds values of maps; what follows from lengths of axes holds whole numbers."""
    while producer is not None and producer.op_type in _OF_LENGTHS:
        if producer.op_type == "Shape":
            return False
        producer = net.producer(producer.input[0])
        if producer is None:
            return False
    return producer is not None


def weights_share(model: bytes) -> float:
    """Return the share of all float weights that convolutions and classifiers hold: those become integers."""
    net = Net(model)
    held = sum(net.constants[node.input[1]].size for node in net.nodes if _is_weighted(net, node))
    return held / max(1, sum(each.size for each in net.constants.values() if each.dtype == np.float32))


def reads_in_order(model: bytes) -> bool:
    """Return whether a graph has a recurrent layer (GRU, LSTM): it stays in float, weights and all."""
    return any(node.op_type in ("GRU", "LSTM", "RNN") for node in Net(model).nodes)


def _after_activation(net: Net, node: Any) -> str:
    """Return the tensor that leaves a node, behind its ReLU where that is all that reads it."""
    name: str = node.output[0]
    reader = net.only_consumer(name)
    return reader.output[0] if reader is not None and _ends_around_zero(net, reader) else name


def _ends_around_zero(net: Net, node: Any) -> bool:
    """Return whether a node only cuts numbers off, and leaves 0: integers that end there do the same."""
    if node.op_type != "Clip":
        return bool(node.op_type == "Relu")
    low, high = (net.constants.get(name) for name in (*node.input, "", "")[1:3])
    return low is not None and high is not None and bool(low <= 0 <= high)


class _Writer:
    """Puts quantization into a net."""

    def __init__(self, net: Net, ranges: Mapping[str, Range], scheme: Scheme, fours: Collection[str]) -> None:
        self.net, self.ranges, self.scheme, self.fours = net, ranges, scheme, fours
        self.restored: dict[str, tuple[float, int]] = {}  # tensor behind a DQ → its scale and zero
        self.integer: set[str] = set()  # names of the nodes that have become integer
        self.pairs: dict[str, str] = {}  # float tensor → the tensor behind its DQ

    def read_bytes_directly(self) -> None:
        """Take the picture's bytes as the integers that they are."""
        cast = next((n for n in self.net.nodes if n.name == CAST and n.op_type == "Cast"), None)
        last = None if cast is None else self.net.only_consumer(cast.output[0])
        if cast is None or last is None:
            return
        centered = last.name == CENTERING
        last = last if centered else cast
        name, center = last.output[0], int(self.net.constants[last.input[1]]) if centered else 0
        if self.scheme.activations == "uint8":
            bytes_and_step = [cast.input[0], *self._constants(name, 1.0, center)]
            back = helper.make_node("DequantizeLinear", bytes_and_step, [name], name=f"{name}_dq")
            self.net.replace(last, back)
            self.restored[name], self.pairs[name] = (1.0, center), name
        else:
            self._pair(name, 1.0, center - 128)

    def make_integer(self, node: Any) -> None:
        """Let a node read integers, and write them unless the answer itself leaves it."""
        self.integer.add(node.name)
        activations = [n for n in node.input if n not in self.net.constants]
        for name in activations:
            restored = self._restored(name)
            self.net.redirect(name, restored, readers=[node])
        if node.op_type in _WEIGHTED:
            self._weights(node, self.restored[node.input[0]][0])
        output = _after_activation(self.net, node)
        if output in self.net.outputs:
            return
        if output != node.output[0]:  # the integers end at the ReLU's 0: they are the ReLU
            activation = self.net.only_consumer(node.output[0])
            self.net.nodes.remove(activation)
            node.output[0] = output
        self._restored(output)

    def follow(self, node: Any) -> None:
        """Let a pooling operator stay on the integers that it is given."""
        output = node.output[0]
        if output in self.net.outputs:
            return
        if node.op_type in _KEEPS_VALUES:
            self._pair(output, *self.restored[node.input[0]])
        else:
            self._restored(output)

    def _restored(self, name: str) -> str:
        """Return the tensor behind the DQ of a tensor; a pair is made where there is none."""
        if name in self.restored:
            return name
        if name not in self.pairs:
            self._pair(name, *self._step(self.ranges[name]))
        return self.pairs[name]

    def _step(self, span: Range) -> tuple[float, int]:
        lowest, highest = _ENDS[self.scheme.activations]
        low, high = min(span[0], 0.0), max(span[1], 0.0)
        scale = float(np.float32(max((high - low) / (highest - lowest), 1e-10)))
        return scale, int(np.clip(round(lowest - low / scale), lowest, highest))

    def _pair(self, name: str, scale: float, zero: int) -> None:
        readers = self.net.consumers(name)
        integers, back = self.net.free(f"{name}_q"), self.net.free(f"{name}_dq")
        constants = self._constants(name, scale, zero)
        writer, source = self.net.producer(name), name
        if self._stays_float(writer):
            source = self._held_apart(name, writer, scale, zero)
        self.net.insert_behind(
            self.net.producer(source),
            helper.make_node("QuantizeLinear", [source, *constants], [integers], name=integers),
            helper.make_node("DequantizeLinear", [integers, *constants], [back], name=back),
        )
        self.net.redirect(name, back, readers=readers)
        self.restored[back], self.pairs[name] = (scale, zero), back

    def _stays_float(self, writer: Any) -> bool:
        while writer is not None and writer.op_type in (*_ACTIVATIONS, *_KEEPS_VALUES):
            writer = self.net.producer(writer.input[0])  # engines move a Q in front of these
        return writer is not None and writer.op_type in _WEIGHTED and writer.name not in self.integer

    def _held_apart(self, name: str, writer: Any, scale: float, zero: int) -> str:
        """Return a float convolution's output behind a maximum with the lowest number that integers can say.

        It changes nothing, for the integers end there. But between a DQ and a Q, with nothing or a ReLU in
        front of the Q, ONNX Runtime takes float weights for forgotten ones and rounds them itself, per
        tensor.
        """
        lowest = (_ENDS[self.scheme.activations][0] - zero) * scale
        floor = self.net.add_constant(f"{name}_lowest", np.asarray(lowest, np.float32))
        raised = self.net.free(f"{name}_raised")
        source = writer.input[0] if writer.op_type == "Relu" and lowest == 0.0 else name
        self.net.insert_behind(writer, helper.make_node("Max", [source, floor], [raised], name=raised))
        return raised

    def _constants(self, name: str, scale: float, zero: int) -> list[str]:
        kind = np.uint8 if self.scheme.activations == "uint8" else np.int8
        return [
            self.net.add_constant(f"{name}_scale", np.asarray(scale, np.float32)),
            self.net.add_constant(f"{name}_zero", np.asarray(zero, kind)),
        ]

    def _weights(self, node: Any, input_scale: float) -> None:
        """Store weights as int8 or int4 and the bias as int32, with a scale for each output channel."""
        net = self.net
        weights = net.constants[node.input[1]].astype(np.float32)
        four = node.name in self.fours and weights.size >= FEWEST_FOR_FOUR
        axis = 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1
        others = tuple(i for i in range(weights.ndim) if i != axis)
        if four:
            largest = FOUR_BITS_END * np.sqrt(np.square(weights).mean(axis=others)) / _FOUR_BITS
        else:
            largest = np.abs(weights).max(axis=others) / (64 if self.scheme.narrow else 127)
        bias = net.constants[node.input[2]].astype(np.float64) if len(node.input) > 2 else None
        if bias is not None:  # it must fit 32 bits
            largest = np.maximum(largest, np.abs(bias) / (input_scale * 2**30))
        scale = np.maximum(largest, 1e-12).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
        stored = np.rint(weights / scale.reshape(shape))
        stored = stored.clip(-_FOUR_BITS, _FOUR_BITS).astype(INT4) if four else stored.astype(np.int8)
        node.input[1] = self._stored(node, node.input[1], stored, scale, axis)
        if bias is not None:
            fine = (scale.astype(np.float64) * input_scale).astype(np.float32)
            rounded = np.rint(bias / fine.astype(np.float64)).astype(np.int32)
            node.input[2] = self._stored(node, node.input[2], rounded, fine, 0)

    def _stored(self, node: Any, name: str, integers: Array, scale: Array, axis: int) -> str:
        net = self.net
        held = net.add_constant(f"{name}_q", integers)
        nodes = []
        if integers.dtype == INT4:
            wide = net.free(f"{name}_wide")
            nodes.append(helper.make_node("Cast", [held], [wide], name=wide, to=TensorProto.INT8))
            held = wide
        kind = np.int32 if integers.dtype == np.int32 else np.int8
        zeros = net.add_constant(f"{name}_zero", np.zeros(scale.shape, kind))
        back = net.free(f"{name}_dq")
        inputs = [held, net.add_constant(f"{name}_scale", scale), zeros]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [back], name=back, axis=axis))
        place = next(i for i, other in enumerate(net.nodes) if other is node)
        net.nodes[place:place] = nodes
        return back
