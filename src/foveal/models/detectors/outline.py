"""Outline: the point detector, and for each object which pixels are its own.

    (N, C, H, W) → point: what is there and how far its sides are; and of each place a kernel (N, 5 + P, h, w)
                 → at 1/4 of the side: what each pixel says of itself, the basis (N, 5 + P, H / 4, W / 4)

A pixel says where the middle of its object lies (two offsets) and P things more; it belongs to an object the
more, the nearer the middle that it names lies to that of the object's box, counted in half sides of the box:

    logit = 4 (b - s_x d_x² - s_y d_y²) + Σ a_j p_j

which is linear in (1, e_x, e_y, e_x², e_y², p_1 … p_P) of the pixel, so that all masks of a picture are one
matrix product. Before anything is learned it is the ellipse that fills the box. Sources: Neven et al.,
"Instance Segmentation by Jointly Optimizing Spatial Embeddings and Clustering Bandwidth", 2019, for middles
and bandwidths; Bolya et al., "YOLACT", 2019, for prototypes with coefficients.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from foveal.models import Card, Settings, _features
from foveal.models._dense import Detail, Tower, Unit
from foveal.models.detectors.point import Point, boxes_of, middles

CARD = Card(
    family="outline",
    kind="network",
    source="foveal; after Neven et al. 2019 and Bolya et al. 2019 (YOLACT)",
    summary="the default for outlines of single objects: the point detector, and a mask for each object",
    idea="Every pixel names the middle of its object; an object takes the pixels that name its own.",
    smallest_size=32,
    task="instance",
)
LEARNS = "outlines"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=16, warm_up_share=0.03)
SIZES = _features.sizes(48, 64)
FINE = 4  # pixels between two places of the map that masks are told on
PROTOTYPES = 12
_SHAPES = 3  # of a place's kernel: two bandwidths and a bias
_UNIT = 32.0  # pixels: coordinates and offsets near 1 keep products exact and steps even
_GAIN = 4.0  # logits between the middle of a box and its edge
_STEEPEST = 3.0  # natural logarithm of a bandwidth


class Outlined(NamedTuple):
    """What `Outline` answers for N pictures, from which any object's mask follows.

    Attributes:
        boxes: In pixels, (N, P, 4).
        logits: Of classes, (N, P, K).
        kernels: (N, P, Q).
        basis: (N, Q, H / 4, W / 4); kernel times basis is the logit of a pixel being the object's.
    """

    boxes: Tensor
    logits: Tensor
    kernels: Tensor
    basis: Tensor


class Outline(Point):
    """See the module; built by `outline`.

    Attributes:
        drawn: Whether masks are answered as they are, and not as what they follow from.
    """

    drawn = False

    def __init__(
        self, *, backbone: nn.Module, widths: Sequence[int], classes: int, stride: int, tower: int
    ) -> None:
        super().__init__(backbone=backbone, widths=widths, classes=classes, stride=stride, tower=tower)
        fine = max(16, tower * 3 // 4)
        self.detail = Detail(tower, widths[0], fine) if stride > FINE else Unit(tower, fine)
        self.shape = nn.Sequential(Tower(tower), nn.Conv2d(tower, _SHAPES + PROTOTYPES, 1))
        self.pixels = nn.Conv2d(fine, 2 + PROTOTYPES, 1)
        layers: tuple[Any, ...] = self.shape[-1], self.pixels
        for layer in layers:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, 0.0)

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The layers that answer: of classes, sides, kernels and pixels."""
        return *self.answers, self.shape[-1], self.pixels

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return all that ships."""
        return self.outlined(images)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map that places answer from, (N, tower, h, w), and the fine one, (N, D, H/4, W/4)."""
        found = self.backbone(images)
        coarse = self.neck(found[self.first :])
        fine = self.detail(coarse, found[0]) if self.stride > FINE else self.detail(coarse)
        return coarse, fine

    def outlined(self, images: Tensor) -> Outlined:
        """Return all that masks follow from, for normalized images (N, C, H, W)."""
        coarse, fine = self.both(images)
        return self.told(coarse, self.pixels(fine))

    def told(self, coarse: Tensor, pixels: Tensor) -> Outlined:
        """Return the same from the map of the places and what the pixels say."""
        logits, sides = self.what(coarse), self.sides(self.where(coarse).float())
        boxes = boxes_of(sides, self.stride).flatten(2).transpose(1, 2)
        shape = self.shape(coarse).float().flatten(2).transpose(1, 2)
        size = pixels.shape[2] * FINE, pixels.shape[3] * FINE
        return Outlined(
            boxes, logits.flatten(2).transpose(1, 2), kernels_of(boxes, shape, size), basis_of(pixels.float())
        )


def kernels_of(boxes: Tensor, shape: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the kernels of places, (…, Q).

    Args:
        boxes: In pixels, (…, 4).
        shape: Bandwidths, bias and coefficients, (…, 3 + P).
        size: Height and width of the pictures in pixels.
    """
    middle = torch.tensor([size[1], size[0]], dtype=boxes.dtype) / 2
    centre = ((boxes[..., :2] + boxes[..., 2:]) / 2 - middle) / _UNIT
    half = ((boxes[..., 2:] - boxes[..., :2]) / 2).clamp(min=1.0) / _UNIT
    steep = _GAIN * shape[..., :2].clamp(-_STEEPEST, _STEEPEST).exp() / half**2
    constant = _GAIN * (1 + shape[..., 2:3]) - (steep * centre**2).sum(-1, keepdim=True)
    return torch.cat([constant, 2 * steep * centre, -steep, shape[..., _SHAPES:]], dim=-1)


def basis_of(pixels: Tensor) -> Tensor:
    """Return what pixels say of themselves, (N, Q, h, w), of offsets and prototypes (N, 2 + P, h, w)."""
    height, width = pixels.shape[2:]
    x, y = middles(height, width, FINE)
    across = (x - width * FINE / 2) / _UNIT + pixels[:, 0]
    down = (y - height * FINE / 2) / _UNIT + pixels[:, 1]
    own = torch.stack([torch.ones_like(across), across, down, across**2, down**2], dim=1)
    return torch.cat([own, pixels[:, 2:]], dim=1)


def outline(  # noqa: PLR0913 - a builder has three of every network; this one adds five
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    stride: int = 8,
    backbone: str = _features.DENSE,
) -> Outline:
    """Return a new detector that gives masks; arguments as of `point`."""
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Outline(backbone=maps, widths=found, classes=classes, stride=stride, tower=tower)
