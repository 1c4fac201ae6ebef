"""What the architectures of torchvision share: a stem that fits small pictures, and how they learn best.

Their own stems halve the picture at once and twice, which suits 224 pixels and leaves nothing of 32. Here a
picture is halved no further than to about 32 pixels before the first stage. Names and shapes of all weights
stay torchvision's except for filters larger than 3×3 in a stem, so that weights trained elsewhere fit.
"""

import math
from functools import partial
from typing import Any

from torch import nn

from foveal.models import Settings

LARGEST_STRIDE = 4  # of torchvision's own stems
_KERNEL = 3  # side of filters that small pictures are read with
MOMENTUM = 0.3  # of batch-norm statistics: runs are short

# Filters follow each other through batch norm, as in nano; steps cost more, so batches are smaller. The last
# layer sees features of another scale. Measured: docs/decisions/0017-settings-per-model.md.
SETTINGS = Settings(batch_size=128, head_rate=0.25)

norm = partial(nn.BatchNorm2d, momentum=MOMENTUM)


# Of networks that do not normalize after each layer.
ADAM = Settings(optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=128, warm_up_share=0.05)


def stem_stride(size: int, at_least: int, *, largest: int = LARGEST_STRIDE) -> int:
    """Return by how much the stem shrinks pictures: 1 to 45 pixels, 2 to 90, 4 to 181, 8 above.

    Args:
        size: Side of the input in pixels.
        at_least: A power of two: a coarser stem is faster and sees less.
        largest: That of torchvision's own stem, which is not exceeded.
    """
    needed = 2 ** max(0, round(math.log2(size / 32)))
    return int(min(largest, max(needed, at_least)))


def sizes(size: int) -> tuple[dict[str, Any], ...]:
    """Return the arguments of all variants for an input, the fastest first; they differ in the stem only."""
    finest = stem_stride(size, 1)
    return tuple({"stem_stride": stride} for stride in (4, 2, 1) if stride >= finest)


def first_convolution(channels: int, filters: int, stride: int) -> nn.Conv2d:
    """Return a 3×3 convolution without bias, initialized as torchvision's networks are."""
    convolution = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def adapted(
    network: Any, *, stride: int, channels: int, largest: int = LARGEST_STRIDE, first: str | None = None
) -> nn.Module:
    """Return the network with a stem that shrinks pictures by `stride`, and norms that follow a short run.

    Its first layers that halve a picture belong to the stem. Of those that are too many, convolutions step by
    one pixel and pools go; that changes no weight. First filters larger than 3×3, made for large pictures,
    become 3×3 there.

    Args:
        network: As torchvision builds it; it is changed.
        stride: A power of two, at most `largest`.
        channels: Of the images.
        largest: By how much its stem shrinks pictures as it is.
        first: Name of the convolution that reads the picture; None: the first one.
    """
    halving = [name for name, layer in network.named_modules() if _halves(layer)]
    first = first or next(n for n, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    for place, name in enumerate(halving[: round(math.log2(largest))]):
        if stride < 2 ** (place + 1):
            _stop_halving(network, name)
    reader = network.get_submodule(first)
    small = stride < largest and max(reader.kernel_size) > _KERNEL
    if small or channels != reader.in_channels:
        network.set_submodule(first, _reader(reader, channels, small=small))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = MOMENTUM
    module: nn.Module = network
    return module


def _halves(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d | nn.MaxPool2d) and layer.stride in (2, (2, 2))


def _stop_halving(network: nn.Module, name: str) -> None:
    layer = network.get_submodule(name)
    if isinstance(layer, nn.Conv2d):
        layer.stride = (1, 1)
    else:
        network.set_submodule(name, nn.Identity())


def _reader(old: nn.Conv2d, channels: int, *, small: bool) -> nn.Conv2d:
    """Return a convolution like the one that reads the picture, for other channels or with 3×3 filters."""
    size, padding = (_KERNEL, 1) if small else (old.kernel_size[0], old.padding[0])
    made = nn.Conv2d(
        channels,
        old.out_channels,
        size,
        stride=old.stride[0],
        padding=int(padding),
        bias=old.bias is not None,
    )
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made
