"""torchvision's residual networks for any number of channels and any size of picture."""

from typing import Any

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from foveal.models import _torchvision

_FILTERS = 64  # of the stem


def residual(
    block: type[BasicBlock | Bottleneck], layers: list[int], *, stride: int, channels: int, classes: int
) -> nn.Module:
    """Return a ResNet whose stem shrinks the picture by `stride`.

    At 4 it is torchvision's: 7×7 with stride 2, then a maximum over 3×3 with stride 2. Otherwise it is one
    3×3 convolution and no maximum (He et al., 2016, §4.2). The last norm of each block starts at 0, so that
    every block starts as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017, §5.1).

    Args:
        block: `BasicBlock` or `Bottleneck` of torchvision.
        layers: Blocks of the four stages.
        stride: 1, 2 or 4.
        channels: Of the images.
        classes: K.
    """
    network: Any = ResNet(
        block, layers, num_classes=classes, zero_init_residual=True, norm_layer=_torchvision.norm
    )
    if stride < _torchvision.LARGEST_STRIDE:
        network.conv1 = _torchvision.first_convolution(channels, _FILTERS, stride)
        network.maxpool = nn.Identity()
    elif channels != network.conv1.in_channels:
        network.conv1 = nn.Conv2d(channels, _FILTERS, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    module: nn.Module = network
    return module
