"""Fill in the parts of a picture that were hidden.

A transformer sees only the patches that are not hidden (He et al., "Masked Autoencoders Are Scalable Vision
Learners", 2022). Other networks need a whole picture: hidden patches hold a learned value (Xie et al.,
"SimMIM: A Simple Framework for Masked Image Modeling", 2022).
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext
from foveal.train.pretexts._restorers import MapRestorer, TokenRestorer, sees_patches
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS = {
    "hidden": Setting(
        0.0, 0, 0.95, "share of the patches that is hidden; 0: 0.75 of a transformer's, else 0.6"
    ),
}
_CHANGES = Changes(least=0.4, color=0)
_GRID = 8  # patches across a picture that is not a transformer's
_OF_TOKENS, _OF_MAPS = 0.75, 0.6


def patches(images: Tensor, side: int) -> Tensor:
    """Return the values of square patches, (N, L, side² C), row after row; what does not divide is left out.

    Args:
        images: (N, C, H, W).
        side: Of a patch in pixels.
    """
    across = images.shape[3] // side
    down = images.shape[2] // side
    count, channels = images.shape[:2]
    cut = images[:, :, : down * side, : across * side].reshape(count, channels, down, side, across, side)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(count, down * across, side**2 * channels)


def joined(values: Tensor, side: int, *, across: int) -> Tensor:
    """Return the picture of patches, (N, C, H, W): what `patches` cuts, put together again."""
    count, places, numbers = values.shape
    down, channels = places // across, numbers // side**2
    laid = values.reshape(count, down, across, side, side, channels)
    return laid.permute(0, 5, 1, 3, 2, 4).reshape(count, channels, down * side, across * side)


def hidden_places(count: int, places: int, share: float, generator: torch.Generator) -> Tensor:
    """Return which places of each picture are hidden, bool (count, places), equally many of each."""
    hidden = min(places - 1, max(1, round(share * places)))
    rank = torch.rand(count, places, generator=generator).argsort(dim=1).argsort(dim=1)
    return rank < hidden


class Mae(Pretext):
    """See the module."""

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        size, channels = preprocess.size, preprocess.channels
        self.restore: TokenRestorer | MapRestorer
        if sees_patches(network):
            self.restore = TokenRestorer(network, channels=channels)
            self.share = settings["hidden"] or _OF_TOKENS
        else:
            self.restore = MapRestorer(network, channels=channels, size=size, patch=max(1, size // _GRID))
            self.share = settings["hidden"] or _OF_MAPS

    def heads(self) -> list[nn.Module]:
        """Return what restores pictures from features."""
        return [self.restore]

    @torch.no_grad()
    def _hidden(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return a view of each picture, (N, C, H, W), and which of its patches are hidden, bool (N, L)."""
        with torch.autocast("cpu", enabled=False):
            images = view(batch.images, self.preprocess, _CHANGES, batch.generator)
            places = patches(images[:1], self.restore.patch).shape[1]
            return images, hidden_places(len(images), places, self.share, batch.generator)

    def views(self, batch: Batch) -> list[Tensor]:
        """Return one view of each picture, with the mean of all pictures in place of hidden patches."""
        images, hidden = self._hidden(batch)
        return [self._joined(patches(images, self.restore.patch).masked_fill(hidden[..., None], 0.0))]

    @torch.no_grad()
    def restored(self, batch: Batch) -> list[Tensor]:
        """Return what `views` returns, and the same with what the network puts in place of hidden patches.

        It is asked for patches of mean 0 and deviation 1; each gets back its own, which it was not told.
        """
        images, hidden = self._hidden(batch)
        values = patches(images, self.restore.patch)
        deviation, mean = torch.std_mean(values, dim=-1, keepdim=True)
        found = self.restore(self.network, images, hidden).float() * (deviation + 1e-3) + mean
        covered = values.masked_fill(hidden[..., None], 0.0)
        return [self._joined(covered), self._joined(torch.where(hidden[..., None], found, values))]

    def _joined(self, values: Tensor) -> Tensor:
        return joined(values, self.restore.patch, across=self.preprocess.size // self.restore.patch)

    def forward(self, batch: Batch) -> Losses:
        """Return the mean squared error of hidden patches alone, each brought to mean 0 and deviation 1."""
        images, hidden = self._hidden(batch)
        wanted = normalized(patches(images, self.restore.patch))
        restored = self.restore(self.network, images, hidden).float()
        return Losses(F.mse_loss(restored[hidden], wanted[hidden]), torch.zeros(()), 0)


def normalized(values: Tensor) -> Tensor:
    """Return patches with mean 0 and deviation 1 each (He et al. 2022, §4.1)."""
    deviation, mean = torch.std_mean(values, dim=-1, keepdim=True)
    return (values - mean) / (deviation + 1e-3)
