"""Weights set to zero where they matter least: a file that compresses better, and nothing faster.

Shapes stay, and no engine here skips zeros: the gain is in bytes sent or stored compressed, as `Sparsity`
measures them. Fine-tuning applies the masks again after each step.
"""

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.tasks.recognizer import Recognizer, weights_bytes

Masks = dict[str, Tensor]


@dataclass(frozen=True)
class Sparsity:
    """What came of it.

    Attributes:
        recognizer: With the zeros.
        masks: Name of a weight → bool tensor of its shape, False where it is zero; for `masked`.
        zeros: Share of all weights of convolutions and linear layers that are zero.
        bytes_before: Of the weights as `weights.safetensors`, compressed by zlib at level 9.
        bytes_after: The same with the zeros.
    """

    recognizer: Recognizer
    masks: Masks
    zeros: float
    bytes_before: int
    bytes_after: int


def sparsify(
    recognizer: Recognizer, *, share: float | None = None, pattern: tuple[int, int] | None = None
) -> Sparsity:
    """Return the recognizer with weights of convolutions and linear layers set to zero.

    Args:
        recognizer: Left alone.
        share: In [0, 1): so many of all weights together, the smallest magnitudes in the whole network.
        pattern: (n, m): of each m weights in a row along the inputs, the n largest stay; (2, 4) is what
            sparse tensor cores take (Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural
            Networks From Scratch", 2021). A layer whose inputs do not divide by m stays as it is.

    Raises:
        UsageError: Not exactly one of `share` and `pattern`, or out of range.
    """
    if (share is None) == (pattern is None):
        raise UsageError("give either share or pattern", hint="share=0.5, or pattern=(2, 4)")
    weights = _weights(recognizer.network)
    if pattern is not None:
        masks = {name: _rows(weight, *_checked(pattern)) for name, weight in weights.items()}
    else:
        masks = _smallest(weights, share if share is not None else 0.0)
    sparse = replace(recognizer, network=masked(recognizer.network, masks))
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int((w != 0).sum()) for w in _weights(sparse.network).values())
    return Sparsity(sparse, masks, 1 - kept / max(total, 1), _compressed(recognizer), _compressed(sparse))


def masked(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a network with zeros where the masks are False."""
    copied = copy.deepcopy(network)
    apply(copied, masks)
    return copied


@torch.no_grad()
def apply(network: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set a network's weights to zero where the masks are False: after each step of a fine-tuning."""
    parameters = dict(network.named_parameters())
    for name, mask in masks.items():
        parameters[name].masked_fill_(~mask, 0.0)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {
        f"{name}.weight" if name else "weight": module.weight.detach()
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def _smallest(weights: dict[str, Tensor], share: float) -> Masks:
    if not 0 <= share < 1:
        raise UsageError(f"share lies in [0, 1); got {share}")
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights.values()])
    keep = torch.ones(len(magnitudes), dtype=torch.bool)
    keep[magnitudes.argsort(stable=True)[: round(share * len(magnitudes))]] = False
    parts = torch.split(keep, [weight.numel() for weight in weights.values()])
    return {name: part.view(w.shape) for (name, w), part in zip(weights.items(), parts, strict=True)}


def _checked(pattern: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= pattern[0] <= pattern[1]:
        raise UsageError(f"a pattern keeps n of m with 1 ≤ n ≤ m; got {pattern}")
    return pattern


def _rows(weight: Tensor, kept: int, of: int) -> Tensor:
    """Return True for the `kept` largest of each `of` in a row along the inputs, (O, I, …)."""
    if weight.shape[1] % of:
        return torch.ones_like(weight, dtype=torch.bool)
    rows = weight.movedim(1, -1)
    groups = rows.reshape(-1, of).abs()
    mask = torch.zeros_like(groups, dtype=torch.bool)
    mask.scatter_(1, groups.argsort(dim=1, descending=True, stable=True)[:, :kept], True)
    return mask.view(rows.shape).movedim(-1, 1)


def _compressed(recognizer: Recognizer) -> int:
    return len(zlib.compress(weights_bytes(recognizer), 9))
