"""Surface: a segmenter of kinds of defect, and a judge of the whole picture that reads what it saw.

    (N, C, H, W) → backbone → way up (1/8) → with the finest map (1/4) → kinds of places, at H / 4 × W / 4
                      ↓          ↓                                          ↓
                     mean   mean and largest                      most defective place → kind of picture

Two stages in one network, as in Tabernik et al., "Segmentation-Based Deep-Learning Approach for
Surface-Defect Detection", 2019: places show where, and are judged as a whole, so that one that is barely
suspicious makes no bad part. As in Božič et al., "Mixed supervision for surface-defect detection", 2021, both
are learned at once, and what the judge learns does not pass through the kinds of places.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card, Settings, _features
from foveal.models._dense import Unit
from foveal.models.segmenters.region import Region

CARD = Card(
    family="surface",
    kind="network",
    source="foveal; after Tabernik et al. 2019 and Božič et al. 2021",
    summary="whether a part has a defect, of which kind and where; learned from masks, or from good parts",
    idea="Places and the picture as a whole are judged by one network.",
    smallest_size=32,
    task="defect",
)
LEARNS = "defects"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=16, warm_up_share=0.03)
SIZES = _features.sizes(48, 64)
_TOGETHER = 3  # places along a side that have to agree: one alone may be noise
_DROPPED = 0.2  # share of what the judge reads that it does without, while it learns: it sees few pictures


class Surface(Region):
    """See the module; built by `surface`."""

    def __init__(self, *, backbone: nn.Module, widths: Sequence[int], classes: int, tower: int) -> None:
        super().__init__(backbone=backbone, widths=widths, classes=classes, tower=tower)
        self.look = Unit(tower, tower)
        self.drop = nn.Dropout(_DROPPED)
        kinds = classes - 1
        self.judge = nn.Linear(widths[-1] + 2 * tower + kinds, classes)
        nn.init.normal_(self.judge.weight, std=0.01)
        nn.init.zeros_(self.judge.bias)
        with torch.no_grad():  # at first a picture is what its most defective place is
            self.judge.weight[1:, -kinds:] += torch.eye(kinds)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer."""
        return self.answer, self.judge

    def logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the kind of picture, (N, K + 1), and of each place, (N, K + 1, H / 4, W / 4).

        Args:
            images: Normalized, (N, C, H, W).
        """
        places, joined, whole = self.seen(images)
        seen = self.look(joined)
        odds = places.detach()[:, 1:] - places.detach()[:, :1]
        worst = F.avg_pool2d(odds, _TOGETHER, stride=1).amax(dim=(2, 3))
        read = self.drop(torch.cat([whole, seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1))
        judged: Tensor = self.judge(torch.cat([read, worst], dim=1))
        return judged, places

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of a defect, (N,), and of each kind at each place, (N, K, H / 4, W / 4)."""
        judged, places = self.logits(images)
        return 1 - judged.softmax(1)[:, 0], places.softmax(1)[:, 1:]


def surface(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    backbone: str = _features.DENSE,
) -> Surface:
    """Return a new network.

    Args:
        channels: Of the images, ≥ 1.
        classes: K + 1 ≥ 2: what is good, and K kinds of defect.
        size: Height and width of the input in pixels; any multiples of 32.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the map at 1/8.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Surface(backbone=maps, widths=found, classes=classes, tower=tower)
