"""The first-order change of the loss if a unit were gone."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from foveal.optimize.channels.group import Group
from foveal.optimize.importance._pictures import batches
from foveal.optimize.importance._shares import Scores, relative
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


def taylor(recognizer: Recognizer, groups: Sequence[Group], examples: Examples | None) -> tuple[Scores, ...]:
    """Return |Σ w · ∂L/∂w| over weights that go with a unit, summed over batches of 64 pictures or frames.

    The size is taken per batch: over all pictures the gradients of a trained network cancel.
    Source: Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019, eq. 8.

    Raises:
        UsageError: `no_images`.
    """
    own = replace(recognizer, network=copy.deepcopy(recognizer.network).eval().requires_grad_(True))
    totals = [np.zeros(len(group)) for group in groups]
    for images, shares in batches(own, examples):
        own.network.zero_grad()
        learn.loss(own.network(images), shares).backward()  # type: ignore[no-untyped-call]
        for total, group in zip(totals, groups, strict=True):
            total += np.abs(_products(own.network, group))
    return relative(totals)


def _products(network: nn.Module, group: Group) -> Scores:
    total = np.zeros(len(group))
    for place in group.places:
        for weight in network.get_submodule(place.module).parameters(recurse=False):
            if place.axis < weight.ndim and weight.grad is not None:
                product = (weight.detach() * weight.grad).double().movedim(place.axis, 0)
                total += product.reshape(len(product), -1).sum(dim=1).numpy()[place.positions].sum(axis=1)
    return total
