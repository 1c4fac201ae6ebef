"""ResNets of torchvision, with a stem that fits small pictures, and the thin ones made for 32 pixels."""

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from foveal.models import Card, _torchvision
from foveal.models._cifar import cifar
from foveal.models._resnet import residual

CARD = Card(
    family="resnet",
    kind="network",
    source="He et al. 2016, arXiv:1512.03385; torchvision",
    summary="a well-known network to compare with, or for weights of your own; a tenth of nano's speed",
    idea="Blocks add to what passes them by instead of replacing it, so that networks of any depth learn.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
MEMBERS = {f"resnet{depth}": {"depth": depth} for depth in (18, 20, 32, 34, 44, 50, 56, 101, 110, 152)}

# Blocks of the four stages: table 1 of the paper.
_BLOCKS: dict[int, tuple[type[BasicBlock | Bottleneck], list[int]]] = {
    18: (BasicBlock, [2, 2, 2, 2]),
    34: (BasicBlock, [3, 4, 6, 3]),
    50: (Bottleneck, [3, 4, 6, 3]),
    101: (Bottleneck, [3, 4, 23, 3]),
    152: (Bottleneck, [3, 8, 36, 3]),
}


def resnet(*, channels: int, classes: int, size: int, depth: int, stem_stride: int = 1) -> nn.Module:
    """Return a new ResNet with torchvision's names; from 91 pixels on, weights from there fit.

    Those of 20, 32, 44, 56 and 110 layers are the thin ones for 32 pixels (§4.2 of the paper), which
    torchvision has not: see `_cifar.Cifar`.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        depth: Layers: 18, 34, 50, 101 or 152, or of the thin ones 20, 32, 44, 56 or 110.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    if depth not in _BLOCKS:
        return cifar(channels=channels, classes=classes, stride=stride, depth=depth, shortcuts=True)
    block, layers = _BLOCKS[depth]
    return residual(block, layers, stride=stride, channels=channels, classes=classes)
