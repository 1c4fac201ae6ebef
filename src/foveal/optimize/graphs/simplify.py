"""The same float graph with fewer operators, shaped so that integers can run through it."""

from typing import Any

import numpy as np
from onnx import helper

from foveal.optimize.graphs.border import pad_bytes, pads
from foveal.optimize.graphs.net import Net, attribute

_MOVES_ONLY = {"Reshape", "Gather", "Squeeze", "Unsqueeze", "Flatten", "Identity"}
CAST = "cast"  # name of the node that makes numbers of the bytes
CENTERING = "centering"  # name of the node that takes one grey level from all of them
# How pixels become numbers; graphs of earlier versions transpose last.
_ORDERS = (["Transpose", "Cast", "Sub", "Mul"], ["Cast", "Sub", "Mul", "Transpose"])
_GROWING = {"Relu", "Clip"}  # never fall where their input rises: a maximum may be taken before or after


def simplified(model: bytes) -> bytes:
    """Return a graph with the same answers up to rounding, without what keeps integers out.

    - Normalization becomes a part of the first convolution, which then reads the bytes of the picture; what
      it padded is put around these before. Where that cannot be, it becomes a 1×1 depthwise convolution.
    - Batch norm is folded into the convolution in front of it, also through a maximum between them, or into
      both whose sum it is of; where that cannot be, it becomes a 1×1 depthwise convolution.
    - Means and maxima over a whole map become pooling operators, for which there are integer kernels.
    - What only moves numbers around between the last map and the classifier becomes one Flatten.
    - A constant factor on the logits goes into the weights of the classifier.

    Args:
        model: As `export.graph.graph` makes it.
    """
    net = Net(model)
    _name_each(net)
    _pool_whole_maps(net)
    _flatten_once(net)
    net.drop_unread()
    _scale_classifier(net)
    _normalize_by_convolution(net)
    _activate_before_maximum(net)
    _fold_norms(net)
    _activate_before_maximum(net)
    _fold_normalization(net)
    return net.to_bytes()


def _name_each(net: Net) -> None:
    """Give every node a name of its own: what stays in float is told by names, and files may lack them."""
    seen: set[str] = set()
    for node in net.nodes:
        if not node.name or node.name in seen:
            node.name = f"node_{node.output[0]}"
        seen.add(node.name)


def _pool_whole_maps(net: Net) -> None:
    shapes = net.shapes()
    for node in list(net.nodes):
        if node.op_type not in ("ReduceMean", "ReduceMax") or len(node.input) < 2:
            continue
        shape, axes = shapes.get(node.input[0], ()), net.constants.get(node.input[1])
        if axes is None or len(shape) != 4 or {int(a) % 4 for a in axes} != {2, 3} or None in shape[1:]:
            continue
        pooled = node.output[0] if attribute(node, "keepdims", 1) else net.free(f"{node.output[0]}_pooled")
        if node.op_type == "ReduceMean":
            pool = helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], name=node.name)
        else:
            pool = helper.make_node(
                "MaxPool", [node.input[0]], [pooled], name=node.name, kernel_shape=shape[2:]
            )
        flat = helper.make_node("Flatten", [pooled], [node.output[0]], name=f"{node.name}_flat", axis=1)
        net.replace(node, *([pool] if pooled == node.output[0] else [pool, flat]))


def _flatten_once(net: Net) -> None:
    """Replace what lies between a pooled map (N, C, 1, 1) and a classifier that takes (N, C)."""
    shapes = net.shapes()
    for gemm in [node for node in net.nodes if node.op_type == "Gemm"]:
        source, between = gemm.input[0], []
        while (node := net.producer(source)) is not None and node.op_type in _MOVES_ONLY:
            source = node.input[0]
            between.append(node.op_type)
        before, weights = shapes.get(source, ()), net.constants.get(gemm.input[1])
        if between in ([], ["Flatten"]) or weights is None or len(before) != 4 or before[2:] != (1, 1):
            continue
        if before[1] == weights.shape[1 if attribute(gemm, "transB", 0) else 0]:
            flat = net.free(f"{source}_flat")
            net.insert_behind(
                net.producer(source), helper.make_node("Flatten", [source], [flat], name=flat, axis=1)
            )
            net.redirect(gemm.input[0], flat, readers=[gemm])


