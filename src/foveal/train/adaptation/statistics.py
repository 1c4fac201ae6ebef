"""Estimate the statistics of batch norm anew on the new pictures, and mix them with the old ones.

    mean = N / (N + n) · old mean + n / (N + n) · new mean,     the variance likewise

for n new pictures; N is how many pictures the old statistics count for. No weight changes.
Source: Schneider et al., "Improving robustness against common corruptions by covariate shift adaptation",
2020, §3; with N = 0 Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016. There
each batch is normalized by its own statistics when it is answered; here they are estimated once and shipped,
so that an answer depends on its picture alone.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.data.preprocess import Preprocess
from foveal.models._batch_norm import batch_norms
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.adaptation._adapted import Adapted, batch_size
from foveal.train.examples import Examples
from foveal.train.setting import Setting

SETTINGS = {"prior": Setting(16, 0, 1e9, "pictures that the old statistics count for")}


def statistics(
    recognizer: Recognizer,
    pictures: Examples,
    settings: Mapping[str, float],
    *,
    seed: int,
    threads: int,
    progress: Progress,
) -> Adapted:
    """Return the recognizer with mixed statistics; nothing else of it changes.

    Args:
        recognizer: What is adapted; it is left alone.
        pictures: Of the new environment, at model size.
        settings: A value for each of `SETTINGS`.
        seed: In which order they are looked at.
        threads: Of torch.
        progress: Told about the pictures.
    """
    network = copy.deepcopy(recognizer.network)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        estimate(
            network,
            pictures,
            recognizer.preprocess,
            old=Old.of(recognizer.network, settings["prior"]),
            seed=seed,
            progress=progress,
        )
    finally:
        torch.set_num_threads(before)
    return Adapted(replace(recognizer, network=network), len(pictures))


@dataclass(frozen=True)
class Old:
    """What batch norm kept before.

    Attributes:
        moments: Mean and variance of each layer, copied, in the order of the modules.
        pictures: How many pictures they count for.
    """

    moments: tuple[tuple[Tensor, Tensor], ...]
    pictures: float

    @classmethod
    def of(cls, network: nn.Module, pictures: float) -> Self:
        """Return what a network keeps now."""
        layers = batch_norms(network)
        found = ((_of(one.running_mean).clone(), _of(one.running_var).clone()) for one in layers)
        return cls(tuple(found), pictures)


@torch.no_grad()
def estimate(
    network: nn.Module,
    pictures: Examples,
    preprocess: Preprocess,
    *,
    old: Old,
    seed: int,
    progress: Progress,
) -> None:
    """Set the statistics of a network in one pass over pictures.

    Each batch is normalized by what is known once it has been seen, so what a layer is shown comes from
    layers that are adapted already; after the last batch all pictures count the same. The order is drawn:
    a folder goes class by class, and a batch of one class is like none that is met later.

    Args:
        network: In any mode; it is in eval mode afterwards.
        pictures: n of them, at model size.
        preprocess: Gives the normalization.
        old: What the network kept before it met these pictures.
        seed: Of the order.
        progress: Told about the pictures.
    """
    network.eval()
    order = pictures.indices[stream(seed, "adapt", "order").permutation(len(pictures))]
    weight = len(pictures) / (old.pictures + len(pictures))
    layers = [
        _Layer(layer, *own, weight) for layer, own in zip(batch_norms(network), old.moments, strict=True)
    ]
    hooks = [one.layer.register_forward_pre_hook(one.look) for one in layers]
    try:
        step = batch_size(preprocess.size)
        for start in range(0, len(order), step):
            images = np.asarray(pictures.images[order[start : start + step]])
            network(learn.normalize(torch.from_numpy(images), preprocess))
            progress("adapt", min(start + step, len(order)), len(order), "statistics")
    finally:
        for hook in hooks:
            hook.remove()


@dataclass
class _Layer:
    """One layer, and the moments of what it was shown so far, in double precision."""

    layer: _BatchNorm
    old_mean: Tensor
    old_variance: Tensor
    weight: float
    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    squares: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def look(self, layer: nn.Module, shown: tuple[Tensor, ...]) -> None:
        """Take in what the layer is about to normalize, (N, C) or (N, C, …), and set its statistics.

        Moments of parts are joined as by Chan, Golub & LeVeque, 1983. The variance is unbiased, as torch's.
        """
        values = shown[0].float()
        values = values.transpose(0, 1).reshape(values.shape[1], -1)
        variance, mean = torch.var_mean(values, dim=1, correction=0)
        here, mean, variance = values.shape[1], mean.double(), variance.double()
        total = self.count + here
        apart = mean - self.mean
        self.squares = self.squares + variance * here + apart**2 * (self.count * here / total)
        self.mean = self.mean + apart * (here / total)
        self.count = total
        found = self.squares / max(1, total - 1)
        _mix(_of(self.layer.running_mean), self.old_mean, self.mean, self.weight)
        _mix(_of(self.layer.running_var), self.old_variance, found, self.weight)


def _mix(into: Tensor, old: Tensor, new: Tensor, weight: float) -> None:
    into.copy_((1 - weight) * old.double() + weight * new)


def _of(buffer: Tensor | None) -> Tensor:
    assert buffer is not None  # `batch_norms` returns layers that keep statistics
    return buffer
