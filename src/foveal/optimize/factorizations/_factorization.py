"""What a factorization is, and the layers that it becomes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int, int]
Ranks = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One of the smaller convolutions.

    Attributes:
        shape: Of its weight: outputs, inputs per group, height, width.
        groups: 1, or the number of its inputs.
        along: Whether it takes the original's stride, padding and dilation along height and along width.
    """

    shape: Shape
    along: tuple[bool, bool]
    groups: int = 1


@dataclass(frozen=True)
class Factorization:
    """How a weight becomes several.

    Attributes:
        metric: Inputs of which kind its metric is about: whole patches (I · height · width) or channels (I).
        parts: (shape, ranks) → the smaller convolutions, in the order they run.
        factors: (weight, ranks, metric or None) → their weights, float64; None where none was found that is
            safe to use.
        most: Shape → the largest ranks; exact there, except for sums of products (`cp`).
        spectra: (weight, metric or None) → for each rank the singular values that it cuts, in falling order.
            None: no spectrum tells the error in advance.
        feasible: (shape, ranks) → the nearest ranks, none larger, that can be together.
    """

    metric: Literal["patches", "channels"]
    parts: Callable[[Shape, Ranks], tuple[Part, ...]]
    factors: Callable[[Tensor, Ranks, Tensor | None], tuple[Tensor, ...] | None]
    most: Callable[[Shape], Ranks]
    spectra: Callable[[Tensor, Tensor | None], tuple[Tensor, ...]] | None
    feasible: Callable[[Shape, Ranks], Ranks] = lambda shape, ranks: ranks


def work(parts: tuple[Part, ...], stride: tuple[int, int]) -> int:
    """Return the multiply-adds for one position of the output; before a stride there are more positions."""
    total, ahead = 0, [*stride]
    for part in parts:
        ahead = [1 if taken else left for taken, left in zip(part.along, ahead, strict=True)]
        total += math.prod(part.shape) * math.prod(ahead)
    return total


def parameters(parts: tuple[Part, ...]) -> int:
    """Return how many weights the smaller convolutions have, without biases."""
    return sum(math.prod(part.shape) for part in parts)


def convolutions(layer: nn.Conv2d, parts: tuple[Part, ...], weights: tuple[Tensor, ...]) -> nn.Sequential:
    """Return the layers that replace a convolution; the last one has its bias."""
    made: list[nn.Module] = []
    for part, weight in zip(parts, weights, strict=True):
        outputs, inputs, height, width = part.shape
        taken = [
            (int(values[axis]) if part.along[axis] else neutral)
            for values, neutral in ((layer.stride, 1), (layer.padding, 0), (layer.dilation, 1))
            for axis in (0, 1)
        ]
        last = len(made) == len(parts) - 1
        conv = nn.Conv2d(
            inputs * part.groups,
            outputs,
            (height, width),
            stride=(taken[0], taken[1]),
            padding=(taken[2], taken[3]),
            dilation=(taken[4], taken[5]),
            groups=part.groups,
            bias=last and layer.bias is not None,
        )
        made.append(_filled(conv, weight, layer))
    return nn.Sequential(*made)


def linears(layer: nn.Linear, weights: tuple[Tensor, ...]) -> nn.Sequential:
    """Return the two layers that replace a linear one."""
    first, second = (weight[:, :, 0, 0] for weight in weights)
    return nn.Sequential(
        _filled(nn.Linear(first.shape[1], first.shape[0], bias=False), first, layer),
        _filled(nn.Linear(second.shape[1], second.shape[0], bias=layer.bias is not None), second, layer),
    )


@torch.no_grad()
def _filled(
    made: nn.Conv2d | nn.Linear, weight: Tensor, layer: nn.Conv2d | nn.Linear
) -> nn.Conv2d | nn.Linear:
    made = made.to(layer.weight.dtype)
    made.weight.copy_(weight)
    if made.bias is not None and layer.bias is not None:
        made.bias.copy_(layer.bias)
    return made


@torch.no_grad()
def composed(layers: nn.Sequential) -> Tensor:
    """Return the one weight, float64 (O, I, height, width), that layers in a row amount to."""
    total, *others = (_whole(layer) for layer in layers)
    for weight in others:
        outputs, inputs = weight.shape[0], total.shape[1]
        size = [a + b - 1 for a, b in zip(weight.shape[2:], total.shape[2:], strict=True)]
        both = torch.zeros(outputs, inputs, *size, dtype=torch.float64)
        for down in range(weight.shape[2]):
            for across in range(weight.shape[3]):
                block = torch.einsum("om,mihw->oihw", weight[:, :, down, across], total)
                both[:, :, down : down + total.shape[2], across : across + total.shape[3]] += block
        total = both
    return total


def _whole(layer: Any) -> Tensor:
    """Return a weight in four dimensions and without groups."""
    weight: Tensor = layer.weight.detach().double()
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        return torch.diag_embed(weight[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1)
    return weight if weight.ndim == 4 else weight[:, :, None, None]


def roots(metric: Tensor, *, floor: float = 1e-6) -> tuple[Tensor, Tensor]:
    """Return S^½ and S^-½ of a symmetric S ≥ 0.

    Args:
        metric: S.
        floor: Added to all eigenvalues, in units of their mean, so that S^-½ is finite.
    """
    variances, directions = torch.linalg.eigh(metric)
    variances = variances.clamp_min(0)
    raised = (variances + floor * variances.mean().clamp_min(1e-30)).sqrt()
    return (directions * raised) @ directions.T, (directions / raised) @ directions.T


def weighted(weight: Tensor, metric: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return W with S^½ applied to its input channels, and S^-½ to undo it; (W, None) without a metric."""
    if metric is None:
        return weight, None
    root, inverse = roots(metric)
    return torch.einsum("oihw,ij->ojhw", weight, root), inverse
