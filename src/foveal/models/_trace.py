"""Follow one forward pass: which layers there are, what each reads and writes, what lives at the same time.

Tensors are told apart by their storage, so a view of a map is that map, and so is what was changed in place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, shape_wrapper

KINDS = ("convolution", "pointwise", "depthwise", "linear", "other")
_ATEN: Any = torch.ops.aten
_CONVOLUTIONS = (_ATEN.convolution, _ATEN._convolution)
# What changes single values, or channels by a factor and a shift, and is not marked so by torch.
_ALSO_POINTWISE = (
    *(_ATEN.native_batch_norm, _ATEN._native_batch_norm_legit, _ATEN._native_batch_norm_legit_no_training),
    *(_ATEN.hardswish, _ATEN.hardswish_, _ATEN._to_copy),
)


def _recurrent_flops(rows: Any, inward: Any, onward: Any, *_: Any, **__: Any) -> int:
    """Count what a fused LSTM layer does at all its steps; shapes (T, N, D), (4 H, D) and (4 H, H)."""
    return int(2 * rows[0] * rows[1] * inward[0] * (inward[1] + onward[1]))


# What torch's counter knows nothing of: on a CPU it runs an LSTM as one operation.
UNCOUNTED = {_ATEN.mkldnn_rnn_layer: _recurrent_flops}
_COUNTS = flop_registry | {name: shape_wrapper(count) for name, count in UNCOUNTED.items()}  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Step:
    """One operation that does something: views are none.

    Attributes:
        kind: One of `KINDS`.
        macs: Multiply-adds.
        weight_bytes: Of parameters and constants that no step before has read.
        read_bytes: Of maps, those aside whose place the result takes.
        written_bytes: Of its result; 0 where that takes the place of a map that was read.
        alive_bytes: All maps that must be there while it runs.
    """

    kind: str
    macs: int
    weight_bytes: int
    read_bytes: int
    written_bytes: int
    alive_bytes: int


@dataclass(frozen=True)
class _Call:
    """One operation as torch ran it."""

    operation: Any
    arguments: Sequence[Any]
    given: list[Tensor]
    made: list[Tensor]
    macs: int


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Note every operation. All tensors are kept, so that no two storages have the same name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[_Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        count = _COUNTS.get(func._overloadpacket)
        if count is None:  # as torch's own counter: what is made of counted operations is taken apart
            with self:
                parts = func.decompose(*args, **named)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **named)
        macs = 0 if count is None else int(count(*args, **named, out_val=result)) // 2
        given, made = _tensors((args, named)), _tensors(result)
        self.calls.append(_Call(func, args, given, made, macs))
        return result


@dataclass
class _Buffers:
    """Where maps lie.

    Attributes:
        picture: Its place, which no result takes: it is the caller's.
        maps: Name of the place of each map, by the name of its storage.
        last_use: Number of the last call that needs a storage.
        lives: First and last call, and bytes, by place.
        read: Constants that were counted.
    """

    picture: int
    maps: dict[int, int]
    last_use: dict[int, int]
    lives: dict[int, tuple[int, int, int]]
    read: set[int] = field(default_factory=set)


def trace(network: nn.Module, picture: Tensor) -> list[Step]:
    """Return the steps of one forward pass, in order.

    Args:
        network: In eval mode.
        picture: (1, C, H, W), on the network's device.
    """
    with torch.no_grad(), _Recorder() as recorder:
        output = network(picture)
    calls, start = recorder.calls, _storage(picture)
    last_use = {start: 0}
    for index, call in enumerate(calls):
        last_use |= {_storage(tensor): index for tensor in call.given}
    last_use |= {_storage(tensor): len(calls) for tensor in _tensors(output)}
    lives = {start: (0, last_use[start], picture.nbytes)}
    buffers = _Buffers(start, {start: start}, last_use, lives)
    found = [(index, step) for index, call in enumerate(calls) for step in _steps(call, index, buffers)]
    alive = [0] * (len(calls) + 1)
    for first, last, size in buffers.lives.values():
        for index in range(first, last + 1):
            alive[index] += size
    return [Step(*step, alive_bytes=alive[index]) for index, step in found]


def peak_bytes(steps: Sequence[Step]) -> int:
    """Return what must be there at once, at the step where that is most.

    No order of the steps but the network's own is looked at, and no map is held in parts.
    """
    return max((step.alive_bytes for step in steps), default=0)


def _steps(call: _Call, index: int, buffers: _Buffers) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield kind, multiply-adds, weight, read and written bytes of a call on maps; note where they lie."""
    maps = {_storage(tensor): tensor for tensor in call.given if _storage(tensor) in buffers.maps}
    if not maps:
        return  # what follows from constants alone is a constant, which an engine computes beforehand
    given = {_storage(tensor) for tensor in call.given}
    fresh = {_storage(made): made for made in call.made if _storage(made) not in given}
    changed = {_storage(made) for made in call.made} & given if call.operation._schema.is_mutable else set()
    if not fresh and not changed:
        return  # a view
    weights = sum(_size(tensor) for tensor in _constants(call, buffers))
    written, replaced = 0, set()
    for name, made in fresh.items():
        if name not in buffers.last_use:
            continue  # nobody reads it: an engine does not make it
        place = _dying(call, index, buffers, maps, _size(made)) if _pointwise(call.operation) else None
        if place is None:
            written += _size(made)
            buffers.maps[name] = name
            buffers.lives[name] = (index, buffers.last_use[name], _size(made))
        else:
            replaced.add(place)
            buffers.maps[name] = buffers.maps[place]
            _live_on(buffers, name)
    for name in changed:
        if name not in buffers.maps:  # an empty tensor that is filled
            buffers.maps[name] = name
            buffers.lives[name] = (index, index, call.given[0].untyped_storage().nbytes())
        written += 0 if _pointwise(call.operation) else _size(call.given[0])
        _live_on(buffers, name)
    read = sum(_size(tensor) for name, tensor in maps.items() if name not in replaced | changed)
    yield _kind(call), call.macs, weights, read, written


def _constants(call: _Call, buffers: _Buffers) -> Iterator[Tensor]:
    """Yield the parameters and constants of a call that were not read before."""
    for tensor in call.given:
        name = _storage(tensor)
        if name not in buffers.maps and name not in buffers.read:
            buffers.read.add(name)
            yield tensor


def _dying(call: _Call, index: int, buffers: _Buffers, maps: dict[int, Tensor], size: int) -> int | None:
    """Return a map of the same size that nobody needs afterwards, the picture aside, or None."""
    for name in maps:
        place = buffers.maps[name]
        _, last, length = buffers.lives[place]
        if last == index and length == size and place != buffers.picture:
            return name
    return None


def _live_on(buffers: _Buffers, name: int) -> None:
    place = buffers.maps[name]
    first, last, size = buffers.lives[place]
    buffers.lives[place] = (first, max(last, buffers.last_use.get(name, last)), size)


def _kind(call: _Call) -> str:
    operation = call.operation._overloadpacket
    if operation not in _CONVOLUTIONS:
        return "linear" if call.macs else "other"
    filters, groups = call.arguments[1], call.arguments[8]
    if groups > 1:
        return "depthwise" if filters.shape[1] == 1 else "convolution"
    return "pointwise" if all(side == 1 for side in filters.shape[2:]) else "convolution"


def _pointwise(operation: Any) -> bool:
    return torch.Tag.pointwise in operation.tags or operation._overloadpacket in _ALSO_POINTWISE


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _size(tensor: Tensor) -> int:
    """Return the bytes that a tensor stands for; one that only repeats has no more than its storage."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
