"""Take units out of a network, and say beforehand how many parameters will be left."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from foveal.optimize.channels.group import Group, Positions, tensors
from foveal.optimize.channels.spread import is_depthwise


def without(network: nn.Module, groups: Iterable[Group], kept: Mapping[str, NDArray[np.bool_]]) -> nn.Module:
    """Return a copy of a network from which units are gone; the network itself is left alone.

    Args:
        network: That the groups were found in.
        groups: Of the network.
        kept: Per name of a group which units stay, bool (units,); a group that is not named stays whole.
    """
    gone: dict[tuple[str, int], list[Positions]] = {}
    for group in groups:
        for place in group.places if group.name in kept else ():
            lost = place.positions[~kept[group.name]].ravel()
            gone.setdefault((place.module, place.axis), []).append(lost)
    smaller = copy.deepcopy(network)
    for (name, axis), parts in gone.items():
        module = smaller.get_submodule(name)
        extent = module.get_parameter("weight").shape[axis]
        stays = np.setdiff1d(np.arange(extent), np.concatenate(parts))
        _cut(module, axis, torch.from_numpy(stays))
    return smaller


@torch.no_grad()
def _cut(module: Any, axis: int, stays: torch.Tensor) -> None:
    """Keep positions along an axis of a layer's weight, with all that follows from it."""
    depthwise = is_depthwise(module)
    filters = module.out_channels // module.in_channels if depthwise else 1
    for name, value in tensors(module, axis).items():
        cut: torch.Tensor = value.index_select(axis, stays.to(value.device))
        if isinstance(value, nn.Parameter):
            cut = nn.Parameter(cut, requires_grad=value.requires_grad)
        setattr(module, name, cut)
    if isinstance(module, nn.BatchNorm2d):
        module.num_features = len(stays)
    elif isinstance(module, nn.Linear):
        setattr(module, "in_features" if axis else "out_features", len(stays))
    elif depthwise:
        module.out_channels = len(stays)
        module.in_channels = module.groups = len(stays) // filters
    elif axis:
        module.in_channels = len(stays) * module.groups
    else:
        module.out_channels = len(stays)


def parameters_left(network: nn.Module, groups: Sequence[Group], kept: Mapping[str, int]) -> int:
    """Return how many parameters a network will have.

    Args:
        network: That the groups were found in.
        groups: Of the network.
        kept: Per name of a group the number of units that stay; a group that is not named stays whole.
    """
    left = sum(p.numel() for p in network.parameters())
    for name, axes in _lost(groups, kept).items():
        for parameter in network.get_submodule(name).parameters(recurse=False):
            left -= parameter.numel() - _numel(parameter, axes)
    return left


def macs_left(
    network: nn.Module, groups: Sequence[Group], kept: Mapping[str, int], places: Mapping[str, int]
) -> int:
    """Return how many multiply-adds the convolutions and linear layers of a network will do for one picture.

    Args:
        network: That the groups were found in.
        groups: Of the network.
        kept: As for `parameters_left`.
        places: Per name of a layer at how many places of a picture its weights are applied.
    """
    lost = _lost(groups, kept)
    return sum(
        count * _numel(network.get_submodule(name).get_parameter("weight"), lost.get(name, {}))
        for name, count in places.items()
    )


def _lost(groups: Sequence[Group], kept: Mapping[str, int]) -> dict[str, dict[int, int]]:
    """Return per name of a layer how much of each axis of its weight goes."""
    lost: dict[str, dict[int, int]] = {}
    for group in groups:
        for place in group.places if group.name in kept else ():
            axes = lost.setdefault(place.module, {})
            units = len(group) - kept[group.name]
            axes[place.axis] = axes.get(place.axis, 0) + units * place.positions.shape[1]
    return lost


def _numel(parameter: nn.Parameter, lost: Mapping[int, int]) -> int:
    """Return the numbers of a parameter from whose axes something is lost."""
    extents = list(parameter.shape)
    for axis, count in lost.items():
        if axis < len(extents):
            extents[axis] -= count
    return int(np.prod(extents))
