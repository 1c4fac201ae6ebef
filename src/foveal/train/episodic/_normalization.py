"""Batch norm that says whose statistics it uses: all pictures at once would let queries help each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EpisodeNorm(nn.BatchNorm2d):
    """A batch norm that can take its statistics from the first pictures of a batch alone.

    Parameters, buffers and their names are those of `nn.BatchNorm2d`, and so is what it does as long as
    nobody asks for more. With `first` set it is a pure function: running statistics are neither used nor
    changed. Where the first pictures are a support set, what a query becomes depends on no other query.
    Source: Bronskill et al., "TaskNorm: Rethinking Batch Normalization for Meta-Learning", 2020 (MetaBN).
    """

    first: int | None = None

    def forward(self, maps: Tensor) -> Tensor:
        """Return normalized maps (N, C, H, W)."""
        if self.first is None:
            return super().forward(maps)
        seen = maps[: self.first]
        variance, mean = torch.var_mean(seen, dim=(0, 2, 3), correction=0)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return maps * scale[:, None, None] + shift[:, None, None]


def with_episode_norms(network: nn.Module) -> nn.Module:
    """Replace the batch norms of a network by such ones, in place, with the same numbers; return it."""
    for name, module in list(network.named_modules()):
        if type(module) is nn.BatchNorm2d and module.affine:
            norm = EpisodeNorm(module.num_features, module.eps, module.momentum)
            norm.load_state_dict(module.state_dict())
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, norm)
    return network


@contextmanager
def statistics_of(network: nn.Module, first: int | None) -> Iterator[None]:
    """Let a network's batch norms use the statistics of the first pictures of each batch; None: the usual."""
    norms = [module for module in network.modules() if isinstance(module, EpisodeNorm)]
    for norm in norms:
        norm.first = first
    try:
        yield
    finally:
        for norm in norms:
            norm.first = None


@torch.no_grad()
def learn_statistics(network: nn.Module, batches: Iterator[Tensor]) -> None:
    """Set running statistics to the means over batches of normalized pictures; nothing else changes.

    A network whose norms only ever saw support sets has none, and statistics of averaged weights are truer
    than averaged statistics. Source: Wu & Johnson, "Rethinking 'Batch' in BatchNorm", 2021, §3.

    Args:
        network: Changed in place, and left in eval mode.
        batches: (N, C, H, W) each.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for images in batches:
        network(images)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
