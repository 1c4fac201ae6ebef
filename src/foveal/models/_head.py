"""The last layer of a classifier, and what comes before it."""

import copy
from collections.abc import Sequence

from torch import nn

from foveal.core.errors import UsageError


def head_of(network: nn.Module) -> tuple[str, nn.Linear]:
    """Return name and layer of a classifier's head: its last linear layer.

    Raises:
        UsageError: `no_head`: it has none.
    """
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not found:
        raise UsageError("the network has no linear layer that decides", code="no_head")
    return found[-1]


def with_head(network: nn.Module, head: nn.Module) -> nn.Module:
    """Return a copy of a classifier that ends in another layer; the network is left alone."""
    name, _ = head_of(network)
    changed = copy.deepcopy(network)
    parent, _, attribute = name.rpartition(".")
    setattr(changed.get_submodule(parent), attribute, head)
    return changed


def without_head(network: nn.Module) -> nn.Module:
    """Return a copy whose answer is what its head would be given: features (N, D)."""
    return with_head(network, nn.Identity())


def without_expansion(network: nn.Module, expansion: Sequence[str]) -> nn.Module:
    """Return a network whose head reads what an expansion would have widened; it is changed in place.

    Args:
        network: A classifier.
        expansion: Names of the layers that go, one after the other, the convolution first; none: nothing
            changes.
    """
    if not expansion:
        return network
    first = network.get_submodule(expansion[0])
    narrow = next(module.in_channels for module in first.modules() if isinstance(module, nn.Conv2d))
    name, head = head_of(network)
    layers = {**{one: nn.Identity() for one in expansion}, name: nn.Linear(narrow, head.out_features)}
    for place, layer in layers.items():
        parent, _, attribute = place.rpartition(".")
        setattr(network.get_submodule(parent), attribute, layer)
    return network
