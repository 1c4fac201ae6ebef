"""One network that answers several times with parts of its last features left out, always the same parts.

Source: Gal & Ghahramani, "Dropout as a Bayesian Approximation", 2016, §4 (the mean over random masks); fixed
masks as an ensemble: Durasov et al., "Masksembles for Uncertainty Estimation", 2021. Masks that are drawn
anew for each answer would make a file that answers otherwise every time: it could be neither compared nor
calibrated. Only the last layer runs several times, and masks of its inputs are zeros in its weights.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.tasks.ensemble import log_mean
from foveal.tasks.recognizer import Recognizer

NAME = "dropout_masks"  # as what its architecture is called
_MOST = 256
_CLOSE = 1e-3  # of the largest logit


class Masked(nn.Module):
    """A network whose last layer answers T times: normalized images (N, C, H, W) to logits (N, K)."""

    def __init__(self, network: nn.Module, masks: int) -> None:
        super().__init__()
        self.network, self.masks = network, masks

    def forward(self, images: Tensor) -> Tensor:
        """Return the logarithm of the mean probability over all masks."""
        return log_mean(self.each(images))

    def each(self, images: Tensor) -> Tensor:
        """Return the logits under each mask, (N, T, K)."""
        logits: Tensor = self.network(images)
        return logits.reshape(-1, self.masks, logits.shape[1] // self.masks)


def dropout_masks(recognizer: Recognizer, *, share: float, masks: int, seed: int = 0) -> Recognizer:
    """Return the recognizer that answers with the mean over fixed masks of the last layer's inputs.

    A network that did not learn with dropout gains little: its features were never asked to do without each
    other.

    Args:
        recognizer: Its network ends in a linear layer; whatever follows that treats each logit alone.
        share: Of the features that a mask leaves out, in (0, 1); the others are scaled by 1 / (1 - share).
        masks: T, 2 to 256.
        seed: Decides which features.

    Raises:
        UsageError: A number outside its range; `no_last_layer`: the network does not end like that.
    """
    if not 0 < share < 1 or not 2 <= masks <= _MOST:
        raise UsageError(
            f"dropout leaves out a share in (0, 1), under 2 to {_MOST} masks; got {share:g} and {masks}"
        )
    name, head = _last_layer(recognizer)
    rng = stream(seed, "dropout_masks")
    kept = torch.from_numpy(rng.random((masks, head.in_features)) >= share).float() / (1 - share)
    whole = _widened(recognizer.network, name, torch.ones_like(kept))
    _check(recognizer, whole)
    told = {"architecture": recognizer.architecture, "arguments": recognizer.arguments}
    return replace(
        recognizer,
        network=_widened(recognizer.network, name, kept).eval(),
        architecture=NAME,
        arguments={"member": told, "share": share, "masks": masks, "seed": seed},
    )


def _last_layer(recognizer: Recognizer) -> tuple[str, nn.Linear]:
    """Return the linear layer with K outputs that runs last, and its name."""
    ran: list[tuple[str, nn.Linear]] = []

    def note(name: str) -> Any:
        return lambda layer, *_: ran.append((name, layer))

    linear = {n: m for n, m in recognizer.network.named_modules() if isinstance(m, nn.Linear)}
    hooks = [layer.register_forward_hook(note(name)) for name, layer in linear.items()]
    with torch.no_grad():
        recognizer.network.eval()(recognizer.blank)
    for hook in hooks:
        hook.remove()
    if not ran or ran[-1][1].out_features != len(recognizer.classes) or "" in linear:
        raise _no_last_layer(recognizer)
    return ran[-1]


def _widened(network: nn.Module, name: str, kept: Tensor) -> Masked:
    """Return the network with its layer `name` there once for each mask (T, inputs), side by side."""
    network = copy.deepcopy(network)
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    masks, bias = len(kept), layer.bias is not None
    with torch.device("meta"):
        wide = nn.Linear(layer.in_features, masks * layer.out_features, bias=bias)
    wide.weight = nn.Parameter((kept[:, None, :] * layer.weight.detach()[None]).flatten(0, 1))
    if bias:
        wide.bias = nn.Parameter(layer.bias.detach().repeat(masks))
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, wide)
    return Masked(network, masks)


@torch.no_grad()
def _check(recognizer: Recognizer, whole: Masked) -> None:
    """Refuse a network that answers otherwise with its last layer repeated and nothing left out."""
    shape = recognizer.blank.shape[1:]
    images = torch.from_numpy(stream(0, "dropout_masks", "check").normal(size=(4, *shape))).float()
    plain = recognizer.network.eval()(images)
    try:
        each = whole.eval().each(images)
    except RuntimeError as error:
        raise _no_last_layer(recognizer) from error
    if each.shape != (len(plain), whole.masks, plain.shape[1]):
        raise _no_last_layer(recognizer)
    if (each - plain[:, None]).abs().max() > _CLOSE * plain.abs().max().clamp(min=1):
        raise _no_last_layer(recognizer)


def _no_last_layer(recognizer: Recognizer) -> UsageError:
    return UsageError(
        f"{recognizer.architecture} does not end in a linear layer whose inputs could be left out",
        code="no_last_layer",
        hint="networks of foveal models do; an ensemble needs no such layer: --with RUN2",
    )
