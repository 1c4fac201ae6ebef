"""Fewer filters, then a mix of them: the singular value decomposition of outputs × whole patches.

It cuts a linear layer and a 1×1 convolution in two, and a k×k convolution into a k×k one with fewer filters
and a 1×1 one (Zhang et al., "Accelerating Very Deep Convolutional Networks for Classification and Detection",
2016, §3.1). In the metric of the inputs W̃ = U Uᵀ W, U being the first left singular vectors of W S^½: no
inverse is needed, and no other W̃ of that rank has a smaller mean square error on those inputs.
"""

import torch
from torch import Tensor

from foveal.optimize.factorizations._factorization import Factorization, Part, Ranks, Shape, roots


def _parts(shape: Shape, ranks: Ranks) -> tuple[Part, ...]:
    outputs, inputs, height, width = shape
    return (
        Part((ranks[0], inputs, height, width), along=(True, True)),
        Part((outputs, ranks[0], 1, 1), along=(False, False)),
    )


def _factors(weight: Tensor, ranks: Ranks, metric: Tensor | None) -> tuple[Tensor, ...]:
    matrix = weight.flatten(1)
    left, values, right = torch.linalg.svd(_seen(matrix, metric), full_matrices=False)
    left = left[:, : ranks[0]]
    filters = left.T @ matrix if metric is not None else values[: ranks[0], None] * right[: ranks[0]]
    return filters.view(ranks[0], *weight.shape[1:]), left[:, :, None, None]


def _spectra(weight: Tensor, metric: Tensor | None) -> tuple[Tensor, ...]:
    return (torch.linalg.svdvals(_seen(weight.flatten(1), metric)),)


def _seen(matrix: Tensor, metric: Tensor | None) -> Tensor:
    return matrix if metric is None else matrix @ roots(metric, floor=0.0)[0]


svd = Factorization(
    metric="patches",
    parts=_parts,
    factors=_factors,
    most=lambda shape: (min(shape[0], shape[1] * shape[2] * shape[3]),),
    spectra=_spectra,
)
