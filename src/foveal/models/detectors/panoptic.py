"""Panoptic: the outline detector, and the class of each pixel from the same fine map.

    (N, C, H, W) → outline, and class logits of pixels (N, K, H / 4, W / 4)

What is counted has a box and a mask, and what is only there, such as the sky, its pixels. Source of the task:
Kirillov et al., "Panoptic Segmentation", 2019; one network whose pixels name the middle of their object:
Cheng et al., "Panoptic-DeepLab", 2020.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from foveal.models import Card, Settings, _features
from foveal.models.detectors.outline import Outline, Outlined

CARD = Card(
    family="panoptic",
    kind="network",
    source="foveal; after Cheng et al. 2020 (Panoptic-DeepLab)",
    summary="the default where both is wanted: the class of each pixel, and which object it belongs to",
    idea="One fine map says the class of a pixel and the middle of its object.",
    smallest_size=32,
    task="panoptic",
)
LEARNS = "outlines"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=8, warm_up_share=0.03)
SIZES = _features.sizes(48, 64)


class Panoptic(Outline):
    """See the module; built by `panoptic`."""

    def __init__(
        self, *, backbone: nn.Module, widths: Sequence[int], classes: int, stride: int, tower: int
    ) -> None:
        super().__init__(backbone=backbone, widths=widths, classes=classes, stride=stride, tower=tower)
        self.areas = nn.Conv2d(self.pixels.in_channels, classes, 1)
        nn.init.normal_(self.areas.weight, std=0.01)
        nn.init.constant_(self.areas.bias, 0.0)  # type: ignore[arg-type]  # it has one

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The layers that answer: those of `Outline`, and of the classes of pixels."""
        return *self.answers, self.shape[-1], self.pixels, self.areas

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return all that ships."""
        outlined, areas = self.everything(images)
        return *outlined, areas

    def everything(self, images: Tensor) -> tuple[Outlined, Tensor]:
        """Return all that masks follow from, and class logits of pixels (N, K, H / 4, W / 4)."""
        coarse, fine = self.both(images)
        return self.told(coarse, self.pixels(fine)), self.areas(fine)


def panoptic(  # noqa: PLR0913 - a builder has three of every network; this one adds five
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    stride: int = 8,
    backbone: str = _features.DENSE,
) -> Panoptic:
    """Return a new network; arguments as of `point`, with K ≥ 2 classes, counted or only there."""
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Panoptic(backbone=maps, widths=found, classes=classes, stride=stride, tower=tower)
