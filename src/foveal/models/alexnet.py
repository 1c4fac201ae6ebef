"""AlexNet of torchvision, with filters and strides for small pictures."""

from typing import Any

from torch import nn
from torchvision.models import AlexNet

from foveal.models import Card, Settings, _torchvision

CARD = Card(
    family="alexnet",
    kind="network",
    source="Krizhevsky 2014, arXiv:1404.5997; torchvision",
    summary="history to compare with: many weights for what it knows",
    idea="Five convolutions with pools between them, then three large linear layers that hold most weights.",
)
# Nothing is normalized: at 0.001, as other networks learn, it does not even learn a few pictures by heart.
SETTINGS = Settings(
    optimizer="adam", learning_rate=3e-4, weight_decay=0.05, batch_size=128, warm_up_share=0.1
)

_LAST_MAP = 6  # side of the last maps at 224 pixels, which the linear layers are made for
_LAST_CHANNELS, _HIDDEN = 256, 4096


def SIZES(size: int) -> tuple[dict[str, Any], ...]:  # noqa: N802  # the name that a family states
    """Return the arguments of all variants for an input, the fastest first, whose last maps have pixels."""
    return tuple(one for one in _torchvision.sizes(size) if _last_map(size, one["stem_stride"]) > 0)


def alexnet(*, channels: int, classes: int, size: int, stem_stride: int = 1) -> nn.Module:
    """Return a new AlexNet with torchvision's names; from 224 pixels on, weights from there fit.

    Small pictures are read with 3×3 filters instead of 11×11. The first linear layer takes the last maps as
    they are, 3×3 pixels at 32, where torchvision's repeats their pixels to make 6×6. There is no dropout:
    runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32.
        stem_stride: The first convolution shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it
            is 2 at least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    network: Any = AlexNet(num_classes=classes, dropout=0.0)
    network.features[0] = _first(channels, stride)
    side = min(_LAST_MAP, _last_map(size, stride))
    network.avgpool = nn.AdaptiveAvgPool2d(side)
    if side < _LAST_MAP:
        network.classifier[1] = nn.Linear(_LAST_CHANNELS * side**2, _HIDDEN)
    module: nn.Module = network
    return module


def _first(channels: int, stride: int) -> nn.Conv2d:
    if stride == _torchvision.LARGEST_STRIDE:
        return nn.Conv2d(channels, 64, kernel_size=11, stride=4, padding=2)
    return nn.Conv2d(channels, 64, kernel_size=3, stride=stride, padding=1)


def _last_map(size: int, stride: int) -> int:
    """Return the side of the last maps: the first convolution, then three pools over 3×3 with stride 2."""
    side = (size + 4 - 11) // 4 + 1 if stride == _torchvision.LARGEST_STRIDE else (size - 1) // stride + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side
