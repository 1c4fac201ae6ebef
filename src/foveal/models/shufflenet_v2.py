"""ShuffleNetV2 of torchvision, with fewer strides for small pictures."""

from typing import Any

import torchvision
from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="shufflenet",
    kind="network",
    source="Ma et al. 2018, arXiv:1807.11164; torchvision",
    summary="small and quick on processors with little memory bandwidth",
    idea="Half of the channels pass each block untouched, and halves are mixed by reordering: little memory "
    "is read for each multiply-add.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
MEMBERS = {
    "shufflenet_v2": {"width": "x1_0"},
    "shufflenet_v2_x0_5": {"width": "x0_5"},
    "shufflenet_v2_x1_5": {"width": "x1_5"},
    "shufflenet_v2_x2_0": {"width": "x2_0"},
}


def shufflenet_v2(*, channels: int, classes: int, size: int, width: str, stem_stride: int = 1) -> nn.Module:
    """Return a new ShuffleNetV2 with torchvision's names; weights trained with torchvision fit at every size.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        width: `x0_5`, `x1_0`, `x1_5` or `x2_0`: share of the paper's channels.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    network: Any = getattr(torchvision.models, f"shufflenet_v2_{width}")(num_classes=classes)
    return _torchvision.adapted(network, stride=stride, channels=channels)
