"""Any architecture of timm, built anew: `timm:NAME`. Its weights are never fetched."""

import difflib
from functools import lru_cache, partial
from typing import Any

import timm
import torch
from torch import nn

from foveal.core.errors import UnknownNameError, UsageError
from foveal.models import Settings, _torchvision

# Nobody has measured them all.
SETTINGS = Settings(
    optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=128, warm_up_share=0.1
)

_TRIED = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
_NEAR = 5  # names that resemble a wrong one


def names() -> frozenset[str]:
    """Return the names of all architectures, without the tags of their weights."""
    return frozenset(timm.list_models())


def check_name(name: str) -> None:
    """Refuse a name that timm has not.

    Raises:
        UnknownNameError: With the names that resemble it.
    """
    if name not in names():
        bare = name.partition(".")[0]  # `resnet10t.c3_in1k`: the tag names weights, and none are loaded
        near = [bare] if bare in names() else difflib.get_close_matches(name, names(), n=_NEAR, cutoff=0.4)
        hint = f"these are a few of {len(names())}; all: python -c 'import timm; print(*timm.list_models())'"
        raise UnknownNameError("timm", name, near or sorted(names())[:_NEAR], hint=hint)


def build(*, channels: int, classes: int, size: int, name: str) -> nn.Module:
    """Return a new network of timm.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels.
        name: As timm calls it.

    Raises:
        UsageError: `wrong_size`: it does not take such pictures.
    """
    why = _refusal(name, channels, size)
    if why is not None:
        fitting = [tried for tried in _TRIED if _refusal(name, channels, tried) is None]
        nearest = min(fitting, key=lambda tried: abs(tried - size), default=0)
        raise UsageError(
            f"timm:{name} takes no pictures of {size} × {size} pixels with {channels} channels: {why}",
            code="wrong_size",
            hint=f"--size {nearest}; of those that were tried it takes {', '.join(map(str, fitting))}"
            if fitting
            else f"it takes none of {', '.join(map(str, _TRIED))} pixels; choose another model",
        )
    network = _made(name, channels, classes, size)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = _torchvision.MOMENTUM
    return network


def _made(name: str, channels: int, classes: int, size: int) -> nn.Module:
    create: Any = partial(timm.create_model, name, pretrained=False, num_classes=classes, in_chans=channels)
    try:
        made: nn.Module = create(img_size=size)
    except TypeError:  # most convolutional networks take pictures of any size, and are not told
        made = create()
    return made


@lru_cache(maxsize=256)
def _refusal(name: str, channels: int, size: int) -> str | None:
    """Return why a network does not take pictures of a size, or None; nothing is computed."""
    try:
        with torch.device("meta"), torch.no_grad():
            answer = _made(name, channels, 2, size).eval()(torch.empty(2, channels, size, size))
    except NotImplementedError:  # torch's meta device lacks an operation: the rehearsal will tell
        return None
    except Exception as error:  # as timm's networks refuse sizes: AssertionError, RuntimeError, ValueError
        return str(error).partition("\n")[0] or type(error).__name__
    return None if tuple(answer.shape) == (2, 2) else f"it answers with {tuple(answer.shape)}"
