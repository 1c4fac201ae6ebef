"""Padding of the picture's own bytes, so that the first convolution can read them without normalization.

A convolution that pads puts 0 around what it reads. Behind a normalization that is the mean of each channel;
in front of it, it is black. So the mean, as the nearest of 256 levels, is put around the bytes themselves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from foveal.optimize.graphs.net import Net, attribute

_NAME = "border"  # begins the names of all nodes here


def pads(conv: Any) -> tuple[int, int, int, int] | None:
    """Return the rows above, columns left, rows below and columns right that a convolution pads.

    None where the file leaves that to the engine.
    """
    if attribute(conv, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return None
    top, left, bottom, right = attribute(conv, "pads", (0, 0, 0, 0))
    return top, left, bottom, right


def pad_bytes(net: Net, planes: str, conv: Any, levels: NDArray[np.uint8]) -> str:
    """Take the padding from a convolution and put it around the bytes; return the name of what comes out.

    Half a level is lost at most, and only in the border: 8-bit integers that hold normalized pixels lose as
    much everywhere.

    Args:
        net: Is changed.
        planes: Tensor of bytes (N, C, H, W), H and W known.
        conv: Pads nothing from now on.
        levels: The byte that stands for 0 behind the normalization, uint8 (C,).
    """
    around = pads(conv)
    if around is None or not any(around):
        return planes
    top, left, bottom, right = around
    channels, height, width = (side or 0 for side in net.shapes()[planes][1:])
    level = net.add_constant(f"{_NAME}.level", levels.reshape(1, -1, 1, 1))
    nodes = [helper.make_node("Shape", ["images"], [f"{_NAME}.count"], name=f"{_NAME}.count", start=0, end=1)]

    def block(name: str, *shape: int) -> list[str]:
        if 0 in shape:
            return []
        rest = net.add_constant(f"{_NAME}.{name}.rest", np.array(shape, np.int64))
        whole, filled = f"{_NAME}.{name}.shape", f"{_NAME}.{name}"
        nodes.append(helper.make_node("Concat", [f"{_NAME}.count", rest], [whole], name=whole, axis=0))
        nodes.append(helper.make_node("Expand", [level, whole], [filled], name=filled))
        return [filled]

    def joined(name: str, parts: list[str], axis: int) -> str:
        if len(parts) > 1:
            nodes.append(helper.make_node("Concat", parts, [name], name=name, axis=axis))
        return name if len(parts) > 1 else parts[0]

    above, below = block("above", channels, top, width), block("below", channels, bottom, width)
    tall = joined(f"{_NAME}.rows", [*above, planes, *below], 2)
    before, after = (
        block(name, channels, height + top + bottom, columns)
        for name, columns in (("left", left), ("right", right))
    )
    padded = joined(f"{_NAME}.picture", [*before, tall, *after], 3)
    net.insert_behind(net.producer(planes), *nodes)
    next(a for a in conv.attribute if a.name == "pads").ints[:] = [0, 0, 0, 0]
    return padded


def belongs_to_border(node: Any) -> bool:
    """Return whether a node only puts the border around the bytes."""
    return bool(node.name.startswith(f"{_NAME}."))
