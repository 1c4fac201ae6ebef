"""The last layer of a classifier, and what comes before it."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.models._pooling import SignedRootMeanSquare


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


@torch.no_grad()
def answer_scale(network: nn.Module, *, channels: int, size: int) -> float:
    """Return what a network multiplies the answers of its head with; of most it is 1, of nano 1/8.

    It is asked about noise, with a head of random weights and with the opposite of that head: what follows a
    head must not depend on the sign of its answers.

    Args:
        network: In eval mode; it is left alone.
        channels: Of its pictures.
        size: Their side in pixels.

    Raises:
        UsageError: `head_not_last`: its answers are something else than a multiple of those of a last linear
            layer with a bias, so that a head that is fitted to features would not decide as it was fitted.
    """
    _, old = head_of(network)
    noise = torch.Generator().manual_seed(0)
    picture = torch.randn(1, channels, size, size, generator=noise)
    head = nn.Linear(old.in_features, old.out_features)
    head.weight.copy_(torch.randn(head.weight.shape, generator=noise))
    head.bias.copy_(torch.randn(head.bias.shape, generator=noise))
    first = _scale_of(network, head, picture)
    head.weight.neg_()
    head.bias.neg_()
    second = _scale_of(network, head, picture)
    # A multiple that is no power of two is rounded once more by each of its answers.
    if old.bias is None or first is None or second is None or not math.isclose(first, second, rel_tol=1e-5):
        raise UsageError(
            f"{type(network).__name__} does not end in a linear layer with a bias: no head fits it",
            code="head_not_last",
            hint="train it from scratch, or start from weights of another model",
        )
    return first


def _scale_of(network: nn.Module, head: nn.Linear, picture: Tensor) -> float | None:
    """Return what a network multiplies the answers of a head with, or None where it does something else."""
    calls: list[tuple[Tensor, Tensor]] = []
    hook = head.register_forward_hook(lambda _, given, answers: calls.append((given[0], answers)))
    found = with_head(network, head)(picture)
    hook.remove()
    if len(calls) != 1 or calls[0][0].ndim != 2 or calls[0][1].shape != found.shape:
        return None
    scale = (found / calls[0][1]).nanmedian()
    return float(scale) if torch.allclose(found, calls[0][1] * scale, rtol=1e-3) else None


def without_expansion(network: nn.Module, expansion: Sequence[str]) -> nn.Module:
    """Return a network whose head reads what an expansion would have widened; it is changed in place.

    In place of the expansion and of the mean over its maps, the narrow maps are pooled by their squares.

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
    layers: dict[str, nn.Module] = {one: nn.Identity() for one in expansion}
    layers[expansion[0]] = SignedRootMeanSquare()  # the mean that follows has one value left
    layers[name] = nn.Linear(2 * narrow, head.out_features)
    for place, layer in layers.items():
        parent, _, attribute = place.rpartition(".")
        setattr(network.get_submodule(parent), attribute, layer)
    return network
