"""Point: every place of one map says what has its middle there, and how far its sides are away.

    (N, C, H, W) → backbone → way up → tower → class logits (N, K, h, w), sides (N, 4, h, w)

No anchors, one map at 1/8 of the side (1/4 on request), a class heatmap and the distances to the four sides.
Source of the head: Tian et al., "FCOS", 2019; Zhou et al., "Objects as Points", 2019; of one level that is
enough: Liu et al., "TTFNet", 2020. What the places learn is the assigner's choice (`train/scenes/assigners`).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foveal.models import Card, Settings, _features
from foveal.models._dense import TopDown, Tower

CARD = Card(
    family="point",
    kind="network",
    source="foveal; after Tian et al. 2019 (FCOS) and Liu et al. 2020 (TTFNet)",
    summary="the default detector: learns from a few hundred pictures on a small CPU, any number of objects",
    idea="One fine map without anchors: every place says what is there and how far its sides are.",
    smallest_size=32,
    task="detect",
)
LEARNS = "points"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=16, warm_up_share=0.03)
SIZES = _features.sizes(48, 64)
PRIOR = 0.01  # probability of a class at a place before anything is known: Lin et al., "Focal Loss", 2017
_FURTHEST = 8.0  # natural logarithm of a distance in strides: keeps exp() finite


class Point(nn.Module):
    """See the module; built by `point`.

    Attributes:
        stride: Pixels between two places of the map.
        attributes: How many values each thing has that is said of an object beside its class.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        widths: Sequence[int],
        classes: int,
        stride: int,
        tower: int,
        attributes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.stride = stride
        self.first = {4: 0, 8: 1}[stride]
        self.neck = TopDown(widths[self.first :], tower)
        self.what = nn.Sequential(Tower(tower), nn.Conv2d(tower, classes, 1))
        self.where = nn.Sequential(Tower(tower), nn.Conv2d(tower, 4, 1))
        what, where = self.answers
        nn.init.normal_(what.weight, std=0.01)
        nn.init.normal_(where.weight, std=0.01)
        nn.init.constant_(what.bias, -math.log((1 - PRIOR) / PRIOR))
        nn.init.constant_(where.bias, 1.0)
        self.attributes = tuple(attributes)
        if attributes:
            self.looks = nn.Sequential(Tower(tower), nn.Conv2d(tower, sum(attributes), 1))

    @property
    def answers(self) -> tuple[Any, Any]:
        """The two layers that answer about places: of classes and of sides."""
        return self.what[-1], self.where[-1]

    @property
    def outputs(self) -> tuple[Any, ...]:
        """All layers that answer."""
        return (*self.answers, self.looks[-1]) if self.attributes else self.answers

    @torch.no_grad()
    def expect(self, shares: Sequence[float]) -> None:
        """Set how probable each class is at a place before anything is learned.

        With the right numbers the first steps learn what objects look like. Otherwise they push all answers
        of a class down, and a rare one may end up as the class of places where nothing fires, from where no
        gradient leads back.

        Args:
            shares: In (0, 1), one for each class.
        """
        odds = torch.tensor(shares, dtype=torch.float32)
        self.answers[0].bias.copy_(torch.log(odds / (1 - odds)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return all that ships, for normalized images (N, C, H, W)."""
        return self.candidates(images)

    def maps(self, images: Tensor) -> Tensor:
        """Return what the answers are made of, (N, tower, h, w)."""
        maps: Tensor = self.neck(self.backbone(images)[self.first :])
        return maps

    def sides(self, answers: Tensor) -> Tensor:
        """Return distances in pixels for what `where` answers."""
        return answers.clamp(max=_FURTHEST).exp() * self.stride

    def candidates(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return boxes in pixels, (N, P, 4), and class logits (N, P, K), of all P places.

        Where attributes are told, their logits, too, one attribute after the other, (N, P, V).
        """
        maps = self.maps(images)
        answers = [boxes_of(self.sides(self.where(maps)), self.stride), self.what(maps)]
        if self.attributes:
            answers.append(self.looks(maps))
        return tuple(one.flatten(2).transpose(1, 2) for one in answers)


def middles(height: int, width: int, stride: int) -> tuple[Tensor, Tensor]:
    """Return x (1, w) and y (h, 1) of the middles of a map's places in pixels."""
    x = (torch.arange(width) + 0.5) * stride
    y = (torch.arange(height) + 0.5) * stride
    return x[None], y[:, None]


def boxes_of(sides: Tensor, stride: int) -> Tensor:
    """Return left, top, right and bottom, (N, 4, h, w), for distances of that shape."""
    x, y = middles(sides.shape[2], sides.shape[3], stride)
    left, top, right, bottom = sides.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)


def point(  # noqa: PLR0913 - a builder has three of every network; this one adds six
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    stride: int = 8,
    attributes: Sequence[int] = (),
    backbone: str = _features.DENSE,
) -> Point:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of the stride.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the map that answers.
        stride: 8, or 4 for small objects close together.
        attributes: How many values each thing has that is said of an object beside its class.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Point(
        backbone=maps, widths=found, classes=classes, stride=stride, tower=tower, attributes=attributes
    )
