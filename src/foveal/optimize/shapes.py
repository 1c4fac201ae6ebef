"""Which convolutions and linear layers a network runs, in which order, and on maps of which size.

That is what its time is predicted from: see `optimize.lookup`, which says why `foveal optimize` does not use
it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

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
    """Return one entry for each run of a `Conv2d` or `Linear`, in the order of execution.

    The network runs once, in eval mode, on one blank picture; it is left in the mode in which it was. A layer
    that is not called as a module, such as the projections inside torch's attention, is not seen.

    Args:
        network: Normalized images (N, channels, size, size) to anything.
        channels: Of the images.
        size: Side of the input in pixels.
    """
    found: list[Shape] = []
    parameter = next(network.parameters(), torch.zeros(()))
    blank = torch.zeros(1, channels, size, size, dtype=parameter.dtype, device=parameter.device)
    modes = {module: module.training for module in network.modules()}
    with _noted(network, found), torch.no_grad():
        try:
            network.eval()(blank)
        finally:
            for module, mode in modes.items():
                module.training = mode
    return tuple(found)


@contextmanager
def _noted(network: nn.Module, found: list[Shape]) -> Iterator[None]:
    """Note every layer that runs inside."""

    def note(module: nn.Module, inputs: tuple[Tensor, ...], _output: Any) -> None:
        found.append(_shape(module, inputs[0]))

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shape(module: nn.Module, images: Tensor) -> Shape:
    if isinstance(module, nn.Linear):
        rows = images[..., 0].numel()
        return Shape("linear", module.in_features, module.out_features, height=rows)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{type(module).__name__} is neither convolution nor linear layer")
    return Shape(
        "convolution",
        module.in_channels,
        module.out_channels,
        kernel=(module.kernel_size[0], module.kernel_size[1]),
        stride=(module.stride[0], module.stride[1]),
        padding=_padding(module),
        dilation=(module.dilation[0], module.dilation[1]),
        groups=module.groups,
        height=images.shape[-2],
        width=images.shape[-1],
    )


def _padding(module: nn.Conv2d) -> tuple[int, int, int, int]:
    """Return the padding; torch's "same" puts an odd zero at the bottom and on the right."""
    if module.padding == "valid":
        return 0, 0, 0, 0
    if module.padding == "same":
        down, across = (
            reach * (length - 1) for reach, length in zip(module.dilation, module.kernel_size, strict=True)
        )
        return down // 2, across // 2, down - down // 2, across - across // 2
    down, across = int(module.padding[0]), int(module.padding[1])
    return down, across, down, across
