"""Tell by how many quarter turns a picture was turned.

Source: Gidaris et al., "Unsupervised Representation Learning by Predicting Image Rotations", 2018.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS: dict[str, Setting] = {}
TURNS = 4
# Which part of the picture is seen changes before it is turned: what lies at its edge must not tell.
_CHANGES = Changes(least=0.5, color=0.2)


def turned(images: Tensor) -> list[Tensor]:
    """Return pictures (N, C, H, H) turned by 0, 1, 2 and 3 quarters.

    Turns are exact: no value is computed anew that would tell them.
    """
    return [images.rot90(turn, (2, 3)) for turn in range(TURNS)]


class Rotation(Pretext):
    """See the module."""

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        self.tell = nn.Linear(dimensions, TURNS)

    def heads(self) -> list[nn.Module]:
        """Return the layer that tells the turn."""
        return [self.tell]

    @torch.no_grad()
    def views(self, batch: Batch) -> list[Tensor]:
        """Return one view of each picture, turned by 0, 1, 2 and 3 quarters."""
        with torch.autocast("cpu", enabled=False):
            return turned(view(batch.images, self.preprocess, _CHANGES, batch.generator))

    def forward(self, batch: Batch) -> Losses:
        """Return the loss over all four turns of each picture, which are in one batch."""
        views = self.views(batch)
        quarters = torch.arange(TURNS).repeat_interleave(len(views[0]))
        seen = torch.cat(views).contiguous(memory_format=torch.channels_last)
        logits = self.tell(self.network(seen)).float()
        return Losses(
            F.cross_entropy(logits, quarters), (logits.argmax(dim=1) == quarters).sum(), len(quarters)
        )
