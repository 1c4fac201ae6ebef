"""Layers written as several smaller ones where that takes fewer multiply-adds."""

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foveal.bundle.session import UInt8
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.optimize import factorizations
from foveal.optimize.factorizations._factorization import (
    Factorization,
    Ranks,
    Shape,
    composed,
    convolutions,
    linears,
    parameters,
    work,
)
from foveal.optimize.input_moments import input_moments
from foveal.tasks.recognizer import Recognizer

Layer = nn.Conv2d | nn.Linear


@dataclass(frozen=True)
class Factored:
    """One layer that became several.

    Attributes:
        name: Of the layer in the network.
        kind: Name of the factorization.
        ranks: How many filters, columns, channels (out, in) or terms are left.
        error: ‖(W − W̃) S^½‖² / ‖W S^½‖², where S is the metric that was used, or 1.
        share: Of the multiply-adds that are left.
    """

    name: str
    kind: str
    ranks: Ranks
    error: float
    share: float


@dataclass(frozen=True)
class LowRank:
    """What came of it.

    Attributes:
        recognizer: With `nn.Sequential` of plain layers in the place of each factored one.
        layers: What was factored.
    """

    recognizer: Recognizer
    layers: tuple[Factored, ...]


def low_rank(
    recognizer: Recognizer,
    *,
    kind: str = "svd",
    energy: float | None = None,
    share: float | None = None,
    pictures: UInt8 | None = None,
    layers: Collection[str] | None = None,
) -> LowRank:
    """Return the recognizer with factored layers; those that would not get cheaper stay as they are.

    Convolutions with groups, and such that do not pad with zeros, stay too; and layers whose weights another
    module reads instead of asking the layer, as shifted windows, folded norms and torch's encoder layers do.
    Linear layers and kernels with a side of 1 are cut in two by `svd`, whatever the kind.

    Args:
        recognizer: Left alone; its batch norms keep their statistics.
        kind: `svd`, `spatial`, `tucker` or `cp`: the files of `optimize/factorizations`.
        energy: In (0, 1]: the smallest ranks that keep this share of a weight's squared length. Not for `cp`.
        share: In (0, 1): the largest ranks with at most this share of a layer's weights.
        pictures: uint8 (M, size, size, C) as served, a few hundred: errors are weighed by what the layers see
            of them. None: all directions count alike.
        layers: Names of the modules to factor; None: all.

    Raises:
        UsageError: Not exactly one of `energy` and `share`, or out of range; `cp` with `energy`.
        UnknownNameError: No such kind.
    """
    method: Factorization = catalog.find(factorizations, kind)
    _check(method, kind, energy, share)
    network = copy.deepcopy(recognizer.network)
    asked = _asked(network, recognizer.blank)
    found = {
        name: module
        for name, module in network.named_modules()
        if _fits(module) and name in asked and (layers is None or name in layers)
    }
    chosen = {name: _kind(module, method, kind) for name, module in found.items()}
    patches = {name: way[0].metric == "patches" for name, way in chosen.items()}
    moments = {} if pictures is None else input_moments(recognizer, patches, pictures)
    made = []
    for name, layer in found.items():
        way, label = chosen[name]
        result = _factored(layer, way, energy, share, moments.get(name))
        if result is not None:
            network.set_submodule(name, result[0])
            made.append(Factored(name, label, *result[1:]))
    return LowRank(replace(recognizer, network=network.eval()), tuple(made))


@torch.no_grad()
def _asked(network: nn.Module, blank: Tensor) -> set[str]:
    """Return the names of the modules that compute something themselves when a network answers."""
    names, watched = set[str](), copy.deepcopy(network).eval()

    def telling(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def told(*given: Any, **named: Any) -> Any:
            names.add(name)
            return forward(*given, **named)

        return told

    # No hooks: where one of its layers has any, torch's encoder layer asks them all, and otherwise none.
    for name, module in watched.named_modules():
        module.forward = telling(name, module.forward)
    watched(blank)
    return names


def _check(method: Factorization, kind: str, energy: float | None, share: float | None) -> None:
    if (energy is None) == (share is None):
        raise UsageError("give either energy or share", hint="share=0.5, or energy=0.95")
    if energy is not None and (not 0 < energy <= 1 or method.spectra is None):
        raise UsageError(f"{kind} cannot keep an energy of {energy}", hint="energy in (0, 1], or share=0.5")
    if share is not None and not 0 < share < 1:
        raise UsageError(f"share lies in (0, 1); got {share}")


def _fits(module: nn.Module) -> bool:
    if isinstance(module, nn.Linear):
        return True
    plain = isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros"
    return plain and not isinstance(module.padding, str)


def _kind(layer: nn.Module, method: Factorization, kind: str) -> tuple[Factorization, str]:
    if isinstance(layer, nn.Conv2d) and min(layer.kernel_size) > 1:
        return method, kind
    return catalog.find(factorizations, "svd"), "svd"


def _factored(
    layer: Any, method: Factorization, energy: float | None, share: float | None, metric: Tensor | None
) -> tuple[nn.Sequential, Ranks, float, float] | None:
    """Return the layers, their ranks, their error and the share of work left, or None if nothing is won."""
    weight = layer.weight.detach().double()
    weight = weight if weight.ndim == 4 else weight[:, :, None, None]
    shape: Shape = tuple(weight.shape)
    stride = (layer.stride[0], layer.stride[1]) if isinstance(layer, nn.Conv2d) else (1, 1)
    if energy is not None and method.spectra is not None:
        spectra = method.spectra(weight, metric)
        ranks = method.feasible(shape, tuple(_rank(values, energy) for values in spectra))
    else:
        found = _affordable(method, shape, share if share is not None else 1.0)
        if found is None:
            return None
        ranks = found
    parts = method.parts(shape, ranks)
    left = work(parts, stride) / weight.numel()
    weights = method.factors(weight, ranks, metric) if left < 1 else None
    if weights is None:
        return None
    made = convolutions(layer, parts, weights) if isinstance(layer, nn.Conv2d) else linears(layer, weights)
    return made, ranks, _error(weight, composed(made), metric), left


def _rank(values: Tensor, energy: float) -> int:
    shares = values.square().cumsum(0) / values.square().sum().clamp_min(1e-300)
    return int(np.clip(int((shares < energy - 1e-12).sum()) + 1, 1, len(values)))


def _affordable(method: Factorization, shape: Shape, share: float) -> Ranks | None:
    """Return the largest ranks, in proportion to the largest possible ones, that the share pays for."""
    most, limit = method.most(shape), share * np.prod(shape)
    for part in range(max(most), 0, -1):
        ranks = method.feasible(shape, tuple(max(1, round(rank * part / max(most))) for rank in most))
        if parameters(method.parts(shape, ranks)) <= limit:
            return ranks
    return None


def _error(weight: Tensor, other: Tensor, metric: Tensor | None) -> float:
    lost, whole = (_length(tensor, metric) for tensor in (weight - other, weight))
    return lost / max(whole, 1e-300)


def _length(weight: Tensor, metric: Tensor | None) -> float:
    """Return ‖W S^½‖²."""
    if metric is None:
        return float(weight.square().sum())
    whole = len(metric) == weight[0].numel()
    rows = weight.flatten(1) if whole else weight.permute(0, 2, 3, 1).flatten(0, 2)
    return float(((rows @ metric) * rows).sum())
