"""A network that follows another one slowly: the mean teacher of contrast and distillation."""

import copy
import math

import torch
from torch import Tensor, nn


def follower(network: nn.Module) -> nn.Module:
    """Return a copy of a network that no gradient moves."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(follower: nn.Module, network: nn.Module, *, momentum: float) -> None:
    """Move the parameters of a follower: k ← m k + (1 - m) q. Its buffers stay its own.

    Statistics of batch norm are those of what the follower has seen itself.

    Args:
        follower: Changed in place.
        network: What it follows.
        momentum: m in [0, 1].
    """
    behind: list[Tensor] = list(follower.parameters())
    ahead: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(behind, ahead, 1 - momentum)


def rising(share: float, *, start: float) -> float:
    """Return a momentum that rises from `start` to 1 by half a cosine (Grill et al., 2020, §3.2).

    >>> [round(rising(share, start=0.5), 3) for share in (0.0, 0.5, 1.0)]
    [0.5, 0.75, 1.0]
    """
    return 1 - (1 - start) * (1 + math.cos(math.pi * share)) / 2
