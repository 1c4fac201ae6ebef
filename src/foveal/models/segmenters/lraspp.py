"""LR-ASPP: the class of a place from a coarse map, weighted by the whole picture, and from a finer one.

    (N, C, H, W) → backbone (1/8, 1/16) → coarse × whole picture + fine → logits (N, K, H / 8, W / 8)

Made of torchvision's parts. Source: Howard et al., "Searching for MobileNetV3", 2019, §6.4.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.segmentation.lraspp import LRASPPHead

from foveal.models import Card, Settings, _features

CARD = Card(
    family="lraspp",
    kind="network",
    source="Howard et al. 2019, arXiv:1905.02244; torchvision",
    summary="fewest operations: areas on devices without wide vector units",
    idea="A coarse map, weighted by what the whole picture is like, and a finer one vote on the class of "
    "a place.",
    smallest_size=32,
    task="segment",
)
LEARNS = "regions"
SETTINGS = Settings(optimizer="adam", learning_rate=2e-3, weight_decay=0.05, batch_size=8, warm_up_share=0.1)
# From the smallest to the largest; training takes the largest that its budget allows.
SIZES: tuple[dict[str, Any], ...] = (
    {"backbone": "mobilenet_v3_small"},
    {"backbone": "mobilenet_v3_large"},
)


class Lraspp(nn.Module):
    """See the module; built by `lraspp`."""

    def __init__(self, *, backbone: nn.Module, widths: Sequence[int], classes: int, tower: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = LRASPPHead(widths[1], widths[3], classes, tower)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer."""
        return self.head.low_classifier, self.head.high_classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, (N, K, H / 8, W / 8), for normalized images (N, C, H, W)."""
        _, fine, _, coarse = self.backbone(images)
        logits: Tensor = self.head({"low": fine, "high": coarse})
        return logits


def lraspp(
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    tower: int = 128,
    backbone: str = "mobilenet_v3_large",
) -> Lraspp:
    """Return a new segmenter.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Height and width of the input in pixels; any multiples of 32.
        tower: Channels of the coarse map that answers.
        backbone: `mobilenet_v3_large` or `_small`, or another classifier whose weights training starts from.
    """
    maps = _features.classifier_maps(backbone, channels=channels, dilated=True)
    return Lraspp(backbone=maps, widths=maps.widths, classes=classes, tower=tower)
