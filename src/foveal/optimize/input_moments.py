"""What the layers of a network see of pictures: the second moments of their inputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.bundle.session import UInt8
from foveal.core.errors import UsageError
from foveal.tasks.recognizer import Recognizer

_PIXELS = 2**16  # of a batch


def input_moments(recognizer: Recognizer, layers: Mapping[str, bool], pictures: UInt8) -> dict[str, Tensor]:
    """Return the mean of x xᵀ for each layer, float64, over all pictures and all places where it is applied.

    Args:
        recognizer: Its network is run once over the pictures.
        layers: Name of a convolution (groups 1) or linear layer → whether x is the whole patch under the
            kernel, (I · height · width), in the order of a flattened weight, or only a channel vector, (I).
        pictures: uint8 (M, size, size, C), or clips (M, T, size, size, C), M ≥ 1.

    Raises:
        UsageError: No pictures.
    """
    if len(pictures) == 0:
        raise UsageError("inputs are measured on one picture or more; got none", code="empty")
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(layers, 0)

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            rows = _rows(module, inputs[0].detach(), whole=layers[name])
            sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64)) + (rows.T @ rows).double()
            counts[name] += len(rows)

        return hook

    modules = dict(recognizer.network.named_modules())
    handles = [modules[name].register_forward_pre_hook(watch(name)) for name in layers]
    try:
        batch = max(1, _PIXELS // int(np.prod(pictures.shape[1:-1])))
        recognizer.logits(pictures, batch=batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total / counts[name] for name, total in sums.items()}


def _rows(module: nn.Module, inputs: Tensor, *, whole: bool) -> Tensor:
    if not isinstance(module, nn.Conv2d):
        return inputs.flatten(0, -2)
    if not whole:
        return inputs.movedim(1, -1).flatten(0, -2)
    if isinstance(module.padding, str):
        raise UsageError(f"a convolution's padding must be numbers; got {module.padding!r}")
    patches = F.unfold(
        inputs,
        module.kernel_size,
        dilation=module.dilation,
        padding=module.padding,
        stride=module.stride,
    )
    return patches.transpose(1, 2).flatten(0, 1)
