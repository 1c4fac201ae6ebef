"""The residual networks that He et al. made for 32 pixels, and the same nets without shortcuts."""

from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from foveal.models import _torchvision

_WIDTHS = (16, 32, 64)


class Cifar(nn.Module):
    """He et al. 2016, §4.2: 3×3 convolutions, three stages of equally many blocks, a mean, a linear layer.

        (N, C, H, W) → convolution → 16 → 32 → 64 channels → mean → linear → (N, K)

    Where the number of channels changes, a shortcut is a 1×1 convolution with batch norm (option B). The
    paper uses option A, padding with zeros, which has 2,752 weights less; ours is made of layers that can be
    pruned, factored and exported like all others.
    """

    def __init__(self, *, channels: int, classes: int, stride: int, blocks: int, shortcuts: bool) -> None:
        """Build it.

        Args:
            channels: Of the images.
            classes: K.
            stride: By how much the stem shrinks pictures: 1, 2 or 4.
            blocks: Of each stage; all have two convolutions.
            shortcuts: Whether blocks have shortcuts.
        """
        super().__init__()
        self.conv1 = _torchvision.first_convolution(channels, _WIDTHS[0], min(stride, 2))
        self.bn1 = _torchvision.norm(_WIDTHS[0])
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if stride > 2 else nn.Identity()
        stages = []
        for inputs, outputs in zip((_WIDTHS[0], *_WIDTHS), _WIDTHS, strict=False):
            first = _block(inputs, outputs, shortcuts=shortcuts)
            rest = (_block(outputs, outputs, shortcuts=shortcuts) for _ in range(blocks - 1))
            stages.append(nn.Sequential(first, *rest))
        self.layer1, self.layer2, self.layer3 = stages
        self.fc = nn.Linear(_WIDTHS[-1], classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(layer, BasicBlock):
                nn.init.zeros_(layer.bn2.weight)  # every block starts as the identity

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        features = self.pool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def cifar(*, channels: int, classes: int, stride: int, depth: int, shortcuts: bool) -> nn.Module:
    """Return a new network of 6 n + 2 layers with n blocks a stage; see `Cifar`."""
    return Cifar(
        channels=channels, classes=classes, stride=stride, blocks=(depth - 2) // 6, shortcuts=shortcuts
    )


def _block(inputs: int, outputs: int, *, shortcuts: bool) -> nn.Module:
    """Return two convolutions with batch norm, the first of stride 2 where channels double."""
    stride = outputs // inputs
    if shortcuts:
        shortcut: Any = None
        if stride > 1:
            shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), _torchvision.norm(outputs)
            )
        block: nn.Module = BasicBlock(
            inputs, outputs, stride=stride, downsample=shortcut, norm_layer=_torchvision.norm
        )
        return block
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        _torchvision.norm(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        _torchvision.norm(outputs),
        nn.ReLU(),
    )
