"""Tell the other view of a picture from the views of all other pictures.

Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext, projector
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS = {
    "temperature": Setting(0.2, 0.01, 10, "what similarities are divided by"),
    "outputs": Setting(128, 8, 4096, "numbers that are compared", whole=True),
}


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the loss of two views of N pictures, and how many of the 2 N found their other view first.

    The mean over all 2 N views of -ln(exp(s(i, j) / T) / Σ exp(s(i, k) / T)), k ≠ i, where j is the other
    view of i's picture and s the cosine (Chen et al. 2020, eq. 1). Where all outputs are alike it is
    ln(2 N - 1).

    Args:
        first: Outputs (N, D), N ≥ 2, in any scale.
        second: Of the other views of the same pictures, (N, D).
        temperature: T above 0.
    """
    outputs = F.normalize(torch.cat([first, second]).float(), dim=1)
    similar = outputs @ outputs.T / temperature
    similar = similar.masked_fill(torch.eye(len(outputs), dtype=torch.bool), -torch.inf)
    others = torch.arange(len(outputs)).roll(len(first))
    return F.cross_entropy(similar, others), (similar.detach().argmax(dim=1) == others).sum()


class SimClr(Pretext):
    """See the module."""

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        self.project = projector(dimensions, 2 * dimensions, int(settings["outputs"]))

    def heads(self) -> list[nn.Module]:
        """Return the projector."""
        return [self.project]

    @torch.no_grad()
    def views(self, batch: Batch) -> list[Tensor]:
        """Return two views of each picture."""
        with torch.autocast("cpu", enabled=False):
            return [view(batch.images, self.preprocess, Changes(), batch.generator) for _ in range(2)]

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of two views of each picture; both go through the network together."""
        first, second = self.project(self.network(torch.cat(self.views(batch)))).chunk(2)
        with torch.autocast("cpu", enabled=False):
            loss, found = nt_xent(first, second, temperature=self.settings["temperature"])
        return Losses(loss, found, 2 * len(batch.labels))
