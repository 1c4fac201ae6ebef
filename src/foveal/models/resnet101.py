"""ResNet-101 of torchvision, with a stem that fits small pictures."""

from torch import nn
from torchvision.models.resnet import Bottleneck

from foveal.models import Card, _torchvision
from foveal.models._resnet import residual

CARD = Card(
    family="resnet",
    kind="network",
    source="He et al. 2016, arXiv:1512.03385; torchvision",
    summary="as resnet50 with twice the depth: for weights of your own, and to see what size costs",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes


def resnet101(*, channels: int, classes: int, size: int, stem_stride: int = 1) -> nn.Module:
    """Return a new ResNet-101 with torchvision's names; from 91 pixels on, weights from there fit.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    return residual(Bottleneck, [3, 4, 23, 3], stride=stride, channels=channels, classes=classes)
