"""Layers that differ from what a network's builder makes, as plain data.

A step that makes a network smaller changes the layers that its builder made: fewer channels, or one layer in
two. `described` finds them by comparing with a new network, so no step keeps books; `rebuilt` makes them
again. Only the kinds listed here are known: no code is looked up by a name in a file.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.models._machines import KernelHead
from foveal.models._pooling import SignedRootMeanSquare

_LARGEST = 1 << 24  # no number in a description is larger; the weights limit it much further

# Per kind: what its constructor takes; what it is made of is checked against the weights.
_KINDS: dict[str, type[nn.Module]] = {
    "Conv2d": nn.Conv2d,
    "Linear": nn.Linear,
    "BatchNorm2d": nn.BatchNorm2d,
    "Identity": nn.Identity,
    "KernelHead": KernelHead,
    "SignedRootMeanSquare": SignedRootMeanSquare,
}
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Conv2d": (
        *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"),
        *("bias", "padding_mode"),
    ),
    "Linear": ("in_features", "out_features", "bias"),
    "BatchNorm2d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "Identity": (),
    "KernelHead": ("dimensions", "coordinates", "count", "classes"),
    "SignedRootMeanSquare": (),
}
_COUNTS = {"in_channels", "out_channels", "groups", "in_features", "out_features", "num_features"}
_COUNTS |= set(_ARGUMENTS["KernelHead"])
_PAIRS = {"kernel_size", "stride", "dilation"}
_SWITCHES = {"bias", "affine", "track_running_stats"}
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")

Layer = dict[str, Any]
Layers = dict[str, Layer | list[Layer]]


def described(network: nn.Module, fresh: nn.Module) -> Layers:
    """Return the layers of a network that differ from those of a newly built one, by name.

    Args:
        network: Whose layers are described.
        fresh: What its builder makes; its weights are not looked at, so it may lie on the meta device.

    Raises:
        UsageError: `unknown_layer`: something differs that has no description here.
    """
    return dict(_differing(network, fresh, ""))


def _differing(module: nn.Module, fresh: nn.Module, name: str) -> Iterator[tuple[str, Layer | list[Layer]]]:
    kind = _kind(module)
    if type(module) is type(fresh) and kind is not None:
        if _layer(module) != _layer(fresh):
            yield name, _layer(module)
        return
    children, made = dict(module.named_children()), dict(fresh.named_children())
    if type(module) is type(fresh) and list(children) == list(made) and _own(module) == _own(fresh):
        for child, inner in children.items():
            yield from _differing(inner, made[child], f"{name}.{child}" if name else child)
    elif name and kind is not None:
        yield name, _layer(module)
    elif name and type(module) is nn.Sequential and all(map(_kind, module)) and _is_numbered(module):
        yield name, [_layer(inner) for inner in module]
    else:
        raise UsageError(
            f"{name or 'the network'} is a {type(module).__name__} that its builder does not make, and of no "
            "kind that can be saved",
            code="unknown_layer",
            hint=f"change only layers of the kinds {', '.join(_KINDS)}, or sequences of these",
        )


def _kind(module: nn.Module) -> str | None:
    name = type(module).__name__
    return name if _KINDS.get(name) is type(module) else None


def _own(module: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of the state that a module itself saves; the rest follows from elsewhere."""
    state: dict[str, Tensor | None] = {**module._parameters, **module._buffers}
    unsaved = module._non_persistent_buffers_set
    return {name: value.shape for name, value in state.items() if value is not None and name not in unsaved}


def _is_numbered(module: nn.Sequential) -> bool:
    return [name for name, _ in module.named_children()] == [str(i) for i in range(len(module))]


def _layer(module: nn.Module) -> Layer:
    """Return a layer's kind and what its constructor takes, in values that JSON knows."""
    kind = type(module).__name__
    told: Layer = {"kind": kind}
    for name in _ARGUMENTS[kind]:
        value = getattr(module, name)
        if name == "bias":
            value = value is not None
        told[name] = list(value) if isinstance(value, tuple) else value
    return told


def rebuilt(network: nn.Module, layers: Any, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Put described layers into a newly built network, in place, and return it; their weights are not set.

    No memory is taken before a layer is found to have exactly the shapes of the weights.

    Args:
        network: As its builder makes it.
        layers: What `described` returned, maybe from a file that somebody changed.
        tensors: All weights, by name.

    Raises:
        ValueError: A name, a kind or a number makes no sense, or does not fit the weights.
    """
    if not isinstance(layers, dict):
        raise ValueError(f"layers are told by name; got {type(layers).__name__}")
    names = dict(network.named_modules())
    for name, told in layers.items():
        if not name or name not in names:
            raise ValueError(f"there is no layer {name!r}")
        parent, _, attribute = name.rpartition(".")
        learns = all(p.requires_grad for p in names[name].parameters())
        made = _made(name, told, tensors).requires_grad_(learns).train(network.training)
        setattr(network.get_submodule(parent), attribute, made)
    return network


def _made(name: str, told: Any, tensors: Mapping[str, Tensor]) -> nn.Module:
    if not isinstance(told, list):
        return _one(name, told, tensors)
    return nn.Sequential(*(_one(f"{name}.{i}", one, tensors) for i, one in enumerate(told)))


def _one(name: str, told: Any, tensors: Mapping[str, Tensor]) -> nn.Module:
    kind = told.get("kind") if isinstance(told, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"{name} is of no known kind: {kind!r}")
    arguments = {key: value for key, value in told.items() if key != "kind"}
    if set(arguments) != set(_ARGUMENTS[kind]):
        raise ValueError(f"{name} needs {', '.join(_ARGUMENTS[kind])}; got {', '.join(arguments)}")
    for key, value in arguments.items():
        if not _makes_sense(key, value):
            raise ValueError(f"{name} cannot have {key} = {value!r}")
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    with torch.device("meta"):
        module = _KINDS[kind](**plain)
    for key, value in module.state_dict().items():
        found = tensors.get(f"{name}.{key}")
        if found is None or found.shape != value.shape:
            raise ValueError(f"{name}.{key} is not of shape {tuple(value.shape)}")
    return module.to_empty(device="cpu")


def _makes_sense(key: str, value: Any) -> bool:
    if key in _COUNTS:
        return _is_count(value, 1)
    if key in _SWITCHES:
        return isinstance(value, bool)
    if key in _PAIRS:
        return _is_pair(value, 1)
    if key == "padding":
        return value in ("same", "valid") if isinstance(value, str) else _is_pair(value, 0)
    if key == "padding_mode":
        return value in _PADDING_MODES
    if key == "momentum" and value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_pair(value: Any, least: int) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(one, least) for one in value)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LARGEST
