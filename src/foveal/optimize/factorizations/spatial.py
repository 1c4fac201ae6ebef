"""A column, then a row: k×1 and 1×k instead of k×k.

Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions", 2014,
scheme 2; solved at once by the singular value decomposition of (inputs · height) × (outputs · width).
"""

import torch
from torch import Tensor

from foveal.optimize.factorizations._factorization import Factorization, Part, Ranks, Shape, weighted


def _parts(shape: Shape, ranks: Ranks) -> tuple[Part, ...]:
    outputs, inputs, height, width = shape
    return (
        Part((ranks[0], inputs, height, 1), along=(True, False)),
        Part((outputs, ranks[0], 1, width), along=(False, True)),
    )


def _factors(weight: Tensor, ranks: Ranks, metric: Tensor | None) -> tuple[Tensor, ...]:
    outputs, inputs, height, width = weight.shape
    seen, inverse = weighted(weight, metric)
    left, values, right = torch.linalg.svd(_matrix(seen), full_matrices=False)
    share = values[: ranks[0]].sqrt()
    columns = (left[:, : ranks[0]] * share).T.reshape(ranks[0], inputs, height, 1)
    if inverse is not None:
        columns = torch.einsum("rihw,ij->rjhw", columns, inverse)
    rows = (share[:, None] * right[: ranks[0]]).view(ranks[0], outputs, 1, width).transpose(0, 1)
    return columns, rows


def _spectra(weight: Tensor, metric: Tensor | None) -> tuple[Tensor, ...]:
    return (torch.linalg.svdvals(_matrix(weighted(weight, metric)[0])),)


def _matrix(weight: Tensor) -> Tensor:
    return weight.permute(1, 2, 0, 3).flatten(2).flatten(0, 1)


spatial = Factorization(
    metric="channels",
    parts=_parts,
    factors=_factors,
    most=lambda shape: (min(shape[1] * shape[2], shape[0] * shape[3]),),
    spectra=_spectra,
)
