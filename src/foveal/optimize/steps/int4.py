"""Weights in 4 bits: a file of about a seventh of the bytes, computing in float as before.

It saves what is stored and sent. Nothing gets faster by it, for there are no 4-bit kernels for convolutions:
OpenVINO turns the weights back into floats once, ONNX Runtime at every call, which takes two to four times as
long, unless its session is told `session.disable_quant_qdq`.
"""

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from onnx import helper

from foveal.core.errors import UsageError
from foveal.optimize.graphs.net import Net

BLOCK = 64  # weights that share a scale: 4.5 bits each
_OPSET = 21  # the first one that knows INT4 and blocks
_LARGEST = 7
_SMALLEST = 1024  # weights of a layer: below, its bytes do not count, and first layers are sensitive
_SHORTEST = 8  # weights of a block
_CLIPS = np.linspace(0.6, 1.0, 17)  # of a block's largest weight, where 4 bits may end


def int4(model: bytes, *, block: int = BLOCK) -> bytes:
    """Return the graph with the weights of convolutions and linear layers in 4 bits.

    Each block of weights of an output has a scale of its own, symmetric; where it clips is chosen by the
    smallest squared error. Standard ONNX: INT4 and `DequantizeLinear` with `block_size`.

    Args:
        model: A float graph as `export.graph.graph` makes it.
        block: Weights along the inputs that share a scale, ≥ 2.

    Raises:
        UsageError: A block of less than 2.
    """
    if block < 2:
        raise UsageError(f"a block has two weights or more; got {block}", hint=f"block={BLOCK}")
    net = Net(model)
    for node in list(net.nodes):
        name = node.input[1] if node.op_type in ("Conv", "Gemm") else ""
        weight = net.constants.get(name)
        if weight is not None and weight.dtype == np.float32 and weight.size >= _SMALLEST:
            _restore(net, name, weight, block)
    return net.to_bytes(opset=_OPSET)


def _restore(net: Net, name: str, weight: NDArray[np.float32], block: int) -> None:
    """Let the float weight be worked out from integers when the graph is loaded or run."""
    rows = weight.reshape(len(weight), -1)
    integers, scales = rounded(rows, block)
    inputs = [
        net.add_constant(f"{name}_int4", integers.astype(ml_dtypes.int4)),
        net.add_constant(f"{name}_scale", scales),
    ]
    flat, back = net.free(f"{name}_rows"), net.free(f"{name}_restored")
    size = -(-rows.shape[1] // scales.shape[1])
    nodes = [helper.make_node("DequantizeLinear", inputs, [flat], name=flat, axis=1, block_size=size)]
    if rows.shape == weight.shape:
        nodes[0].output[0] = back
    else:
        shape = net.add_constant(f"{name}_shape", np.array(weight.shape, np.int64))
        nodes.append(helper.make_node("Reshape", [flat, shape], [back], name=back))
    net.redirect(name, back)
    net.insert_behind(None, *nodes)


def rounded(rows: NDArray[np.float32], block: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return integers in [-7, 7] of the same shape (O, I), and scales (O, blocks).

    Blocks are equally long, as OpenVINO demands: the largest divisor of I up to `block`; where there is none
    of 8 or more, a row is one block.
    """
    outputs, inputs = rows.shape
    size = max(divisor for divisor in range(1, min(block, inputs) + 1) if inputs % divisor == 0)
    if size < min(_SHORTEST, block):
        size = inputs
    blocks = rows.reshape(outputs, -1, size)
    largest = np.maximum(np.abs(blocks).max(axis=2, keepdims=True), 1e-12)
    best = np.full(largest.shape, np.inf, np.float32)
    scales = largest / _LARGEST
    for clip in _CLIPS:
        tried = (largest * np.float32(clip) / _LARGEST).astype(np.float32)
        error = np.square(blocks - _nearest(blocks, tried) * tried).sum(axis=2, keepdims=True)
        scales, best = np.where(error < best, tried, scales), np.minimum(error, best)
    integers = _nearest(blocks, scales).reshape(rows.shape).astype(np.int8)
    return integers, scales[:, :, 0].astype(np.float32)


def _nearest(blocks: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    nearest: NDArray[np.float32] = np.clip(np.rint(blocks / scales), -_LARGEST, _LARGEST)
    return nearest
