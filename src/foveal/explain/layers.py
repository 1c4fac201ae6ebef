"""What comes out of a network at each depth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from foveal.core.errors import UnknownNameError, UsageError
from foveal.data.sizing import evenly_spaced
from foveal.explain.scores import UInt8
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

_MOST = 12  # depths that are looked at; of more, evenly chosen ones


@dataclass(frozen=True)
class Layer:
    """A module of a network and what comes out of it for one picture.

    Attributes:
        name: As in `named_modules`.
        title: What a person is told; of a depth the part that learns, where an activation follows it.
        shape: Without the batch: (C, H, W), (tokens, D) or (D,).
    """

    name: str
    title: str
    shape: tuple[int, ...]

    @property
    def is_spatial(self) -> bool:
        """Whether it still says where in the picture."""
        return len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1


def network_input(recognizer: Recognizer, images: UInt8) -> Tensor:
    """Return what the network sees, float32 (N, C, H, W), for uint8 (N, H, W, C) at model size."""
    return learn.normalize(torch.from_numpy(images.copy()), recognizer.preprocess)


def layers(recognizer: Recognizer) -> list[Layer]:
    """Return every named module that gives one tensor, in the order in which they finish."""
    size, channels = recognizer.preprocess.size, recognizer.preprocess.channels
    names = [name for name, _ in recognizer.network.named_modules() if name]
    found: dict[str, Layer] = {}
    with outputs_of(recognizer.network, names) as outputs, torch.no_grad():
        recognizer.network.eval()(network_input(recognizer, _blank(size, channels)))
        for name, output in outputs.items():
            found[name] = Layer(name, name, tuple(output.shape[1:]))
    return list(found.values())


def depths(recognizer: Recognizer) -> list[Layer]:
    """Return at most 12 layers from the picture to the answer that are worth comparing, the first first.

    These are the network's own parts that learn, where a `Sequential` stands for its parts, each with the
    norm and the activation that follow it. Left out is what gives the logits.
    """
    after = {layer.name: layer for layer in layers(recognizer)}
    modules = dict(recognizer.network.named_modules())
    parts = set(_parts(recognizer.network))
    found: list[Layer] = []
    for name, layer in after.items():
        if name not in parts or layer.shape == (len(recognizer.classes),):
            continue
        if _learns(modules[name]):
            found.append(layer)
        elif found and layer.shape == found[-1].shape:
            found[-1] = replace(layer, title=found[-1].title)
    return [found[place] for place in evenly_spaced(len(found), at_most=_MOST)]


def last_spatial(recognizer: Recognizer) -> Layer:
    """Return the last layer that still says where in the picture.

    Raises:
        UsageError: There is none.
    """
    spatial = [layer for layer in layers(recognizer) if layer.is_spatial]
    if not spatial:
        raise UsageError(
            f"{recognizer.architecture} has no layer with height and width",
            code="no_spatial_layer",
            hint="--method occlusion works for every recognizer",
        )
    return spatial[-1]


def spatial(recognizer: Recognizer, name: str) -> Layer:
    """Return the layer of that name, which must say where in the picture.

    Raises:
        UnknownNameError: There is no such layer with height and width; the message lists those there are.
    """
    found = {layer.name: layer for layer in layers(recognizer) if layer.is_spatial}
    if name not in found:
        raise UnknownNameError(recognizer.architecture, name, found)
    return found[name]


@contextmanager
def outputs_of(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Yield a dictionary that a forward pass fills with the tensors that come out of modules.

    Args:
        network: Its hooks are gone afterwards.
        names: As in `named_modules`; a module that gives anything but a tensor (N, …) is passed over.
    """
    outputs: dict[str, Tensor] = {}
    modules = dict(network.named_modules())

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim in (2, 3, 4):
                outputs.pop(name, None)  # one that runs twice counts where it ran last
                outputs[name] = output

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _parts(module: nn.Module, prefix: str = "") -> list[str]:
    """Return the names of the children, a `Sequential` among them replaced by its own."""
    names = []
    for child_name, child in module.named_children():
        name = f"{prefix}{child_name}"
        names += _parts(child, f"{name}.") if isinstance(child, nn.Sequential) and len(child) else [name]
    return names


def _learns(module: nn.Module) -> bool:
    """Return whether a part has weights of its own that are more than a factor per channel."""
    return any(values.ndim > 1 for values in module.parameters())


def _blank(size: int, channels: int) -> UInt8:
    return torch.zeros((1, size, size, channels), dtype=torch.uint8).numpy()
