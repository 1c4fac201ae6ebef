"""DenseNets of torchvision, with a stem that fits small pictures."""

from typing import Any

import torchvision
from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="densenet",
    kind="network",
    source="Huang et al. 2017, arXiv:1608.06993; torchvision",
    summary="few weights and much memory traffic: slow on CPUs for its multiply-adds",
    idea="Each layer reads the maps of all layers before it in the block and adds a few of its own.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
MEMBERS = {f"densenet{depth}": {"depth": depth} for depth in (121, 161, 169, 201)}


def densenet(*, channels: int, classes: int, size: int, depth: int, stem_stride: int = 1) -> nn.Module:
    """Return a new DenseNet with torchvision's names; from 91 pixels on, weights from there fit.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        depth: Layers: 121, 161, 169 or 201.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    network: Any = getattr(torchvision.models, f"densenet{depth}")(num_classes=classes)
    return _torchvision.adapted(network, stride=stride, channels=channels)
