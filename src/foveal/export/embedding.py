"""From a network, or a sealed graph, to what it makes of pictures before it decides: an `Embedder`."""

from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle import archive
from foveal.bundle.embedder import EMBEDDED, FEATURES, TAUGHT_AS, Embedder
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export import unknown
from foveal.search.whitening import Whitening

if TYPE_CHECKING:
    from torch import nn


def embedder(
    network: "nn.Module", preprocess: Preprocess, *, dimensions: int, source: str, licensed: str | None = None
) -> Embedder:
    """Return the embedder that a network without its head is.

    Args:
        network: Normalized images (N, C, H, W) to features (N, D), in eval mode.
        preprocess: What its pictures are like.
        dimensions: D.
        source: What its weights are, for people.
        licensed: License of the weights, as far as it is known.
    """
    from foveal.export.graph import graph  # here: what cuts a graph needs no torch
    from foveal.export.tracing import traced
    from foveal.tasks.recognizer import Recognizer

    quickly = traced(network, preprocess)
    if quickly is not None:
        return Embedder(cut(quickly, FEATURES, dimensions), preprocess, dimensions, source, licensed)
    numbers = tuple(map(str, range(dimensions)))
    exported = graph(Recognizer(network, FEATURES, {}, preprocess, numbers))
    return Embedder(cut(exported, "logits", dimensions), preprocess, dimensions, source, licensed)


def embedder_in(members: archive.Members, *, source: str) -> Embedder:
    """Return the embedder inside a sealed bundle: what its last layer reads.

    Of a taught bundle it is the network that was taught: what its own head reads is whitened by the pictures
    that it was taught.

    Args:
        members: Of the bundle.
        source: What it is called, for people.

    Raises:
        UsageError: `no_features`: it recognizes clips, or its last layer is not one that reads features.
    """
    manifest = members.manifest
    if manifest.model.name.startswith(TAUGHT_AS):
        named: str | None = EMBEDDED
    else:
        named = None if manifest.preprocess.clip else unknown.features(members.model)
    found = None if named is None else _width(members.model, named)
    if named is None or found is None:
        raise UsageError(
            f"{source} has no features of single pictures that something else could be learned on",
            code="no_features",
            hint="name a run, or a bundle whose network ends in a linear layer",
        )
    return Embedder(
        cut(members.model, named, found), manifest.preprocess, found, source, manifest.licenses.weights
    )


def projected(plain: Embedder, learned: Whitening, *, source: str) -> Embedder:
    """Return an embedder whose features are projected, inside its graph.

    Args:
        plain: What the projection was learned on.
        learned: Of D numbers.
        source: What it is called now, for people.
    """
    loaded = onnx.load_from_string(plain.graph)
    inner = _renamed(loaded.graph, FEATURES)
    nodes = [
        helper.make_node("LpNormalization", [inner], ["projection.unit"], axis=1, p=2),
        helper.make_node("Sub", ["projection.unit", "projection.mean"], ["projection.centred"]),
        helper.make_node("MatMul", ["projection.centred", "projection.matrix"], [FEATURES]),
    ]
    loaded.graph.node.extend(nodes)
    for name, array in (("mean", learned.mean), ("matrix", learned.matrix)):
        loaded.graph.initializer.append(numpy_helper.from_array(array, f"projection.{name}"))
    onnx.checker.check_model(loaded, full_check=True)
    graph_of = loaded.SerializeToString(deterministic=True)
    return Embedder(graph_of, plain.preprocess, plain.dimensions, source, plain.license)


def cut(model: bytes, name: str, dimensions: int) -> bytes:
    """Return the part of a graph that computes one tensor, which becomes its only output, `features`.

    Args:
        model: A serialized graph with an input `images`.
        name: Of the tensor, float32 (N, D).
        dimensions: D.
    """
    loaded = onnx.load_from_string(model)
    name = _renamed(loaded.graph, name)
    needed, kept = {name}, []
    for node in reversed(loaded.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    nodes = [*reversed(kept), helper.make_node("Identity", [name], [FEATURES], name=FEATURES)]
    batch = loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    _put(loaded.graph.node, nodes)
    _put(loaded.graph.initializer, [one for one in loaded.graph.initializer if one.name in needed])
    _put(
        loaded.graph.output,
        [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [batch or "N", dimensions])],
    )
    onnx.checker.check_model(loaded, full_check=True)
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


def _renamed(graph: Any, name: str) -> str:
    """Free the name of the output where a tensor inside has it; return how the wanted one is called then."""
    taken = {one for node in graph.node for one in (*node.input, *node.output)}
    inner = FEATURES
    while inner in taken or inner == FEATURES:
        inner += ".inner"
    for node in graph.node:
        for names in (node.input, node.output):
            for place, one in enumerate(names):
                if one == FEATURES:
                    names[place] = inner
    for held in graph.initializer:
        if held.name == FEATURES:
            held.name = inner
    return inner if name == FEATURES else name


def _put(field: Any, values: list[Any]) -> None:
    kept = [type(value).FromString(value.SerializeToString()) for value in values]  # clearing frees its own
    del field[:]
    field.extend(kept)


def _width(model: bytes, name: str) -> int | None:
    """Return D of a tensor (N, D) of a graph, or None where it is none of that shape."""
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        if value.name == name:
            dims = value.type.tensor_type.shape.dim
            return int(dims[1].dim_value) or None if len(dims) == 2 else None
    return None