def _scale_classifier(net: Net) -> None:
    for node in list(net.nodes):
        if node.op_type != "Div" or list(node.output) != ["logits"]:
            continue
        gemm, factor = net.producer(node.input[0]), net.constants.get(node.input[1])
        if gemm is None or gemm.op_type != "Gemm" or factor is None or factor.size != 1:
            continue
        if net.only_consumer(gemm.output[0]) is node and all(n in net.constants for n in gemm.input[1:]):
            for place, name in enumerate(gemm.input[1:], start=1):
                gemm.input[place] = net.add_constant(f"{name}_scaled", net.constants[name] / factor)
            gemm.output[0] = node.output[0]
            net.nodes.remove(node)


def _normalize_by_convolution(net: Net) -> None:
    """Transpose, cast, subtract and multiply become: transpose bytes, cast, one number per channel."""
    found = next((chain for order in _ORDERS if (chain := _chain(net, "images", order))), None)
    if found is None:
        return
    by_kind = {node.op_type: node for node in found}
    mean, scale = (net.constants.get(by_kind[kind].input[1]) for kind in ("Sub", "Mul"))
    if list(attribute(by_kind["Transpose"], "perm")) != [0, 3, 1, 2] or mean is None or scale is None:
        return
    planes, pixels = net.free("planes"), net.free("pixels")
    mean, scale = np.broadcast_arrays(mean.reshape(-1).astype(np.float64), scale.reshape(-1))
    names = [
        net.add_constant("normalization.weight", scale.astype(np.float32).reshape(-1, 1, 1, 1)),
        net.add_constant("normalization.bias", (-mean * scale).astype(np.float32)),
    ]
    for node in found[1:]:
        net.nodes.remove(node)
    net.replace(
        found[0],
        helper.make_node("Transpose", ["images"], [planes], name="transposition", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [planes], [pixels], name=CAST, to=1),
        _by_channel("normalization", pixels, found[-1].output[0], names, len(scale)),
    )


def _chain(net: Net, name: str, operators: list[str]) -> list[Any] | None:
    """Return the nodes of these operators, each the only reader of the one before, or None."""
    found = []
    for operator in operators:
        node = net.only_consumer(name)
        if node is None or node.op_type != operator:
            return None
        found.append(node)
        name = node.output[0]
    return found


def _by_channel(name: str, source: str, target: str, constants: list[str], channels: int) -> Any:
    return helper.make_node(
        "Conv", [source, *constants], [target], name=name, group=channels, kernel_shape=[1, 1]
    )


def _activate_before_maximum(net: Net) -> None:
    """Turn maximum, then ReLU into ReLU, then maximum: the convolution in front absorbs the ReLU."""
    for node in list(net.nodes):
        pool = net.producer(node.input[0]) if node.op_type in _GROWING else None
        if pool is None or pool.op_type != "MaxPool" or net.only_consumer(pool.output[0]) is not node:
            continue
        source, between, target = pool.input[0], pool.output[0], node.output[0]
        net.nodes.remove(pool)
        net.insert_behind(node, pool)
        node.input[0], node.output[0] = source, between
        pool.input[0], pool.output[0] = between, target


def _fold_norms(net: Net) -> None:
    for node in [n for n in net.nodes if n.op_type == "BatchNormalization"]:
        arrays = [net.constants[name].astype(np.float64) for name in node.input[1:5]]
        scale = arrays[0] / np.sqrt(arrays[3] + attribute(node, "epsilon", 1e-5))
        shift = arrays[1] - arrays[2] * scale
        before, name = net.producer(node.input[0]), node.input[0]
        if before is not None and before.op_type == "MaxPool" and (scale > 0).all():
            before, name = net.producer(before.input[0]), before.input[0]
            inside = net.only_consumer(name) is net.producer(node.input[0])
            inside = inside and net.only_consumer(node.input[0]) is node
        else:
            inside = net.only_consumer(name) is node
        summed = _summed(net, node)
        if before is not None and before.op_type == "Conv" and inside and before.input[1] in net.constants:
            _absorb(net, before, scale, shift)
            net.redirect(node.output[0], node.input[0])
            net.nodes.remove(node)
        elif summed:
            for place, conv in enumerate(summed):
                _absorb(net, conv, scale, shift if place == 0 else np.zeros_like(shift))
            net.redirect(node.output[0], node.input[0])
            net.nodes.remove(node)
        else:
            names = [
                net.add_constant(f"{node.name}.weight", scale.astype(np.float32).reshape(-1, 1, 1, 1)),
                net.add_constant(f"{node.name}.bias", shift.astype(np.float32)),
            ]
            net.replace(node, _by_channel(node.name, node.input[0], node.output[0], names, len(scale)))


