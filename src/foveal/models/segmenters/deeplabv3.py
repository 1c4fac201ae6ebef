"""DeepLabV3: one coarse map is looked at from near and from far, and says the class of each of its places.

    (N, C, H, W) → backbone (1/16) → dilated convolutions side by side → logits (N, K, H / 16, W / 16)

Made of torchvision's parts. Source: Chen et al., "Rethinking Atrous Convolution for Semantic Image
Segmentation", 2017.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from foveal.models import Card, Settings, _features

CARD = Card(
    family="deeplabv3",
    kind="network",
    source="Chen et al. 2017, arXiv:1706.05587; torchvision",
    summary="large areas whose class follows from what is around them; edges are coarse",
    idea="Convolutions with gaps of several widths, side by side, see a place with little and with much of "
    "what is around it.",
    smallest_size=32,
    task="segment",
)
LEARNS = "regions"
SETTINGS = Settings(optimizer="adam", learning_rate=2e-3, weight_decay=0.05, batch_size=8, warm_up_share=0.1)
# From the smallest to the largest; training takes the largest that its budget allows.
SIZES: tuple[dict[str, Any], ...] = (
    {"backbone": "mobilenet_v3_small", "tower": 64},
    {"backbone": "mobilenet_v3_large", "tower": 128},
)
_GAPS = (12, 24, 36)  # places between two filter taps


class DeepLab(nn.Module):
    """See the module; built by `deeplabv3`."""

    def __init__(self, *, backbone: nn.Module, width: int, classes: int, tower: int) -> None:
        super().__init__()
        self.backbone = backbone
        # As torchvision's DeepLabHead, with fewer channels.
        self.head = nn.Sequential(
            ASPP(width, _GAPS, tower),
            nn.Conv2d(tower, tower, 3, padding=1, bias=False),
            nn.BatchNorm2d(tower),
            nn.ReLU(inplace=True),
            nn.Conv2d(tower, classes, 1),
        )

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer."""
        return (self.head[-1],)

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, (N, K, H / 16, W / 16), for normalized images (N, C, H, W)."""
        logits: Tensor = self.head(self.backbone(images)[-1])
        return logits


def deeplabv3(
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    tower: int = 256,
    backbone: str = "mobilenet_v3_large",
) -> DeepLab:
    """Return a new segmenter.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Height and width of the input in pixels; any multiples of 32.
        tower: Channels of the head.
        backbone: `mobilenet_v3_large` or `_small`, or another classifier whose weights training starts from.
    """
    maps = _features.classifier_maps(backbone, channels=channels, dilated=True)
    return DeepLab(backbone=maps, width=maps.widths[-1], classes=classes, tower=tower)
