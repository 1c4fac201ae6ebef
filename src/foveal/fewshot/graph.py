"""A head behind an embedder as one ONNX graph: no network is exported again."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle.embedder import EMBEDDED, FEATURES, Embedder
from foveal.calibrate.unknowns._score import SMALLEST, Score
from foveal.calibrate.unknowns.knn import _NODES, _compute
from foveal.export.unknown import with_unknown
from foveal.fewshot.cross_fitting import Fitted
from foveal.fewshot.deciding import UNKNOWN

_BACKBONE, _HEAD = "backbone/", "head/"  # of names: what was there, and what is put behind it
_OURS = ("logits", "probabilities", "scaled", "temperature", EMBEDDED)


def graph(embedder: Embedder, learned: Fitted, *, temperature: float) -> bytes:
    """Return a classifier: input `images`, outputs `probabilities`, `logits` and `unknown`.

    Args:
        embedder: From pictures to features.
        learned: What follows them.
        temperature: T above 0.
    """
    model = onnx.load_from_string(embedder.graph)
    _set_apart(model.graph)
    weight, bias = learned.head.weight, learned.head.bias
    fixed: dict[str, NDArray[Any]] = {
        "smallest": np.array(SMALLEST), "axis": np.array([1], np.int64),
        "middle": learned.space.middle, "whitening": learned.space.whitening,
        "weight": weight, "bias": bias,
    }  # fmt: skip
    for name, array in fixed.items():
        _store(model.graph, _HEAD + name, array)
    _store(model.graph, "temperature", np.array(temperature))
    read = "coordinates"
    steps = [*_unit(EMBEDDED, "unit"), ("Sub", ["unit", "middle"], "moved")]
    steps += [("MatMul", ["moved", "whitening"], "coordinates")]
    if learned.head.normalized:
        steps += _unit("coordinates", "direction")
        read = "direction"
    steps += [("MatMul", [read, "weight"], "products"), ("Add", ["products", "bias"], "logits")]
    for op, inputs, output in steps:
        keep: dict[str, Any] = {"keepdims": 1} if op == "ReduceL2" else {}
        names = [name if name in _OURS else _HEAD + name for name in (*inputs, output)]
        model.graph.node.append(
            helper.make_node(op, names[:-1], names[-1:], name=f"{_HEAD}{output}_{op.lower()}", **keep)
        )
    model.graph.node.extend(
        [
            helper.make_node("Div", ["logits", "temperature"], ["scaled"], name="temperature_scaling"),
            helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1, name="softmax"),
        ]
    )
    _answer(model.graph, classes=len(bias), dimensions=embedder.dimensions)
    onnx.checker.check_model(model, full_check=True)
    return with_unknown(model.SerializeToString(deterministic=True), _score(learned))


def _score(learned: Fitted) -> Score:
    """Return how unknown a picture is: 1 - the cosine to the nearest class mean, in the whitened space."""
    parameters = {"bank": learned.bank.astype(np.float32), "smallest": np.array(SMALLEST)}
    return Score(UNKNOWN, parameters, _NODES, _compute)


def _unit(read: str, written: str) -> list[tuple[str, list[str], str]]:
    length, divisor = f"{written}_length", f"{written}_divisor"
    return [
        ("ReduceL2", [read, "axis"], length),
        ("Max", [length, "smallest"], divisor),
        ("Div", [read, divisor], written),
    ]


def _set_apart(inside: Any) -> None:
    """Rename the features, and what would be taken for ours; a last node that only names them is dropped."""
    last, features = inside.node[-1], FEATURES
    if last.op_type == "Identity" and list(last.output) == [FEATURES]:
        features = last.input[0]
        del inside.node[-1]
    renamed = {name: _BACKBONE + name for name in _OURS} | {features: EMBEDDED}
    for node in inside.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    for value in (*inside.initializer, *inside.value_info):
        value.name = renamed.get(value.name, value.name)


def _answer(inside: Any, *, classes: int, dimensions: int) -> None:
    """Name the outputs, and say how wide the features are: `embedder_in` finds them again."""
    batch = inside.output[0].type.tensor_type.shape.dim[0].dim_param or "N"
    for said in [value for value in inside.value_info if value.name == EMBEDDED]:
        inside.value_info.remove(said)
    inside.value_info.append(helper.make_tensor_value_info(EMBEDDED, TensorProto.FLOAT, [batch, dimensions]))
    del inside.output[:]
    for name in ("probabilities", "logits"):
        inside.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes]))


def _store(inside: Any, name: str, array: NDArray[Any]) -> None:
    kept = array if array.dtype == np.int64 else array.astype(np.float32)
    inside.initializer.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
