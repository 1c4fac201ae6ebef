"""From which places of the picture information flows to the answer of a transformer."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.explain.layers import network_input
from foveal.explain.scores import Float32, UInt8, check_picture
from foveal.tasks.recognizer import Recognizer

UNIT = "share"  # of what flows to the answer


def attention(recognizer: Recognizer, image: UInt8, index: int) -> Float32:
    """Return the attention rollout, float32 (h, w), 0 and more: a row of `rollout`, one value per patch.

    It is the same for every class: attention says what was looked at, not what for.

    Source: Abnar & Zuidema, "Quantifying Attention Flow in Transformers", 2020, §3 (rollout).

    Args:
        recognizer: A network with `nn.MultiheadAttention` over square patches, with or without a class token
            in front.
        image: uint8 (size, size, channels) at model size.
        index: Not used.

    Raises:
        UsageError: It has no attention, or its tokens are no square of patches; or the picture is not such.
    """
    check_picture(image)
    flow = rollout(attention_weights(recognizer, image))
    tokens = len(flow)
    if math.isqrt(tokens - 1) ** 2 == tokens - 1:
        row = flow[0, 1:]  # what the class token, which comes first, has gathered from each patch
    elif math.isqrt(tokens) ** 2 == tokens:
        row = flow.mean(axis=0)
    else:
        raise UsageError(
            f"{tokens} tokens are no square of patches, with or without a class token", code="no_attention"
        )
    side = math.isqrt(len(row))
    return row.reshape(side, side).astype(np.float32)


def has_attention(network: nn.Module) -> bool:
    """Return whether a rollout can be made."""
    return any(isinstance(module, nn.MultiheadAttention) for module in network.modules())


def rollout(weights: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return how much of each token has flowed into each, float64 (tokens, tokens); rows sum to 1.

    Heads are averaged; the residual connection beside each attention counts half.

    Args:
        weights: Attention of each block, the first first, (heads, tokens, tokens), rows sum to 1.
    """
    tokens = weights[0].shape[-1]
    flow = np.eye(tokens)
    for block in weights:
        mixed = 0.5 * block.astype(np.float64).mean(axis=0) + 0.5 * np.eye(tokens)
        flow = (mixed / mixed.sum(axis=1, keepdims=True)) @ flow
    return flow


@torch.no_grad()
def attention_weights(recognizer: Recognizer, image: UInt8) -> list[NDArray[np.float32]]:
    """Return the attention of each block for a picture, in their order, float32 (heads, tokens, tokens).

    Raises:
        UsageError: The network has no `nn.MultiheadAttention`.
    """
    if not has_attention(recognizer.network):
        raise UsageError(
            f"{recognizer.architecture} has no attention to show",
            code="no_attention",
            hint="--method grad_cam or occlusion",
        )
    with _attentions(recognizer.network) as found:
        recognizer.network.eval()(network_input(recognizer, image[None]))
    return [weights[0].float().numpy() for weights in found]


@contextmanager
def _attentions(network: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that a forward pass fills; modules are asked for weights that they usually leave out."""
    found: list[Tensor] = []

    def ask(_module: nn.Module, inputs: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return inputs, {**options, "need_weights": True, "average_attn_weights": False}

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found.append(output[1])

    modules = [module for module in network.modules() if isinstance(module, nn.MultiheadAttention)]
    handles = [module.register_forward_pre_hook(ask, with_kwargs=True) for module in modules]
    handles += [module.register_forward_hook(keep) for module in modules]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
