"""An ONNX graph while it is being changed."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[Any]


class Net:
    """Nodes in the order they run, and constants as arrays; turned back into bytes with `to_bytes`.

    Attributes:
        nodes: May be changed in place; each stays behind what it reads.
        constants: Arrays by name; a change of an entry changes the file.
    """

    def __init__(self, model: bytes) -> None:
        """Read a serialized graph, and work out what depends on nothing but constants.

        Weights that are kept as integers stay integers.
        """
        self._model: Any = onnx.load_from_string(model)
        graph = self._model.graph
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.nodes: list[Any] = []
        for node in graph.node:
            if node.op_type != "DequantizeLinear" and all(n in self.constants for n in node.input if n):
                self.constants.update(self._evaluated(node))
            else:
                self.nodes.append(node)
        self.outputs: tuple[str, ...] = tuple(value.name for value in graph.output)

    def producer(self, name: str) -> Any:
        """Return the node that writes a tensor, or None for inputs and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def consumers(self, name: str) -> list[Any]:
        """Return the nodes that read a tensor, each once."""
        return [node for node in self.nodes if name in node.input]

    def only_consumer(self, name: str) -> Any:
        """Return the one node that reads a tensor; None if there are several or it leaves the graph."""
        readers = self.consumers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Return the shape of every tensor as far as it is known; None stands for any number."""
        inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(self.to_bytes()))
        graph = inferred.graph
        return {
            value.name: tuple(
                d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
            )
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def floats(self) -> frozenset[str]:
        """Return the tensors that are known to hold float32."""
        graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(self.to_bytes())).graph
        known = (*graph.input, *graph.value_info, *graph.output)
        return frozenset(
            value.name for value in known if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        )

    def add_constant(self, name: str, array: Array) -> str:
        """Add an array and return the name that it got, which is new."""
        free = self.free(name)
        self.constants[free] = array
        return free

    def free(self, name: str) -> str:
        """Return a name that no tensor has."""
        taken = {output for node in self.nodes for output in node.output} | set(self.constants)
        number, free = 1, name
        while free in taken:
            number, free = number + 1, f"{name}_{number}"
        return free

    def insert_behind(self, node: Any, *others: Any) -> None:
        """Let other nodes run right after this one; after None they run first."""
        place = 0 if node is None else self._place(node) + 1
        self.nodes[place:place] = others

    def replace(self, node: Any, *others: Any) -> None:
        """Let other nodes run in the place of this one."""
        place = self._place(node)
        self.nodes[place : place + 1] = others

    def redirect(self, old: str, new: str, *, readers: Iterable[Any] | None = None) -> None:
        """Let nodes, without `readers` all of them, read another tensor than before."""
        for node in self.consumers(old) if readers is None else readers:
            names = [new if name == old else name for name in node.input]
            del node.input[:]
            node.input.extend(names)

    def to_bytes(self, *, opset: int | None = None) -> bytes:
        """Return the file without what nobody reads; equal graphs give equal bytes.

        Args:
            opset: Of the standard operators; None leaves it.
        """
        self.drop_unread()
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        for field in (graph.node, graph.initializer, graph.value_info):
            del field[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in self.constants.items())
        if opset is not None:
            del model.opset_import[:]
            model.opset_import.append(helper.make_opsetid("", opset))
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def drop_unread(self) -> None:
        """Take out nodes and constants that no output depends on."""
        read, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if read.intersection(node.output):
                kept.append(node)
                read.update(node.input)
        self.nodes = kept[::-1]
        self.constants = {name: array for name, array in self.constants.items() if name in read}

    def _place(self, node: Any) -> int:
        return next(place for place, other in enumerate(self.nodes) if other is node)

    def _evaluated(self, node: Any) -> dict[str, Array]:
        arrays = {name: self.constants[name] for name in node.input if name}
        graph = helper.make_graph(
            [node],
            "constant",
            [_described(name, array) for name, array in arrays.items()],
            [onnx.ValueInfoProto(name=name) for name in node.output],
        )
        model = helper.make_model(graph, opset_imports=self._model.opset_import)
        values = ReferenceEvaluator(model).run(None, arrays)
        return {name: np.asarray(value) for name, value in zip(node.output, values, strict=True)}


def attribute(node: Any, name: str, otherwise: Any = None) -> Any:
    """Return the value of a node's attribute, or another one where it is not given."""
    found = next((a for a in node.attribute if a.name == name), None)
    return otherwise if found is None else helper.get_attribute_value(found)


def _described(name: str, array: Array) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
