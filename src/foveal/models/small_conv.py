"""Small conv: a plain, shallow convolutional network whose answers can be bounded.

    (N, C, H, W) → [halving]* → convolution → halving → halving → linear → linear → (N, K)

Interval bounds widen with every layer and every weight, so few layers prove more than many. The shape is that
of the "small" network of Gowal et al. 2018, table 1 (convolutions of stride 2, no pooling, no normalization,
a hidden linear layer), with more channels; weights start as in Shi et al., "Fast Certified Robust Training
with Short Warmup", 2021, §4.2, so that boxes keep their size from layer to layer.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from foveal.models import Card, Settings

CARD = Card(
    family="small_conv",
    kind="network",
    source="after Gowal et al. 2018, arXiv:1810.12715",
    summary="for answers that are proven against small changes of all pixels: train it for certified bounds",
    idea="Few convolutions with strides in the place of pools and norms: bounds on its answers stay narrow.",
    smallest_size=16,
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=1e-3, weight_decay=0.0, batch_size=256, warm_up_share=0.02
)
SIZES: tuple[dict[str, Any], ...] = ({"width": 16}, {"width": 32})


class SmallConv(nn.Module):
    """See the module; built by `small_conv`."""

    def __init__(self, *, channels: int, classes: int, size: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, side = channels, size
        for outputs, stride in _plan(size, width):
            layers += [nn.Conv2d(inputs, outputs, 2 + stride, stride=stride, padding=1), nn.ReLU()]
            inputs, side = outputs, side // stride
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Linear(inputs * side**2, 8 * width)
        self.head = nn.Linear(8 * width, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=math.sqrt(2 * math.pi) / layer.weight[0].numel())
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # they have one

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        features = torch.flatten(self.features(images), 1)
        logits: Tensor = self.head(torch.relu(self.hidden(features)))
        return logits


def _plan(size: int, width: int) -> list[tuple[int, int]]:
    """Return channels and stride of each convolution; large pictures are halved to about 32 pixels first."""
    halvings = max(0, round(math.log2(size / 32)))
    return [(width, 2)] * halvings + [(width, 2), (2 * width, 2), (2 * width, 1)]


def small_conv(*, channels: int, classes: int, size: int, width: int = 32) -> SmallConv:
    """Return a new small conv.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        width: Channels of the first convolution.
    """
    return SmallConv(channels=channels, classes=classes, size=size, width=width)
