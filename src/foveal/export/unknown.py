"""How unknown a picture is, computed by the graph itself: its third output, `unknown`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle.engines.onnxruntime import quiet_options
from foveal.bundle.session import UNKNOWN, WINDOW, UInt8, no_window
from foveal.calibrate.unknowns._look import LEAST_SIDE, look
from foveal.calibrate.unknowns._score import Answers, Node, Parameters, Score
from foveal.core import extras
from foveal.core.batches import batches

FEATURES = "features"
_PREFIX = "unknown/"  # of all that the tail adds
_LEAST_OPSET = 18  # of operators that take their axes as an input
_WIDEST = 2048  # features; kernels and pixels are more, and squares of them no longer small
_LINEAR = ("Gemm", "MatMul")
_PASSING = ("Add", "Sub", "Mul", "Div", "Identity")  # between the last layer and the logits
_CONSTANTS: Parameters = {"one": np.array(1, np.float32), "axis": np.array([1], np.int64)}


def with_unknown(model: bytes, score: Score) -> bytes:
    """Return the graph with a third output `unknown`, float32 (N,), in place of one that it may have.

    Args:
        model: A serialized classifier with an output `logits`.
        score: What computes it.

    Raises:
        ValueError: The score reads features and the graph has none, or the graph's operators are too old.
    """
    loaded = onnx.load_from_string(without_unknown(model))
    if next(s.version for s in loaded.opset_import if s.domain == "") < _LEAST_OPSET:
        raise ValueError(f"a score needs operators of version {_LEAST_OPSET} or later")
    names = {"logits": "logits", UNKNOWN: UNKNOWN, "images": "images"}
    read = {name for node in score.nodes for name in node.inputs}
    if FEATURES in read:
        found = features(model)
        if found is None:
            raise ValueError(f"{score.name} reads features, and the graph has no last layer that reads any")
        names[FEATURES] = found
    for name, array in {**_CONSTANTS, **score.parameters}.items():
        if name in read:
            names[name] = _PREFIX + name
            _store(loaded.graph, names[name], array)
    for number, node in enumerate(score.nodes):
        names |= {name: _PREFIX + name for name in node.outputs if name not in names}
        loaded.graph.node.append(_node(node, names, f"{_PREFIX}{number}"))
    batch = loaded.graph.output[0].type.tensor_type.shape.dim[0].dim_param
    loaded.graph.output.append(helper.make_tensor_value_info(UNKNOWN, TensorProto.FLOAT, [batch or "N"]))
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


def without_unknown(model: bytes) -> bytes:
    """Return the graph as it was before `with_unknown`; one without the output is returned as it is."""
    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    if UNKNOWN not in [value.name for value in graph.output]:
        return model
    kept = {
        "node": [node for node in graph.node if not node.name.startswith(_PREFIX)],
        "initializer": [tensor for tensor in graph.initializer if not tensor.name.startswith(_PREFIX)],
        "output": [value for value in graph.output if value.name != UNKNOWN],
    }
    for field, values in kept.items():
        del getattr(graph, field)[:]
        getattr(graph, field).extend(values)
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


def answering(model: bytes, *, threads: int) -> Callable[[UInt8], Answers]:
    """Return what runs a graph for what scores are fitted on: features, where there are any, and logits.

    Args:
        model: A serialized classifier.
        threads: Of ONNX Runtime.

    Returns:
        A function of pictures at model size, uint8 (N, H, W, C) with N ≥ 1.
    """
    found = features(model)
    loaded = onnx.load_from_string(without_unknown(model))
    if found is not None:
        loaded.graph.output.append(helper.make_tensor_value_info(found, TensorProto.FLOAT, None))
    asked = ["logits"] if found is None else ["logits", found]
    session = extras.onnxruntime().InferenceSession(
        loaded.SerializeToString(), quiet_options(threads), providers=["CPUExecutionProvider"]
    )

    def answers(images: UInt8) -> Answers:
        parts = [session.run(asked, feeds(session, batch)) for batch in batches(images)]
        logits, *read = (np.concatenate(part) for part in zip(*parts, strict=True))
        usable = bool(read) and read[0].ndim == 2 and read[0].shape[1] <= _WIDEST
        return Answers(
            read[0] if usable else None,
            logits,
            looks_of(images),
        )

    return answers


def looks_of(images: UInt8, *, rounded: bool = False) -> NDArray[np.float32] | None:
    """Return what pictures look like, a batch at a time, or None where they are too small to say.

    Args:
        images: uint8 (N, H, W, C) at model size, N ≥ 1; clips have none.
        rounded: As an engine in bf16 finds it.
    """
    if images.ndim != 4 or min(images.shape[1:3]) < LEAST_SIDE:  # of clips it is not asked
        return None
    return np.concatenate([look(batch, rounded=rounded) for batch in batches(images)])


def feeds(session: Any, images: UInt8) -> dict[str, Any]:
    """Return what a session of ONNX Runtime is given for pictures, or for whole clips."""
    given: dict[str, Any] = {"images": images}
    for node in session.get_inputs():
        if node.name == WINDOW:
            given[WINDOW] = no_window(images, node.shape[1:])
    return given


def features(model: bytes) -> str | None:
    """Return the name of the tensor (N, D) that the last layer reads, or None.

    The last layer is a product with fixed weights, which may be kept as integers, with nothing but fixed
    sums and factors between it and `logits`.
    """
    graph = onnx.load_from_string(model).graph
    producers = {output: node for node in graph.node for output in node.output}
    fixed = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in fixed for name in node.input if name):
            fixed.update(node.output)
    name = "logits"
    while (node := producers.get(name)) is not None:
        moving = [each for each in node.input if each and each not in fixed]
        if len(moving) != 1 or node.op_type not in (*_LINEAR, *_PASSING):
            return None
        if node.op_type in _LINEAR:
            return str(moving[0]) if node.input[0] == moving[0] else None
        name = moving[0]
    return None


def _store(graph: Any, name: str, array: np.ndarray[Any, Any]) -> None:
    """Put a parameter into a graph; one that is kept in 16 bits is widened by the graph."""
    if array.dtype != np.float16:
        graph.initializer.append(numpy_helper.from_array(array, name))
        return
    held = f"{name}_16"
    graph.initializer.append(numpy_helper.from_array(array, held))
    graph.node.append(helper.make_node("Cast", [held], [name], name=f"{name}_wide", to=TensorProto.FLOAT))


def _node(node: Node, names: dict[str, str], name: str) -> Any:
    inputs, outputs = ([names[each] for each in side] for side in (node.inputs, node.outputs))
    attributes: dict[str, Any] = dict(node.attributes)
    return helper.make_node(node.op, inputs, outputs, name=name, **attributes)
