"""Region: a dense backbone, one way up to a quarter of the side, and a class for every pixel.

    (N, C, H, W) → backbone → context → way up (1/8) → with the finest map (1/4) → logits (N, K, H / 4, W / 4)

The last map is small on purpose: what costs most in a segmenter is what is done at full size. What the whole
picture looks like is added at the coarsest map (Zhao et al., "Pyramid Scene Parsing Network", 2017; here its
mean alone); the way up is that of Lin et al., "Feature Pyramid Networks", 2017.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from foveal.models import Card, Settings, _features
from foveal.models._dense import Detail, TopDown

CARD = Card(
    family="region",
    kind="network",
    source="foveal; after Lin et al. 2017 (FPN) and Zhao et al. 2017 (PSPNet)",
    summary="the default segmenter: learns from a hundred pictures on a small CPU and answers in real time",
    idea="Little is done at full size: the class of a pixel is found at a quarter of the side.",
    smallest_size=32,
    task="segment",
)
LEARNS = "regions"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=8, warm_up_share=0.03)
SIZES = _features.sizes(48, 64)


class Region(nn.Module):
    """See the module; built by `region`."""

    def __init__(self, *, backbone: nn.Module, widths: Sequence[int], classes: int, tower: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.context = nn.Conv2d(widths[-1], widths[-1], 1)
        self.neck = TopDown(widths[1:], tower)
        fine = max(16, tower * 3 // 4)
        self.detail = Detail(tower, widths[0], fine)
        self.answer = nn.Conv2d(fine, classes, 1)
        nn.init.normal_(self.answer.weight, std=0.01)
        nn.init.constant_(self.answer.bias, 0.0)  # type: ignore[arg-type]  # it has one

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer."""
        return (self.answer,)

    def forward(self, images: Tensor) -> Any:
        """Return class logits, (N, K, H / 4, W / 4), for normalized images (N, C, H, W)."""
        return self.seen(images)[0]

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return class logits, the joined map at 1/8 that they rest on, and the whole picture, (N, W)."""
        finest, *others = self.backbone(images)
        coarsest = others[-1]
        whole = coarsest.mean(dim=(2, 3), keepdim=True)
        others[-1] = coarsest + self.context(whole)
        joined = self.neck(others)
        return self.answer(self.detail(joined, finest)), joined, whole.flatten(1)


def region(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    backbone: str = _features.DENSE,
) -> Region:
    """Return a new segmenter.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Height and width of the input in pixels; any multiples of 32.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the map at 1/8.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Region(backbone=maps, widths=found, classes=classes, tower=tower)
