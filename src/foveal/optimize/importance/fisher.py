"""The second-order change of the loss if a unit were gone, from gradients alone."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from foveal.optimize.channels.group import Group
from foveal.optimize.importance._pictures import batches
from foveal.optimize.importance._shares import Scores, relative
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


def fisher(recognizer: Recognizer, groups: Sequence[Group], examples: Examples | None) -> tuple[Scores, ...]:
    """Return Σ over pictures of (∂L/∂m)², m a mask of 1 on the unit in all layers that read it.

    Of clips one mask lies on all frames: their slopes are added before they are squared.

    Source: Liu et al., "Group Fisher Pruning for Practical Network Compression", 2021, eq. 5 and 7.

    Raises:
        UsageError: `no_images`.
    """
    own = replace(recognizer, network=copy.deepcopy(recognizer.network).eval())
    seen: dict[str, Tensor] = {}
    for name in sorted({name for group in groups for name in group.readers}):
        own.network.get_submodule(name).register_forward_pre_hook(_watch(seen, name))
    totals = [np.zeros(len(group)) for group in groups]
    frames = math.prod(recognizer.preprocess.shape[:-3])  # that lie side by side, unlike steps of spikes
    for images, shares in batches(own, examples):
        seen.clear()
        # The mean of the loss over a batch would make a picture of a small batch count more.
        loss = learn.loss(own.network(images.requires_grad_(True)), shares) * len(images)
        loss.backward()  # type: ignore[no-untyped-call]
        for total, group in zip(totals, groups, strict=True):
            masks = sum(
                seen[place.module].numpy()[:, place.positions].sum(axis=2).reshape(-1, frames, len(group))
                for place in _reads(group)
            )
            total += np.square(masks.sum(axis=1)).sum(axis=0)
    return relative(totals)


def _reads(group: Group) -> list[Any]:
    return [place for place in group.places if place.role == "reads"]


def _watch(seen: dict[str, Tensor], name: str) -> Any:
    """Return a hook that notes ∂L/∂m per picture or frame and position of the weight's axis 1, (N, I)."""

    def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        entered = given[0]
        if not entered.requires_grad:  # the call that only asks for the network's own answers
            return
        axis = 1 if isinstance(module, nn.Conv2d) else entered.ndim - 1
        groups = module.groups if isinstance(module, nn.Conv2d) else 1

        def note(gradient: Tensor) -> None:
            product = (entered.detach() * gradient).double().movedim(axis, 1)
            slopes = product.reshape(*product.shape[:2], -1).sum(dim=2)
            slopes = slopes.reshape(len(slopes), groups, -1).sum(dim=1)
            seen[name] = seen[name] + slopes if name in seen else slopes

        entered.register_hook(note)  # type: ignore[no-untyped-call]

    return hook
