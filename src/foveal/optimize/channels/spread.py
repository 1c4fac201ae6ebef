"""How channels run through a network: one rule per operation of the traced graph.

Every tensor is described by *which channel lies at each position of its channel axis* (`Lay`). Layers make
new channels; sums of two tensors make two channels one; whatever has no rule here freezes the channels that
enter it, and those that leave it are never touched. The idea that a removal spreads along dependencies, and
that coupled layers form groups, is that of Fang et al., "DepGraph: Towards Any Structural Pruning", 2023.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from foveal.optimize.channels.group import Positions, Role

_FROZEN = 0  # the channel that all frozen ones are one with


@dataclass(frozen=True, eq=False)
class Lay:
    """Where channels lie in a tensor.

    Attributes:
        axis: Counted from the front.
        channels: The channel at each position along it, int64.
    """

    axis: int
    channels: Positions


class Channels:
    """All channels of a network and which of them are one (union-find; Tarjan, 1975)."""

    def __init__(self) -> None:
        self._parent = [_FROZEN]
        # (module, axis of its weight) → the channel at each position, and what the layer does with them.
        self.places: dict[tuple[str, int], tuple[Role, Positions]] = {}

    def new(self, count: int) -> Positions:
        """Return channels that are nowhere yet."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return np.arange(start, start + count)

    def root(self, channel: int) -> int:
        """Return the one channel that stands for all that are one with it."""
        parent = self._parent
        while parent[channel] != channel:
            parent[channel] = parent[parent[channel]]
            channel = parent[channel]
        return channel

    def unite(self, some: Positions, others: Positions) -> None:
        """Make channels one, position by position; the frozen one always stands for its set."""
        for one, other in zip(some.tolist(), others.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._parent[high] = low

    def freeze(self, channels: Positions) -> None:
        """Never remove these."""
        self.unite(channels, _frozen(len(channels)))

    def put(self, module: str, role: Role, axis: int, channels: Positions) -> None:
        """Say that a layer holds channels; if it did before (a layer that runs twice), they are one."""
        before = self.places.setdefault((module, axis), (role, channels))[1]
        self.unite(before, channels)

    def live(self, channels: Positions) -> Positions:
        """Return the channel that stands for each; frozen ones are 0."""
        return np.array([self.root(channel) for channel in channels.tolist()], np.int64)


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of the graph.

    Attributes:
        node: The call.
        lays: Of the tensors before it, by node; a tensor without one holds nothing that may be removed.
        channels: Of the whole network; rules unite and freeze there.
        layer: Name and module of the layer whose weights it takes, if it may be cut.
    """

    node: fx.Node
    lays: dict[fx.Node, Lay]
    channels: Channels
    layer: tuple[str, Any] | None

    @property
    def source(self) -> Lay | None:
        """Of the first argument."""
        first = self.node.args[0]
        return self.lays.get(first) if isinstance(first, fx.Node) else None

    def argument(self, index: int, default: Any = None) -> Any:
        """Return a positional argument, or what it is if left out."""
        return self.node.args[index] if len(self.node.args) > index else default


Rule = Callable[[Step], Lay | None]


def shape(node: Any) -> tuple[int, ...]:
    """Return the shape that the tracer saw."""
    return tuple(int(extent) for extent in node.meta["val"].shape)


def unknown(step: Step) -> Lay | None:
    """Freeze whatever enters, and the layer that takes it; what leaves is nobody's."""
    if step.layer is not None:
        _rest(step.layer, step.channels)
    for node in step.node.all_input_nodes:
        if node in step.lays:
            step.channels.freeze(step.lays[node].channels)
    return None


def _rest(layer: tuple[str, Any], channels: Channels) -> None:
    """Freeze what a layer reads: it runs, this once, on channels that nobody may remove."""
    name, module = layer
    if isinstance(module, nn.BatchNorm2d):
        channels.put(name, "scales", 0, _frozen(module.num_features))
    elif is_depthwise(module):
        channels.put(name, "makes", 0, _frozen(module.out_channels))
    else:
        channels.put(name, "reads", 1, _frozen(module.weight.shape[1]))


def _frozen(count: int) -> Positions:
    return np.full(count, _FROZEN)


def _same(step: Step) -> Lay | None:
    """Each value depends on its own position only, or on others of its channel's plane."""
    return step.source


def _plane(step: Step) -> Lay | None:
    """Pooling: over the last two axes."""
    if step.source is not None and step.source.axis != len(shape(step.node.args[0])) - 3:
        return unknown(step)
    return step.source


def _pad(step: Step) -> Lay | None:
    lay = step.source
    if lay is not None and len(step.node.args[1]) // 2 >= len(shape(step.node)) - lay.axis:  # type: ignore[arg-type]
        return unknown(step)
    return lay


def _pointwise(step: Step) -> Lay | None:
    """Sum or product of two tensors, with broadcasting: the axis is counted from the back."""
    found = [(node, step.lays[node]) for node in step.node.all_input_nodes if node in step.lays]
    if not found:
        return None
    axes = {lay.axis - len(shape(node)) for node, lay in found}
    if len(axes) > 1:
        return unknown(step)
    (axis,) = axes
    extent = shape(step.node)[axis]
    for node in step.node.all_input_nodes:
        other = shape(node)
        spans = len(other) >= -axis and other[axis] > 1
        if node not in step.lays and spans:  # values of their own for each channel: a table, a frozen tensor
            return unknown(step)
        if node in step.lays and not spans and extent > 1:  # one plane for all channels
            step.channels.freeze(step.lays[node].channels)
    whole = [lay.channels for _, lay in found if len(lay.channels) == extent]
    if not whole:
        return unknown(step)
    for channels in whole[1:]:
        step.channels.unite(whole[0], channels)
    return Lay(axis + len(shape(step.node)), whole[0])


def _reduce(step: Step) -> Lay | None:
    """Mean or maximum over axes."""
    lay, extents = step.source, shape(step.node.args[0])
    if lay is None:
        return None
    axes = step.argument(1)
    if axes is None or isinstance(axes, fx.Node):
        return unknown(step)
    gone = {axis % len(extents) for axis in ([axes] if isinstance(axes, int) else axes)}
    if lay.axis in gone or not gone:
        return unknown(step)
    kept = bool(step.argument(2, False))
    return Lay(lay.axis - (0 if kept else sum(axis < lay.axis for axis in gone)), lay.channels)


def _cat(step: Step) -> Lay | None:
    nodes: Any = step.node.args[0]
    found = [step.lays[node] for node in nodes if node in step.lays]
    axes = {lay.axis for lay in found}
    if len(axes) != 1:
        return unknown(step)
    (axis,) = axes
    if int(step.argument(1, 0)) % len(shape(step.node)) == axis:
        parts = [step.lays[n].channels if n in step.lays else _frozen(shape(n)[axis]) for n in nodes]
        return Lay(axis, np.concatenate(parts))
    if len(found) < len(nodes):
        return unknown(step)
    for lay in found[1:]:
        step.channels.unite(found[0].channels, lay.channels)
    return found[0]


def _flatten(step: Step) -> Lay | None:
    """A channel becomes as many neighbours as its plane has values."""
    lay, extents = step.source, shape(step.node.args[0])
    if lay is None:
        return None
    start, end = (int(step.argument(i, d)) % len(extents) for i, d in ((1, 0), (2, -1)))
    if lay.axis < start:
        return lay
    if lay.axis > end:
        return Lay(lay.axis - (end - start), lay.channels)
    if any(extent > 1 for extent in extents[start : lay.axis]):
        return unknown(step)
    return Lay(start, np.repeat(lay.channels, int(np.prod(extents[lay.axis + 1 : end + 1]))))


def _permute(step: Step) -> Lay | None:
    lay = step.source
    if lay is None:
        return None
    order: Any = step.node.args[1]
    return Lay([axis % len(order) for axis in order].index(lay.axis), lay.channels)


def is_depthwise(module: nn.Module) -> bool:
    """Return whether each filter of a layer looks at one channel only, of several."""
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1


def _convolve(step: Step) -> Lay | None:
    if step.layer is None or not isinstance(step.layer[1], nn.Conv2d):
        return unknown(step)
    name, module = step.layer
    axis = len(shape(step.node)) - 3
    read = _read(step, axis)
    groups = module.groups
    if is_depthwise(module):
        if read is None:
            return unknown(step)
        # Each filter looks at one channel and goes with it.
        passed = np.repeat(read, module.out_channels // groups)
        step.channels.put(name, "makes", 0, passed)
        return Lay(axis, passed)
    made = step.channels.new(module.out_channels // groups)
    if read is None:
        unknown(step)
    else:
        # Groups stay equally wide if each loses the channel at the same place.
        rows = read.reshape(groups, -1)
        for row in rows[1:]:
            step.channels.unite(rows[0], row)
        step.channels.put(name, "reads", 1, rows[0])
    made = np.tile(made, groups)
    step.channels.put(name, "makes", 0, made)
    return Lay(axis, made)


def _linear(step: Step) -> Lay | None:
    if step.layer is None or not isinstance(step.layer[1], nn.Linear):
        return unknown(step)
    name, module = step.layer
    axis = len(shape(step.node)) - 1
    read = _read(step, axis)
    if read is None:
        unknown(step)
    else:
        step.channels.put(name, "reads", 1, read)
    made = step.channels.new(module.out_features)
    step.channels.put(name, "makes", 0, made)
    return Lay(axis, made)


def _read(step: Step, axis: int) -> Positions | None:
    """Return the channels that a layer sums over, if they lie along the axis over which it does."""
    lay = step.source
    return lay.channels if lay is not None and lay.axis == axis else None


def _batch_norm(step: Step) -> Lay | None:
    lay = step.source
    if lay is None or lay.axis != 1 or step.layer is None or not isinstance(step.layer[1], nn.BatchNorm2d):
        return unknown(step)
    step.channels.put(step.layer[0], "scales", 0, lay.channels)
    return lay


def _operators(rule: Rule, *names: str) -> dict[Any, Rule]:
    return {getattr(getattr(torch.ops.aten, n.split(".")[0]), n.split(".")[1]): rule for n in names}


LAYERS = _operators(_convolve, "conv2d.default", "conv2d.padding")
LAYERS |= _operators(_linear, "linear.default") | _operators(_batch_norm, "batch_norm.default")

_ACTIVATIONS = (
    *("relu", "relu6", "hardtanh", "silu", "sigmoid", "hardsigmoid", "hardswish", "gelu", "elu"),
    *("leaky_relu", "tanh", "mish", "softplus", "abs", "dropout", "feature_dropout"),
)
_IN_PLACE = (
    *("relu_", "relu6_", "hardtanh_", "silu_", "sigmoid_", "hardsigmoid_", "hardswish_", "elu_"),
    *("leaky_relu_", "tanh_", "mish_", "dropout_"),
)
RULES: dict[Any, Rule] = {
    **LAYERS,
    **_operators(_same, *(f"{name}.default" for name in (*_ACTIVATIONS, *_IN_PLACE))),
    **_operators(_same, "contiguous.default", "clone.default", "alias.default", "detach.default"),
    **_operators(_plane, "max_pool2d.default", "avg_pool2d.default", "adaptive_avg_pool2d.default"),
    **_operators(_plane, "upsample_nearest2d.vec", "upsample_bilinear2d.vec"),
    **_operators(_pad, "pad.default"),
    **_operators(_pointwise, "add.Tensor", "add_.Tensor", "sub.Tensor", "mul.Tensor", "mul_.Tensor"),
    **_operators(_pointwise, "div.Tensor", "div_.Tensor", "add.Scalar", "mul.Scalar"),
    **_operators(_reduce, "mean.dim", "amax.default"),
    **_operators(_cat, "cat.default"),
    **_operators(_flatten, "flatten.using_ints"),
    **_operators(_permute, "permute.default"),
}
