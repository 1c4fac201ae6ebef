"""Memory: places of good pictures, kept; what is far from all of them, or unusual where it lies, is a defect.

Source: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", 2022 (PatchCore), with the
greedy choice of Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach",
2018. The bank has a fixed size whatever the number of pictures, and its nearest is found by one matrix
product. To that distance the one of `gaussian` is added, each as a multiple of what is usual: a bank does not
know where a place lies, and a mean not what else there is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from foveal.models import Card, _features
from foveal.models._places import Pictures, Places, check_kinds
from foveal.models.defects.gaussian import Gaussian

CARD = Card(
    family="memory",
    kind="network",
    source="after Roth et al. 2022 (PatchCore)",
    summary="the default where only good parts are known: learns from them in a minute",
    idea="Places of good pictures are kept; what is far from them, or unusual where it lies, is a defect.",
    smallest_size=32,
    task="defect",
)
_CANDIDATES = 40_000  # places of all good pictures that may be kept


class Memory(Gaussian):
    """See the module; built by `memory`."""

    passes = 5
    bank: Tensor
    usual: Tensor

    def __init__(self, places: Places, kept: int) -> None:
        super().__init__(places)
        self.register_buffer("bank", torch.zeros(kept, len(places.projection)))
        self.register_buffer("usual", torch.ones(2))

    def distances(self, found: Tensor) -> Tensor:
        """Return how far each place is from what is usual there, and from what is kept, (N, h, w)."""
        here = super().distances(found)
        far = self._from_bank(found.flatten(2).transpose(1, 2)).reshape(here.shape)
        return here / self.usual[0] + far / self.usual[1]

    def _from_bank(self, rows: Tensor) -> Tensor:
        """Return how far places (…, M, D) are from the nearest one that is kept, (…, M)."""
        nearest = (self.bank.square().sum(dim=1) - 2 * (rows @ self.bank.T)).amin(dim=-1)
        return (rows.square().sum(dim=-1) + nearest).clamp_min(1e-12).sqrt()

    def remember(self, found: Pictures, seed: int) -> None:
        """Keep places that cover all others: again and again the one that is furthest from those kept."""
        super().remember(found, seed)
        generator = torch.Generator().manual_seed(seed)
        each = max(1, min(self.places.sides[0] * self.places.sides[1], _CANDIDATES // self._pictures))
        some, here = [], []
        for one in found():
            here.append(super().distances(one).mean(dim=(1, 2)))
            drawn = torch.stack([torch.randperm(one[0, 0].numel(), generator=generator) for _ in one])
            rows = one.flatten(2).transpose(1, 2)
            some.append(torch.gather(rows, 1, drawn[:, :each, None].expand(-1, -1, rows.shape[2])))
        rows = torch.cat(some).flatten(0, 1)
        self._choose(rows[torch.randperm(len(rows), generator=generator)])
        self.usual.copy_(torch.stack([torch.cat(here).mean(), self._from_bank(rows).mean()]).clamp_min(1e-6))

    def _choose(self, rows: Tensor) -> None:
        squares = rows.square().sum(dim=1)
        nearest, chosen = torch.full((len(rows),), torch.inf), 0
        for place in range(len(self.bank)):
            self.bank[place] = rows[chosen]
            nearest = torch.minimum(nearest, squares + squares[chosen] - 2 * (rows @ rows[chosen]))
            chosen = int(nearest.argmax())


def memory(  # noqa: PLR0913 - a builder has three of every network; this one adds five
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    backbone: str = _features.DENSE,
    depths: Sequence[int] = (0, 1, 2),
    dimensions: int = 96,
    step: int = 16,
    kept: int = 1000,
) -> Memory:
    """Return a new network that has seen nothing.

    Args:
        channels: Of the images, ≥ 1.
        classes: 2: what is good, and what is not.
        size: Height and width of the input in pixels; any multiples of 32.
        backbone: `dense`, whose filters are random, or a classifier whose weights are known.
        depths: Which of its maps are joined: 0 at 1/4 of the side to 3 at 1/32.
        dimensions: Numbers that are kept of each place.
        step: Pixels between two places.
        kept: Places that are remembered.
    """
    check_kinds(classes)
    places = Places(
        backbone=backbone, channels=channels, size=size, depths=depths, dimensions=dimensions, step=step
    )
    return Memory(places, kept)