def _summed(net: Net, norm: Any) -> list[Any]:
    """Return the convolutions whose sum a norm is of, and nothing else reads; none where it is of another.

    Enlarging by repetition may lie between: it changes no number.
    """
    add, found = net.producer(norm.input[0]), []
    if add is None or add.op_type != "Add" or net.only_consumer(norm.input[0]) is not norm:
        return []
    for name in add.input:
        reader, node = add, net.producer(name)
        while (
            node is not None
            and node.op_type == "Resize"
            and attribute(node, "mode", b"nearest") == b"nearest"
        ):
            if net.only_consumer(node.output[0]) is not reader:
                return []
            reader, node = node, net.producer(node.input[0])
        conv = node is not None and node.op_type == "Conv" and node.input[1] in net.constants
        if node is None or not conv or net.only_consumer(node.output[0]) is not reader:
            return []
        found.append(node)
    return found


def _absorb(net: Net, conv: Any, scale: Any, shift: Any) -> None:
    """Let a convolution also do y ↦ scale · y + shift, one number per output channel."""
    weights = net.constants[conv.input[1]]
    bias = net.constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weights))
    new = (weights * scale.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.float32)
    _set_weights(net, conv, new, (bias * scale + shift).astype(np.float32))


def _set_weights(net: Net, conv: Any, weights: Any, bias: Any) -> None:
    names = [conv.input[0], net.add_constant(f"{conv.input[1]}_folded", weights)]
    names.append(net.add_constant(f"{names[1]}_bias", bias))
    del conv.input[:]
    conv.input.extend(names)


def _fold_normalization(net: Net) -> None:
    """Let the first convolution normalize, if it mixes all channels.

    It is given pixels from which one whole grey level is taken, which an integer's zero can say. Without
    that, rounded weights would let a picture's mean brightness through where they should sum to 0.
    """
    node = next((n for n in net.nodes if n.name == "normalization" and n.op_type == "Conv"), None)
    conv = None if node is None else net.only_consumer(node.output[0])
    if node is None or conv is None or conv.op_type != "Conv" or conv.input[1] not in net.constants:
        return
    if pads(conv) is None or attribute(conv, "group", 1) != 1:
        return
    scale = net.constants[node.input[1]].reshape(1, -1, 1, 1).astype(np.float64)
    shift = net.constants[node.input[2]].reshape(1, -1, 1, 1).astype(np.float64)
    weights = net.constants[conv.input[1]]
    bias = net.constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weights))
    levels = np.rint(-shift / scale)
    cast, center = net.producer(node.input[0]), np.rint(levels.mean())
    sides = net.shapes().get(cast.input[0], (None,))
    if levels.min() < 0 or levels.max() > 255 or None in sides[1:]:
        return  # no byte stands for the mean, or nobody knows how long the border is
    cast.input[0] = pad_bytes(net, cast.input[0], conv, levels.astype(np.uint8))
    pixels = net.free("centered")
    middle = net.add_constant("center", np.asarray(center, np.float32))
    net.replace(node, helper.make_node("Sub", [node.input[0], middle], [pixels], name=CENTERING))
    conv.input[0] = pixels
    bias = bias + (weights * (shift + center * scale)).sum(axis=(1, 2, 3))
    _set_weights(net, conv, (weights * scale).astype(np.float32), bias.astype(np.float32))
