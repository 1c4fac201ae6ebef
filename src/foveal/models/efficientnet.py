"""EfficientNets of torchvision, with fewer strides for small pictures."""

from typing import Any

import torchvision
from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="efficientnet",
    kind="network",
    source="Tan & Le 2019, arXiv:1905.11946; torchvision",
    summary="accurate for its weights with hours of training; depthwise layers make it slow on CPUs",
    idea="One small network, found by a search, is grown in depth, width and picture size at once.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
MEMBERS = {f"efficientnet_b{scale}": {"scale": scale} for scale in range(8)}

_HALVINGS = 3  # after the stem


def SIZES(size: int) -> tuple[dict[str, Any], ...]:  # noqa: N802  # the name that a family states
    """Return the arguments of all variants for an input, the fastest first, whose last maps have many pixels.

    Where a map has one, batch norm sees a single number of each picture, and the network learns to read its
    batch: it knew 64 pictures by the statistics of their batch, and 57 by those that ship; see
    docs/benchmarks.md.
    """
    return tuple(one for one in _torchvision.sizes(size) if size > 2**_HALVINGS * one["stem_stride"])


def efficientnet(*, channels: int, classes: int, size: int, scale: int, stem_stride: int = 1) -> nn.Module:
    """Return a new EfficientNet with torchvision's names; weights trained with torchvision fit at every size.

    Of two early halvings, small pictures get one or none. There is no dropout and no dropping of blocks: runs
    are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        scale: From 0 to 7.
        stem_stride: The early layers shrink pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2
            at least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    build = getattr(torchvision.models, f"efficientnet_b{scale}")
    network: Any = build(num_classes=classes, dropout=0.0, stochastic_depth_prob=0.0)
    return _torchvision.adapted(network, stride=stride, channels=channels)
