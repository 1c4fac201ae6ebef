"""What a network has made of pictures at each depth, as rows of numbers that can be compared."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core.batches import at_once
from foveal.core.errors import UsageError
from foveal.explain.layers import Layer, network_input, outputs_of
from foveal.explain.scores import Float32, UInt8
from foveal.tasks.recognizer import Recognizer

MOST_FEATURES = 1024  # of a depth: all depths get about as many, so that none wins by their number
_BATCH = 64


@torch.no_grad()
def features(recognizer: Recognizer, images: UInt8, found: Sequence[Layer]) -> dict[str, Float32]:
    """Return the pooled outputs of layers, and of the picture itself under the name `""`, float32 (N, D).

    Maps are averaged over the finest grid of squares that gives at most 1,024 numbers, and tokens over all.

    Args:
        recognizer: The network.
        images: uint8 (N, size, size, channels) at model size.
        found: The layers.
    """
    rows: dict[str, list[Tensor]] = {"": [], **{layer.name: [] for layer in found}}
    for start in range(0, len(images), _BATCH):
        inputs = network_input(recognizer, images[start : start + _BATCH])
        with outputs_of(recognizer.network, [layer.name for layer in found]) as outputs:
            recognizer.network.eval()(inputs)
        for name, output in {"": inputs, **outputs}.items():
            rows[name].append(pooled(output))
    return {name: torch.cat(parts).numpy() for name, parts in rows.items()}


@torch.no_grad()
def last_features(recognizer: Recognizer, images: UInt8) -> Float32:
    """Return what the last linear layer decides from, float32 (N, D) for uint8 (N, size, size, channels).

    Of a network for clips the images are uint8 (N, T, size, size, channels).

    Raises:
        UsageError: The network has no linear layer.
    """
    linear = [module for module in recognizer.network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UsageError(f"{recognizer.architecture} has no linear layer", code="no_linear_layer")
    seen: list[Tensor] = []
    handle = linear[-1].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    try:
        step = min(_BATCH, at_once(images.shape[1:]))
        for start in range(0, len(images), step):
            recognizer.network.eval()(network_input(recognizer, images[start : start + step]))
    finally:
        handle.remove()
    return torch.cat([part.flatten(1) for part in seen]).float().numpy()


def pooled(output: Tensor) -> Tensor:
    """Return a layer's outputs (N, C, H, W), (N, tokens, D) or (N, D) as float32 (N, features)."""
    if output.ndim == 3:
        return output.float().mean(dim=1)
    if output.ndim == 4:
        channels, height, width = output.shape[1:]
        side = max(1, math.isqrt(MOST_FEATURES // channels))
        output = F.adaptive_avg_pool2d(output.float(), (min(side, height), min(side, width)))
    return output.float().flatten(1)
