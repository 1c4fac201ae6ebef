"""MobileNetV3 of torchvision, with fewer strides for small pictures."""

from typing import Any

import torchvision
from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="mobilenet",
    kind="network",
    source="Howard et al. 2019, arXiv:1905.02244; torchvision",
    summary="fewest operations of all: for devices without wide vector units",
    idea="Blocks of MobileNetV2 chosen by a search for phones, with gates on channels and a cheap smooth "
    "activation.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
MEMBERS = {f"mobilenet_v3_{form}": {"form": form} for form in ("small", "large")}


def mobilenet_v3(
    *, channels: int, classes: int, size: int, form: str, stem_stride: int = 1, width: float = 1.0
) -> nn.Module:
    """Return a new MobileNetV3 with torchvision's names; weights trained with torchvision fit at every size.

    Of two early halvings, small pictures get one or none. There is no dropout: runs are short, and labels are
    smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        form: `small` or `large`.
        stem_stride: The early layers shrink pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2
            at least, from 91 on 4.
        width: Share of the paper's channels in every layer, above 0; rounded to multiples of 8.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    build = getattr(torchvision.models, f"mobilenet_v3_{form}")
    network: Any = build(num_classes=classes, dropout=0.0, width_mult=width)
    return _torchvision.adapted(network, stride=stride, channels=channels)
