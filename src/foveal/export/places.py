"""From an embedder to one that keeps where things are: a map of its network in a grid, and in the mirror.

What a network for things makes of a picture at its end has forgotten where each part was, and much of what
tells one face from another is where its parts are. A map inside still knows: its mean in each cell of a grid
(cells overlap where their number does not divide the side of the map), over the picture and its mirror image,
is the feature here. Source: Yosinski et al., "How transferable are features in deep neural networks?", 2014,
for layers in the middle; a grid as in Lazebnik et al., "Beyond bags of features: spatial pyramid matching",
2006.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle.embedder import Embedder
from foveal.bundle.engines.onnxruntime import quiet_options
from foveal.core import extras
from foveal.export.embedding import cut

STRIDE = 16  # pixels of the picture in one of the map
MOST_DIMENSIONS = 2048  # a projection of the features holds the square of this many numbers
_GRID = 4
_PLACES = "places"


def on_places(plain: Embedder) -> Embedder | None:
    """Return the embedder of a map inside a network, or None where it has no map of stride 16.

    It sees whole pictures, not the square in their middle: what lies at the edge has its place, too.

    The map is the last one of that stride which everything after it depends on; where a network widens it
    before it goes on, the narrower one before. It becomes 4 × 4 cells, fewer where the map is so wide that
    these would be more than 2048 numbers.

    Args:
        plain: The embedder whose graph has the map.
    """
    found = _last_map(plain)
    if found is None:
        return None
    model = onnx.load_from_string(plain.graph)
    name, (channels, *sides) = found
    cells = min(_GRID, *sides, math.isqrt(MOST_DIMENSIONS // channels))
    if cells < 1:
        return None
    dimensions = channels * cells * cells
    _mirror(model.graph)
    _pool(model.graph, name, sides, cells, dimensions)
    del model.graph.value_info[:]  # those were of one picture each, not of two
    source = f"{plain.source}, in {cells} x {cells} places"
    graph = cut(model.SerializeToString(), _PLACES, dimensions)
    preprocess = plain.preprocess.model_copy(update={"resize": "whole"})
    return Embedder(graph, preprocess, dimensions, source, plain.license)


def _mirror(graph: onnx.GraphProto) -> None:
    """Let the network see all pictures, and after them their mirror images."""
    for node in graph.node:
        for place, one in enumerate(node.input):
            if one == "images":
                node.input[place] = "mirror.both"
    # From the last column to before the first, along the width of (N, H, W, C).
    steps = {"starts": [-1], "ends": [np.iinfo(np.int64).min], "axes": [2], "steps": [-1]}
    _hold(graph, {f"mirror.{part}": value for part, value in steps.items()})
    nodes = [
        helper.make_node("Slice", ["images", *(f"mirror.{part}" for part in steps)], ["mirror.images"]),
        helper.make_node("Concat", ["images", "mirror.images"], ["mirror.both"], axis=0),
    ]
    later = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *later])


def _pool(graph: onnx.GraphProto, name: str, sides: Sequence[int], cells: int, dimensions: int) -> None:
    """Average a map in each cell, and over a picture and its mirror image."""
    strides = [side // cells for side in sides]
    kernel = [side - (cells - 1) * stride for side, stride in zip(sides, strides, strict=True)]
    _hold(graph, {"places.shape": [2, -1, dimensions], "places.pair": [0]})
    graph.node.extend(
        [
            helper.make_node("AveragePool", [name], ["places.cells"], kernel_shape=kernel, strides=strides),
            helper.make_node("Reshape", ["places.cells", "places.shape"], ["places.both"]),
            helper.make_node("ReduceMean", ["places.both", "places.pair"], [_PLACES], keepdims=0),
        ]
    )


def _hold(graph: onnx.GraphProto, values: Mapping[str, Sequence[int]]) -> None:
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), name) for name, value in values.items()
    )


def _last_map(plain: Embedder) -> tuple[str, tuple[int, int, int]] | None:
    """Return name and (C, H, W) of the map, or None where there is none."""
    wanted = math.ceil(plain.preprocess.size / STRIDE)
    found: tuple[str, tuple[int, int, int]] | None = None
    for name, shape in reversed(_shapes(plain)):
        if len(shape) != 3 or shape[1:] != (wanted, wanted):
            if found is not None:
                break
            continue
        if found is not None and shape[0] > found[1][0]:
            break  # a wider one, inside a block before
        if found is None or shape[0] < found[1][0]:
            found = name, (shape[0], wanted, wanted)
    return found


def _shapes(plain: Embedder) -> list[tuple[str, tuple[int, ...]]]:
    """Return name and shape, without the number of pictures, of the tensors that all depends on, in order.

    The shapes are those of a picture that is sent through: how far a network pads may be found on the way.
    Integers, as of a quantized graph, are passed over: their means are not what they stand for.
    """
    model = onnx.load_from_string(plain.graph)
    typed = onnx.shape_inference.infer_shapes(model).graph
    reals = {one.name for one in typed.value_info if one.type.tensor_type.elem_type == TensorProto.FLOAT}
    names = [name for name in _passages(model.graph) if name in reals]
    float_ones = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    model.graph.output.extend(float_ones)
    session = extras.onnxruntime().InferenceSession(
        model.SerializeToString(), quiet_options(1), providers=["CPUExecutionProvider"]
    )
    images = np.zeros((1, *plain.preprocess.shape), np.uint8)
    found = session.run(list(names), {"images": images})
    return [(name, array.shape[1:]) for name, array in zip(names, found, strict=True)]


def _passages(graph: onnx.GraphProto) -> list[str]:
    """Return the tensors through which everything goes that the output learns of the input, in order."""
    left = Counter(name for node in graph.node for name in node.input)
    alive: set[str] = {graph.input[0].name}
    passages: list[str] = []
    for node in graph.node:
        seen = alive.intersection(node.input)
        left.subtract(node.input)
        made = node.output if seen and node.op_type != "Shape" else ()  # a shape tells nothing of a picture
        alive = {name for name in (*alive, *made) if left[name] > 0}
        if seen and len(alive) == 1:
            passages.extend(alive)
    return list(dict.fromkeys(passages))
