"""VGG of torchvision, with linear layers that fit the last maps of small pictures."""

from typing import Any

import torchvision
from torch import nn

from foveal.models import Card, Settings, _torchvision

CARD = Card(
    family="vgg",
    kind="network",
    source="Simonyan & Zisserman 2015, arXiv:1409.1556; torchvision",
    summary="plain 3×3 convolutions that prune and factor well; heavy for what it knows",
    idea="Nothing but 3×3 convolutions, doubled in width each time a pool halves the picture, and three "
    "linear layers.",
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=5e-4, weight_decay=0.05, batch_size=128, warm_up_share=0.1
)
MEMBERS: dict[str, dict[str, Any]] = {
    f"vgg{depth}{'_bn' * norm}": {"depth": depth, "norm": norm}
    for depth in (11, 13, 16, 19)
    for norm in (False, True)
}

_LAST_MAP = 7  # side of the last maps at 224 pixels, which the linear layers are made for
_SHRUNK = 32  # by five pools
_LAST_CHANNELS, _HIDDEN = 512, 4096


def vgg(*, channels: int, classes: int, size: int, depth: int, norm: bool) -> nn.Module:
    """Return a new VGG with torchvision's names; from 224 pixels on, weights from there fit.

    The first stage sees a picture of any size as it is. Below 224 pixels the first linear layer takes the
    last maps as they are, one pixel at 32, where torchvision's repeats them to make 7×7. There is no dropout:
    runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32.
        depth: Layers with weights: 11, 13, 16 or 19.
        norm: Whether batch norm follows each convolution; without, the deep ones hardly learn.
    """
    build = getattr(torchvision.models, f"vgg{depth}{'_bn' * norm}")
    network: Any = build(num_classes=classes, dropout=0.0)
    side = min(_LAST_MAP, size // _SHRUNK)
    network.avgpool = nn.AdaptiveAvgPool2d(side)
    if side < _LAST_MAP:
        network.classifier[0] = nn.Linear(_LAST_CHANNELS * side**2, _HIDDEN)
        nn.init.normal_(network.classifier[0].weight, std=0.01)
        nn.init.zeros_(network.classifier[0].bias)
    return _torchvision.adapted(network, stride=1, channels=channels, largest=1)
