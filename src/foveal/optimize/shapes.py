"""Which convolutions and linear layers a network runs, in which order, and on maps of which size.

That is what its time is predicted from: see `optimize.lookup`, which says why `foveal optimize` does not use
it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from foveal.core.errors import DataError, UsageError

Kind = Literal["convolution", "linear"]
_PAIRS = ("kernel", "stride", "dilation")
_NUMBERS = ("inputs", "outputs", "groups", "height", "width")


@dataclass(frozen=True)
class Shape:
    """A layer as far as its time depends on it: equal shapes take equally long.

    Attributes:
        kind: What it is.
        inputs, outputs: Channels or features.
        kernel, stride, dilation: Down and across; 1 for a linear layer.
        padding: Zeros at the top, left, bottom and right, as ONNX orders them.
        groups: 1: every output sees every input; `inputs`: depthwise.
        height, width: Of its input map; a linear layer has one row for each vector of a picture.
    """

    kind: Kind
    inputs: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    height: int = 1
    width: int = 1

    def __post_init__(self) -> None:
        positive = [*self.kernel, *self.stride, *self.dilation, *(getattr(self, name) for name in _NUMBERS)]
        if (
            min(positive) < 1
            or min(self.padding) < 0
            or self.inputs % self.groups
            or self.outputs % self.groups
        ):
            raise UsageError(f"no layer has this shape: {self}")
        if min(self.map) < 1:
            raise UsageError(f"the kernel is larger than the map: {self}")

    @property
    def map(self) -> tuple[int, int]:
        """Height and width of the output."""
        top, left, bottom, right = self.padding
        room = (self.height + top + bottom, self.width + left + right)
        down, across = (
            (side - reach * (length - 1) - 1) // step + 1
            for side, length, step, reach in zip(room, self.kernel, self.stride, self.dilation, strict=True)
        )
        return down, across

    @property
    def macs(self) -> int:
        """Multiply-adds for one picture."""
        down, across = self.map
        return self.kernel[0] * self.kernel[1] * self.inputs // self.groups * self.outputs * down * across

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


def from_json(written: Mapping[str, Any]) -> Shape:
    """Return the shape that `as_json` wrote.

    Raises:
        DataError: It is no such object.
    """
    try:
        numbers: dict[str, Any] = {name: int(written[name]) for name in _NUMBERS}
        for name, length in (*((name, 2) for name in _PAIRS), ("padding", 4)):
            numbers[name] = tuple(int(value) for value in written[name])
            if len(numbers[name]) != length:
                raise ValueError(f"{name} needs {length} numbers")
        if written["kind"] not in ("convolution", "linear") or len(written) != len(numbers) + 1:
            raise ValueError("it has another kind or other keys")
        return Shape(kind=written["kind"], **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is the shape of no layer: {written!r} ({error})") from error


def shapes(network: nn.Module, *, channels: int, size: int) -> tuple[Shape, ...]:
    """Return one entry for each run of a convolution or linear layer, in the order of execution.

    The network runs once, in eval mode, on one blank picture; it is left in the mode in which it was. What
    torch computes is noted, not which module asked for it: a layer that is called as a function is seen, and
    one that pads its map beforehand has a larger map. A convolution that runs on T steps of one picture has T
    entries. A GRU or an LSTM is a linear layer over all steps and one at each, which an engine may run as one
    operation.

    Left out are batched products of two maps, as in attention, and convolutions that are transposed or go
    along one axis: no entry of a table stands for them. A plain product of two maps counts as a layer.

    Args:
        network: Normalized images (N, channels, size, size) to anything.
        channels: Of the images.
        size: Side of the input in pixels.
    """
    recorder = _Recorder()
    parameter = next(network.parameters(), torch.zeros(()))
    blank = torch.zeros(1, channels, size, size, dtype=parameter.dtype, device=parameter.device)
    modes = {module: module.training for module in network.modules()}
    with _attention_in_parts(), torch.no_grad(), recorder:
        try:
            network.eval()(blank)
        finally:
            for module, mode in modes.items():
                module.training = mode
    return tuple(recorder.found)


@contextmanager
def _attention_in_parts() -> Iterator[None]:
    """Have torch's own attention run layer by layer, not as one operation that tells nothing."""
    whole = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(whole)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Note every layer that runs inside."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Shape] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        layers = _LAYERS.get(func._overloadpacket)
        if layers is not None:
            self.found += layers(*args)
        return func(*args, **(kwargs or {}))


def _convolution(images: Tensor, filters: Tensor, _bias: Tensor | None, *how: Any) -> list[Shape]:
    """Return the layer once for each picture; filters have shape (outputs, inputs / groups, down, across)."""
    stride, padding, dilation, transposed, _, groups = how
    if transposed or filters.ndim != 4:
        return []
    down, across = padding[0], padding[-1]  # "valid" is a single 0
    shape = Shape(
        "convolution",
        images.shape[1],
        filters.shape[0],
        kernel=(filters.shape[2], filters.shape[3]),
        stride=(stride[0], stride[1]),
        padding=(down, across, down, across),
        dilation=(dilation[0], dilation[1]),
        groups=groups,
        height=images.shape[2],
        width=images.shape[3],
    )
    return [shape] * len(images)


def _product(rows: Tensor, weights: Tensor) -> list[Shape]:
    """Return the layer: rows (R, inputs) times weights (inputs, outputs)."""
    return [Shape("linear", weights.shape[0], weights.shape[1], height=len(rows))]


def _sum_and_product(_bias: Tensor, rows: Tensor, weights: Tensor) -> list[Shape]:
    return _product(rows, weights)


def _recurrent(rows: Tensor, inward: Tensor, onward: Tensor, *_: Any) -> list[Shape]:
    """Return the layers of an LSTM that torch runs as one: over all rows (T, N, inputs), then by step."""
    return [*_product(rows.flatten(0, 1), inward.T), *_product(rows[0], onward.T) * len(rows)]


_ATEN: Any = torch.ops.aten
_LAYERS: dict[Any, Callable[..., list[Shape]]] = {
    _ATEN.convolution: _convolution,
    _ATEN.mm: _product,
    _ATEN.addmm: _sum_and_product,
    _ATEN.mkldnn_rnn_layer: _recurrent,
}
