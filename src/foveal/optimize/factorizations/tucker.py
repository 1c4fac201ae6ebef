"""Fewer channels inside: 1×1 down, a small k×k, 1×1 up (Tucker-2).

Source: Kim et al., "Compression of Deep Convolutional Neural Networks for Fast and Low Power Mobile
Applications", 2016, §3.1; the two bases by higher-order orthogonal iteration (De Lathauwer et al., "On the
Best Rank-1 and Rank-(R1, …, RN) Approximation of Higher-Order Tensors", 2000, algorithm 4.2).
"""

import torch
from torch import Tensor

from foveal.optimize.factorizations._factorization import Factorization, Part, Ranks, Shape, weighted

_ROUNDS = 25
_ENOUGH = 1e-10  # relative gain of a round


def _parts(shape: Shape, ranks: Ranks) -> tuple[Part, ...]:
    outputs, inputs, height, width = shape
    return (
        Part((ranks[1], inputs, 1, 1), along=(False, False)),
        Part((ranks[0], ranks[1], height, width), along=(True, True)),
        Part((outputs, ranks[0], 1, 1), along=(False, False)),
    )


def _factors(weight: Tensor, ranks: Ranks, metric: Tensor | None) -> tuple[Tensor, ...]:
    seen, inverse = weighted(weight, metric)
    up, down = _basis(seen, ranks[0]), _basis(seen.transpose(0, 1), ranks[1])
    before = 0.0
    for _ in range(_ROUNDS):
        up = _basis(torch.einsum("oihw,ij->ojhw", seen, down), ranks[0])
        down = _basis(torch.einsum("oihw,oj->ijhw", seen, up), ranks[1])
        core = torch.einsum("oihw,oa,ib->abhw", seen, up, down)
        kept = float(core.square().sum())
        if kept - before <= _ENOUGH * kept:
            break
        before = kept
    if inverse is not None:
        down = inverse @ down
    return down.T[:, :, None, None], core, up[:, :, None, None]


def _basis(tensor: Tensor, rank: int) -> Tensor:
    """Return the first left singular vectors of a tensor laid out along its first dimension."""
    left: Tensor = torch.linalg.svd(tensor.flatten(1), full_matrices=False)[0]
    return left[:, :rank]


def _spectra(weight: Tensor, metric: Tensor | None) -> tuple[Tensor, ...]:
    seen = weighted(weight, metric)[0]
    return tuple(torch.linalg.svdvals(t.flatten(1)) for t in (seen, seen.transpose(0, 1)))


def _most(shape: Shape) -> Ranks:
    outputs, inputs, area = shape[0], shape[1], shape[2] * shape[3]
    return min(outputs, inputs * area), min(inputs, outputs * area)


def _feasible(shape: Shape, ranks: Ranks) -> Ranks:
    """Return ranks of which neither is larger than what the other one and the kernel leave room for."""
    area = shape[2] * shape[3]
    return min(ranks[0], ranks[1] * area), min(ranks[1], ranks[0] * area)


tucker = Factorization(
    metric="channels", parts=_parts, factors=_factors, most=_most, spectra=_spectra, feasible=_feasible
)
