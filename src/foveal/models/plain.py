"""The CIFAR networks of `resnet` without their shortcuts: what residual learning is measured against."""

from torch import nn

from foveal.models import Card, _torchvision
from foveal.models._cifar import cifar

CARD = Card(
    family="plain",
    kind="network",
    source="He et al. 2016, arXiv:1512.03385, §4.2",
    summary="to see what depth does without shortcuts: beside resnet20, 56 and 110; never to ship",
    idea="A stack of 3×3 convolutions with batch norm; deeper ones learn worse, even what they train on.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
MEMBERS = {f"plain{depth}": {"depth": depth} for depth in (20, 32, 44, 56, 110)}


def plain(*, channels: int, classes: int, size: int, depth: int, stem_stride: int = 1) -> nn.Module:
    """Return a new plain network: the ResNet of the same depth without shortcuts.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        depth: Layers: 20, 32, 44, 56 or 110.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    return cifar(channels=channels, classes=classes, stride=stride, depth=depth, shortcuts=False)
