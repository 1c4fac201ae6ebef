"""Tell in which order the tiles of a picture were laid.

Source: Noroozi & Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", 2016.
Its puzzle has nine tiles and a part of their orders; small pictures bear four, in all of their orders.
"""

from collections.abc import Mapping
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext, at_side, side_taken
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS = {
    "gap": Setting(0.125, 0, 0.5, "share of a tile's side that its neighbour may be away, by chance"),
}
SIDE = 2  # tiles across and down
ORDERS = torch.tensor(list(permutations(range(SIDE**2))))  # (24, 4)
_CHANGES = Changes(least=0.6, color=0.2)


def tiles(images: Tensor, *, gap: float, generator: torch.Generator) -> Tensor:
    """Return the tiles of pictures, (N, 4, C, s, s), each cut out of its quarter where chance says.

    Neighbours do not touch, so that no edge goes on; each tile has mean 0 and deviation 1, so that no
    brightness does. Both would tell the order without a look at what is shown (paper, §4.2).

    Args:
        images: (N, C, H, H).
        gap: Share of a quarter's side that is left out, in [0, 0.5].
        generator: The only source of randomness.
    """
    count, _, height, _ = images.shape
    quarter = height // SIDE
    left_out = round(gap * quarter)
    side = quarter - left_out
    shifts = torch.randint(left_out + 1, (2, count, SIDE**2), generator=generator)
    corner = quarter * torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))
    rows = (corner[:, 0] + shifts[0])[..., None] + torch.arange(side)
    columns = (corner[:, 1] + shifts[1])[..., None] + torch.arange(side)
    which = torch.arange(count)[:, None, None, None]
    cut = images.permute(0, 2, 3, 1)[which, rows[..., :, None], columns[..., None, :]]
    cut = cut.permute(0, 1, 4, 2, 3)
    mean = cut.mean(dim=(2, 3, 4), keepdim=True)
    deviation = cut.std(dim=(2, 3, 4), keepdim=True)
    return (cut - mean) / (deviation + 1e-3)


class Jigsaw(Pretext):
    """See the module. The network sees one tile at a time; only what reads all of them knows their places."""

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        size = preprocess.size
        tile = size // SIDE - round(settings["gap"] * (size // SIDE))
        self.side = side_taken(network, channels=preprocess.channels, size=size, side=tile)
        self.read = nn.Sequential(
            nn.Linear(SIDE**2 * dimensions, 2 * dimensions, bias=False),
            nn.BatchNorm1d(2 * dimensions),
            nn.ReLU(),
            nn.Linear(2 * dimensions, len(ORDERS)),
        )

    def heads(self) -> list[nn.Module]:
        """Return what reads the tiles."""
        return [self.read]

    @torch.no_grad()
    def _laid(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the tiles of each picture in one order, (N, 4, C, s, s), and which, int64 (N,)."""
        with torch.autocast("cpu", enabled=False):
            seen = view(batch.images, self.preprocess, _CHANGES, batch.generator)
            cut = tiles(seen, gap=self.settings["gap"], generator=batch.generator)
            orders = torch.randint(len(ORDERS), (len(cut),), generator=batch.generator)
            return cut[torch.arange(len(cut))[:, None], ORDERS[orders]], orders

    def views(self, batch: Batch) -> list[Tensor]:
        """Return the tiles of each picture, in the order in which they were laid."""
        return list(self._laid(batch)[0].unbind(1))

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one order of each picture's tiles."""
        laid, orders = self._laid(batch)
        each = at_side(laid.flatten(0, 1), self.side)
        features = self.network(each).unflatten(0, (len(laid), -1)).flatten(1)
        logits = self.read(features).float()
        return Losses(F.cross_entropy(logits, orders), (logits.argmax(dim=1) == orders).sum(), len(laid))
