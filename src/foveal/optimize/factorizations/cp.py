"""A sum of products of four vectors: 1×1, a column and a row per channel, 1×1 (CP).

Source: Lebedev et al., "Speeding-up Convolutional Neural Networks Using Fine-tuned CP-Decomposition", 2015;
found by alternating least squares. A best sum need not exist: terms may grow without bound while they cancel
each other (De Silva & Lim, "Tensor Rank and the Ill-Posedness of the Best Low-Rank Approximation Problem",
2008). Such factors are useless in float32, so the terms are held down, and a sum whose terms still are far
larger than itself is given up.
"""

import torch
from torch import Tensor

from foveal.core.random import stream
from foveal.optimize.factorizations._factorization import Factorization, Part, Ranks, Shape, weighted

_ROUNDS = 100
_ENOUGH = 1e-3  # relative change of the error in a round
_RIDGES = (1e-9, 1e-4, 1e-2)  # how strongly terms are held down, in turn until they do not cancel
_LARGEST_TERMS = 5.0  # squared lengths of all terms together, relative to the sum's


def _parts(shape: Shape, ranks: Ranks) -> tuple[Part, ...]:
    outputs, inputs, height, width = shape
    rank = ranks[0]
    return (
        Part((rank, inputs, 1, 1), along=(False, False)),
        Part((rank, 1, height, 1), along=(True, False), groups=rank),
        Part((rank, 1, 1, width), along=(False, True), groups=rank),
        Part((outputs, rank, 1, 1), along=(False, False)),
    )


def _factors(weight: Tensor, ranks: Ranks, metric: Tensor | None) -> tuple[Tensor, ...] | None:
    seen, inverse = weighted(weight, metric)
    for ridge in _RIDGES:
        out, into, column, row = _alternate(seen, ranks[0], ridge)
        if _terms(out, into, column, row) <= _LARGEST_TERMS:
            break
    else:
        return None
    if inverse is not None:
        into = inverse @ into
    return (
        into.T[:, :, None, None],
        column.T[:, None, :, None],
        row.T[:, None, None, :],
        out[:, :, None, None],
    )


def _alternate(weight: Tensor, rank: int, ridge: float) -> list[Tensor]:
    factors = [_start(weight, mode, rank) for mode in range(4)]
    total, before = weight.square().sum(), torch.inf
    for _ in range(_ROUNDS):
        for mode in range(4):
            others = [factors[m] for m in range(4) if m != mode]
            gram = torch.stack([f.T @ f for f in others]).prod(0)
            gram = gram + ridge * gram.diagonal().mean() * torch.eye(rank, dtype=gram.dtype)
            letters = "oihw".replace("oihw"[mode], "")
            products = torch.einsum(
                f"oihw,{letters[0]}r,{letters[1]}r,{letters[2]}r->{'oihw'[mode]}r", weight, *others
            )
            factors[mode] = torch.linalg.solve(gram, products.T).T
        lengths = torch.stack([f.norm(dim=0).clamp_min(1e-30) for f in factors])
        each = lengths.log().mean(0).exp()  # the four vectors of a term share its length
        factors = [f / length * each for f, length in zip(factors, lengths, strict=True)]
        error = float((weight - _sum(factors)).square().sum() / total)
        if abs(before - error) <= _ENOUGH * max(error, 1e-12):
            break
        before = error
    return factors


def _start(weight: Tensor, mode: int, rank: int) -> Tensor:
    """Return the first singular vectors of one side, filled up with seeded noise."""
    basis: Tensor = torch.linalg.svd(weight.transpose(0, mode).flatten(1), full_matrices=False)[0]
    basis = basis[:, :rank]
    noise = stream(0, "cp", mode).normal(size=(weight.shape[mode], rank))
    start: Tensor = torch.from_numpy(noise).to(weight.dtype) / weight.shape[mode] ** 0.5
    start[:, : basis.shape[1]] += basis
    return start


def _sum(factors: list[Tensor]) -> Tensor:
    return torch.einsum("or,ir,hr,wr->oihw", *factors)


def _terms(*factors: Tensor) -> float:
    terms = torch.stack([f.square().sum(0) for f in factors]).prod(0).sum()
    return float(terms / _sum(list(factors)).square().sum().clamp_min(1e-30))


def _most(shape: Shape) -> Ranks:
    sizes = sorted(shape)
    return (sizes[0] * sizes[1] * sizes[2],)


cp = Factorization(metric="channels", parts=_parts, factors=_factors, most=_most, spectra=None)
