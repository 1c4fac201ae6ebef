"""From a network to the groups of channels that can be removed from it."""

import copy
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from foveal.optimize.channels.group import Group, Place
from foveal.optimize.channels.spread import LAYERS, RULES, Channels, Lay, Step, unknown

# Exactly these: a class derived from one of them may do anything with its weights.
_KINDS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


def groups(network: nn.Module, *, channels: int, size: int, frames: int | None = None) -> tuple[Group, ...]:
    """Return the groups of channels that can be removed, in the order in which the network makes them.

    The network is traced to ATen operations with `torch.export`; no weight is looked at. The input, the
    logits and all channels that meet an operation without a rule are left alone. Of a network for clips so
    are the features of a frame, which a window keeps and another part of the network reads.

    Args:
        network: Normalized images (N, C, H, W) to logits (N, K), or clips (N, T, C, H, W); left alone.
        channels: C.
        size: H and W in pixels.
        frames: T; None: it takes pictures.
    """
    found = Channels()
    clip = () if frames is None else (frames,)
    program = _traced(network, torch.zeros(2, *clip, channels, size, size))
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    layers = _cuttable(network, program.graph, names)
    lays: dict[fx.Node, Lay] = {}
    for node in program.graph.nodes:
        if node.op == "call_function":
            step = Step(node, lays, found, _layer(node, names, layers))
            lay = RULES.get(node.target, unknown)(step)
            if lay is not None:
                lays[node] = lay
        elif node.op == "output":
            unknown(Step(node, lays, found, None))
    return _grouped(found)


def _traced(network: nn.Module, example: torch.Tensor) -> Any:
    network = copy.deepcopy(network).eval()
    state = next((p for p in network.parameters()), example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        return torch.export.export(network, (example.to(state),))


def _cuttable(network: nn.Module, graph: fx.Graph, names: dict[str, str]) -> dict[str, nn.Module]:
    """Return the layers whose weights nothing but the layer's own operation takes."""
    owners = defaultdict(set)
    for name, value in network.named_parameters(remove_duplicate=False):
        owners[id(value)].add(name.rpartition(".")[0])
    shared = {owner for some in owners.values() if len(some) > 1 for owner in some}
    for node in graph.find_nodes(op="placeholder"):
        owner, _, attribute = names.get(node.name, "").rpartition(".")
        if attribute != "num_batches_tracked" and any(user.target not in LAYERS for user in node.users):
            shared.add(owner)
    return {
        name: module
        for name, module in network.named_modules()
        if type(module) in _KINDS and name not in shared and not module._forward_hooks
    }


def _layer(node: fx.Node, names: dict[str, str], layers: dict[str, nn.Module]) -> tuple[str, Any] | None:
    """Return the layer that all tensors after the first argument belong to, if there is exactly one."""
    if node.target not in LAYERS:
        return None
    nodes = [value for value in node.args[1:] if isinstance(value, fx.Node)]
    owners = {names.get(value.name, "").rpartition(".")[0] for value in nodes}
    if len(owners) != 1:
        return None
    (owner,) = owners
    return (owner, layers[owner]) if owner in layers else None


def _grouped(channels: Channels) -> tuple[Group, ...]:
    """Sort channels into groups: those that lie in the same layers equally often are alike."""
    units: dict[int, dict[tuple[str, int], list[int]]] = {}
    for place, (_, laid) in channels.places.items():
        for position, channel in enumerate(channels.live(laid).tolist()):
            if channel:
                units.setdefault(channel, {}).setdefault(place, []).append(position)
    alike = defaultdict(list)
    for unit in units.values():
        alike[tuple((place, len(positions)) for place, positions in unit.items())].append(unit)
    taken: dict[str, int] = {}
    made = []
    for kind, members in alike.items():
        places = tuple(
            Place(place[0], channels.places[place][0], place[1], np.array([unit[place] for unit in members]))
            for place, _ in kind
        )
        first = next(place.module for place in places if place.role == "makes")
        taken[first] = taken.get(first, 0) + 1
        made.append(Group(first if taken[first] == 1 else f"{first}#{taken[first]}", places))
    return tuple(made)
