"""A network that has forgotten all it learned and is otherwise the same."""

import copy

import torch
from torch import nn

from foveal.core.errors import UsageError
from foveal.core.random import seed_for


@torch.no_grad()
def shuffled(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """Return a copy in which the values of every parameter are in random order.

    Any module can be treated so, and every layer keeps the size of its weights: a network that was built anew
    may answer next to nothing, and its maps would be noise of no meaning. Statistics of batch norms stay.

    Source of the idea: Adebayo et al., 2018, §3.1, where weights are drawn anew.

    Args:
        network: Left alone.
        seed: Of the order.

    Raises:
        UsageError: `no_weights`: there is nothing to put in another order, and the copy would be the same.
    """
    if not any(values.numel() > 1 for values in network.parameters()):
        raise UsageError("the network has no weights to put in random order", code="no_weights")
    forgotten = copy.deepcopy(network)
    for name, values in forgotten.named_parameters():
        generator = torch.Generator().manual_seed(seed_for(seed, "shuffled", name))
        order = torch.randperm(values.numel(), generator=generator)
        values.copy_(values.flatten()[order].view_as(values))
    return forgotten.eval()
