"""Conv-4: four equal convolutions, the usual backbone of few-shot learning on small pictures.

    conv4          (N, C, H, W) → 4 × [convolution → batch norm → ReLU → max pooling 2×2] → linear → (N, K)
    conv4_strided  (N, C, H, W) → 4 × [convolution with stride 2 → batch norm → ReLU]     → linear → (N, K)

Sources: Vinyals et al., "Matching Networks for One Shot Learning", 2016, §4.1, with 64 filters; the strided
form is that of Finn, Abbeel & Levine, "Model-Agnostic Meta-Learning", 2017, §5.2, for Omniglot. Strides leave
out three quarters of the work of each block, and its second derivatives.
"""

from typing import Any

import torch
from torch import Tensor, nn

from foveal.models import Card, Settings

CARD = Card(
    family="conv4",
    kind="network",
    source="Vinyals et al. 2016, arXiv:1606.04080",
    summary="the backbone of foveal fewshot: small pictures of many classes with a few of each",
    idea="Four equal blocks and no more: little to adapt, and most published few-shot results beside it.",
    smallest_size=16,
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=2e-3, weight_decay=0.01, batch_size=256, warm_up_share=0.05
)
MEMBERS: dict[str, dict[str, Any]] = {"conv4": {"pooled": True}, "conv4_strided": {"pooled": False}}

_BLOCKS = 4


class Conv4(nn.Module):
    """See the module; built by `conv4`."""

    def __init__(self, *, channels: int, classes: int, size: int, pooled: bool, width: int) -> None:
        super().__init__()
        inputs = [channels] + [width] * (_BLOCKS - 1)
        self.blocks = nn.Sequential(*(_block(count, width, pooled=pooled) for count in inputs))
        self.head = nn.Linear(width * _side(size, pooled=pooled) ** 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        logits: Tensor = self.head(torch.flatten(self.blocks(images), 1))
        return logits


def _block(inputs: int, outputs: int, *, pooled: bool) -> nn.Sequential:
    # A bias of the convolution would be taken out by the norm.
    convolution = nn.Conv2d(inputs, outputs, 3, stride=1 if pooled else 2, padding=1, bias=False)
    pooling = [nn.MaxPool2d(2)] if pooled else []
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), *pooling)


def _side(size: int, *, pooled: bool) -> int:
    """Return the side of the last maps in pixels."""
    for _ in range(_BLOCKS):
        size = size // 2 if pooled else -(-size // 2)
    return size


def conv4(*, channels: int, classes: int, size: int, pooled: bool = True, width: int = 64) -> Conv4:
    """Return a new Conv-4.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Side of the input in pixels, ≥ 16.
        pooled: Max pooling after each convolution; False: each convolution has stride 2.
        width: Filters of each convolution.
    """
    return Conv4(channels=channels, classes=classes, size=size, pooled=pooled, width=width)
