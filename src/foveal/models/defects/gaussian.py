"""Gaussian: what each place of good pictures is like on average, and by how much it varies there.

The fast one of two networks that learn from good pictures alone: for parts that always lie alike. Source:
Defard et al., "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization", 2021;
with variances in place of covariances, which a hundred pictures do not tell.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from foveal.models import Card, _features
from foveal.models._places import OnlyGood, Pictures, Places, check_kinds

CARD = Card(
    family="gaussian",
    kind="network",
    source="after Defard et al. 2021 (PaDiM)",
    summary="learns from good parts alone, in a minute, where parts always lie alike",
    idea="Each place has a mean and a variance over good pictures; the backbone stays as it is.",
    smallest_size=32,
    task="defect",
)
_LEAST = 1.0  # of the mean variance that is added to each: a few pictures know small ones badly


class Gaussian(OnlyGood):
    """See the module; built by `gaussian`."""

    passes = 4
    mean: Tensor
    scale: Tensor

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        shape = (len(places.projection), *places.sides)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))
        self._pictures = 0

    def distances(self, found: Tensor) -> Tensor:
        """Return the distance of each place from its mean, in deviations, (N, h, w)."""
        return ((found - self.mean) * self.scale).square().mean(dim=1).clamp_min(1e-12).sqrt()

    def remember(self, found: Pictures, seed: int) -> None:
        """Take in mean and variance of each place; nothing is drawn."""
        count, total, squares = 0, torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        for one in found():
            count, total, squares = count + len(one), total + one.sum(dim=0), squares + one.square().sum(0)
        self._pictures = count
        self.mean.copy_(total / count)
        variance = (squares / count - self.mean.square()).clamp_min(0)
        self.scale.copy_((variance + _LEAST * variance.mean()).clamp_min(1e-12).rsqrt())


def gaussian(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    backbone: str = _features.DENSE,
    depths: Sequence[int] = (0, 1, 2),
    dimensions: int = 96,
    step: int = 16,
) -> Gaussian:
    """Return a new network that has seen nothing.

    Args:
        channels: Of the images, ≥ 1.
        classes: 2: what is good, and what is not.
        size: Height and width of the input in pixels; any multiples of 32.
        backbone: `dense`, whose filters are random, or a classifier whose weights are known.
        depths: Which of its maps are joined: 0 at 1/4 of the side to 3 at 1/32.
        dimensions: Numbers that are kept of each place.
        step: Pixels between two places.
    """
    check_kinds(classes)
    places = Places(
        backbone=backbone, channels=channels, size=size, depths=depths, dimensions=dimensions, step=step
    )
    return Gaussian(places)
