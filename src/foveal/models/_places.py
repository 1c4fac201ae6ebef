"""What a network that stays as it is says of each place of a picture: what only good pictures are learned by.

    (N, C, H, W) → maps of some depths → 3 × 3 mean → beside its own picture → one size → D numbers

Source: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", 2022 (PatchCore), and Defard et
al., "PaDiM", 2021: features of middle depths, averaged over neighbours and joined. What is ours: a map says
how a place differs from the rest of its own picture, so that light and exposure, which change from picture to
picture, are no defects. Where the material has a grain (brushed, rolled, woven), a place is compared with its
own row or column: what lies along the grain is usual, what crosses it is not.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.models import _features

Pictures = Callable[[], Iterable[Tensor]]  # normalized, (N, C, H, W), the same each time
_FLOOR = 0.2  # of what a map usually varies by: what hardly varies on a picture is not blown up
_GRAIN = 0.1  # share of what places differ by on a picture from which on rows or columns are a grain
_WORST = 0.05  # share of the places that make the score: one alone may be chance
_BLUR = 3  # places


class Places(nn.Module):
    """D numbers for each place; `learn` decides which.

    Attributes:
        backbone: Returns maps at 1/4, 1/8, 1/16 and 1/32; it never learns.
        sides: Places down and across.
    """

    floors: Tensor
    grain: Tensor
    middle: Tensor
    projection: Tensor

    def __init__(
        self,
        *,
        backbone: str,
        channels: int,
        size: Sequence[int],
        depths: Sequence[int],
        dimensions: int,
        step: int,
    ) -> None:
        """Build it.

        Args:
            backbone: As `_features.backbone`.
            channels: Of the images.
            size: Height and width of the input in pixels.
            depths: Which maps, 0 is that at 1/4.
            dimensions: D, at most as many as the maps have channels.
            step: Pixels between two places.
        """
        super().__init__()
        self.backbone, widths = _features.backbone(backbone, channels=channels)
        self.depths = tuple(depths)
        self.sides = tuple(max(1, side // step) for side in size)
        joined = sum(widths[depth] for depth in self.depths)
        dimensions = min(dimensions, joined)
        self.register_buffer("floors", torch.ones(len(self.depths)))
        self.register_buffer("grain", torch.zeros(2))  # 1 for columns, or rows, that places are compared with
        self.register_buffer("middle", torch.zeros(joined))
        self.register_buffer("projection", torch.eye(dimensions, joined))
        self.requires_grad_(False)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the weights of a classifier of the backbone's name.

        Raises:
            ValueError: They are not of such a one, or the backbone is none.
        """
        if not isinstance(self.backbone, _features.Known):
            raise ValueError("a backbone without a classifier takes over nothing")
        self.backbone.take(weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return what is said of each place, (N, D, h, w)."""
        found = (self.joined(images) - self.middle[:, None, None]).permute(0, 2, 3, 1)
        return (found @ self.projection.T).permute(0, 3, 1, 2)

    def joined(self, images: Tensor) -> Tensor:
        """Return the maps as they stand beside each other, before the projection."""
        parts = []
        for maps, floor in zip(self._centred(images), self.floors, strict=True):
            spread = maps.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            parts.append(self._at_size(maps / (spread + floor)) / maps.shape[1] ** 0.5)
        return torch.cat(parts, dim=1)

    def _centred(self, images: Tensor) -> list[Tensor]:
        """Return maps of means over neighbours, without the mean of their own picture, column or row."""
        columns, rows = self.grain
        found = []
        for one in self._neighbours(images):
            along = columns * one.mean(dim=2, keepdim=True) + rows * one.mean(dim=3, keepdim=True)
            found.append(one - along - (1 - columns - rows) * one.mean(dim=(2, 3), keepdim=True))
        return found

    def _neighbours(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.backbone(images)
        return [F.avg_pool2d(maps[depth], 3, 1, 1, count_include_pad=False) for depth in self.depths]

    def _at_size(self, maps: Tensor) -> Tensor:
        if maps.shape[2] > self.sides[0]:
            return F.avg_pool2d(maps, maps.shape[2] // self.sides[0])
        if tuple(maps.shape[2:]) == self.sides:
            return maps
        return F.interpolate(maps, size=self.sides, mode="bilinear", align_corners=False)

    @torch.no_grad()
    def learn(self, pictures: Pictures) -> None:
        """Choose the D directions in which places of good pictures vary most (principal components)."""
        self.grain.copy_(self._grain(pictures))
        squares = [
            torch.stack([one.square().mean() for one in self._centred(images)]) for images in pictures()
        ]
        self.floors.copy_(_FLOOR * torch.stack(squares).mean(dim=0).sqrt())
        count, total, products = 0, torch.zeros(()), torch.zeros(())
        for images in pictures():
            rows = self.joined(images).permute(0, 2, 3, 1).flatten(0, 2).double()
            count, total, products = count + len(rows), total + rows.sum(dim=0), products + rows.T @ rows
        middle: Any = total / count
        _, directions = torch.linalg.eigh(products / count - torch.outer(middle, middle))
        self.middle.copy_(middle)
        self.projection.copy_(directions.flip(1)[:, : len(self.projection)].T)

    def _grain(self, pictures: Pictures) -> Tensor:
        """Return 1 for columns, or for rows, where their means make up much of what places differ by."""
        shares = []
        for images in pictures():
            for one in self._neighbours(images):
                apart = one - one.mean(dim=(2, 3), keepdim=True)
                explained = [apart.mean(dim=side).square().mean() for side in (2, 3)]
                shares.append(torch.stack(explained) / apart.square().mean().clamp_min(1e-12))
        share = torch.stack(shares).mean(dim=0)
        return ((share == share.max()) & (share > _GRAIN)).float()


class OnlyGood(nn.Module, ABC):
    """A network that knows good pictures and says how far from them another one is.

    Attributes:
        places: What is said of each place.
        passes: How often it looks at each picture.
    """

    passes: ClassVar[int]

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.places = places

    @abstractmethod
    def distances(self, found: Tensor) -> Tensor:
        """Return how far each place of (N, D, h, w) is from good ones, (N, h, w)."""

    @abstractmethod
    def remember(self, found: Pictures, seed: int) -> None:
        """Take in what is said of the places of all good pictures, batches of (N, D, h, w)."""

    @torch.no_grad()
    def learn(self, pictures: Pictures, *, seed: int) -> None:
        """Take in good pictures.

        Args:
            pictures: Returns all of them, normalized, in batches; it is called several times.
            seed: Of what is drawn.
        """
        self.eval()
        self.places.learn(pictures)
        self.remember(lambda: (self.places(images) for images in pictures()), seed)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far pictures are from good ones, (N,), and each of their places, (N, 1, h, w).

        A map is the mean over 3 × 3 places, and the score that of the twentieth part that is furthest away.
        """
        far = self.distances(self.places(images))[:, None]
        maps = F.avg_pool2d(far, _BLUR, 1, _BLUR // 2, count_include_pad=False)
        height, width = self.places.sides
        worst = maps.flatten(1).topk(max(1, int(_WORST * height * width)), dim=1).values
        return worst.mean(dim=1), maps


def check_kinds(classes: int) -> None:
    """Refuse kinds of defect: who saw good pictures alone cannot tell them apart.

    Raises:
        UsageError: `other_task`: there are more classes than what is good and what is not.
    """
    if classes != 2:
        raise UsageError(
            f"what learns from good pictures alone tells good from defective; got {classes} classes",
            code="other_task",
            hint="--model surface learns kinds of defect",
        )
