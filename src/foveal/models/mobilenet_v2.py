"""MobileNetV2 of torchvision, with fewer strides for small pictures."""

from typing import Any

from torch import nn
from torchvision.models.mobilenetv2 import MobileNetV2

from foveal.models import Card, _torchvision

CARD = Card(
    family="mobilenet",
    kind="network",
    source="Sandler et al. 2018, arXiv:1801.04381; torchvision",
    summary="few weights and few operations: for devices without wide vector units",
    idea="Blocks widen their maps, filter each channel by itself and narrow them again; what "
    "passes between blocks is thin.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
EXPANSION = ("features.18",)


def mobilenet_v2(
    *, channels: int, classes: int, size: int, stem_stride: int = 1, width: float = 1.0
) -> nn.Module:
    """Return a new MobileNetV2 with torchvision's names; weights trained with torchvision fit at every size.

    Of two early halvings, in the first convolution and in the second stage, small pictures get one or none.
    There is no dropout: runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        stem_stride: The early layers shrink pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2
            at least, from 91 on 4.
        width: Share of the paper's channels in every layer, above 0; rounded to multiples of 8.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    first, second = (2 if stride >= 2 else 1), (2 if stride >= 4 else 1)
    # Expansion, channels, blocks and stride of each stage: table 2 of the paper.
    stages = [
        [1, 16, 1, 1],
        [6, 24, 2, second],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]
    network: Any = MobileNetV2(
        num_classes=classes,
        width_mult=width,
        inverted_residual_setting=stages,
        dropout=0.0,
        norm_layer=_torchvision.norm,
    )
    network.features[0][0] = _torchvision.first_convolution(
        channels, network.features[0][0].out_channels, first
    )
    module: nn.Module = network
    return module
