"""Estimate the statistics anew, then let scale and shift of batch norm learn to make the answers surer.

The loss is the entropy of the answers. It needs no label, and has a minimum nobody wants: the same answer for
every picture. Who calls this compares how often each class is answered before and after.
Source: Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", 2021, §3. There each batch is
answered while it is learned from; here the pictures are learned from first, and the statistics, estimated
once more, are shipped.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.core.progress import Progress
from foveal.data.preprocess import Preprocess
from foveal.models._batch_norm import batch_norms
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.adaptation._adapted import Adapted, batch_size
from foveal.train.adaptation.statistics import SETTINGS as STATISTICS
from foveal.train.adaptation.statistics import Old, estimate
from foveal.train.examples import Examples
from foveal.train.loop import fit
from foveal.train.loop import settings as training
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    **STATISTICS,
    "epochs": Setting(3, 0.01, 1000, "passes over the pictures"),
    "rate": Setting(1e-3, 1e-6, 1, "learning rate of Adam at the start; it falls to 0"),
}
_EMA_SHARE = 0.1  # of the steps, whose weights are averaged


def entropy(
    recognizer: Recognizer,
    pictures: Examples,
    settings: Mapping[str, float],
    *,
    seed: int,
    threads: int,
    progress: Progress,
) -> Adapted:
    """Return the recognizer with other batch norm; arguments as of `statistics`.

    Raises:
        UsageError: `no_affine`: no batch norm of the network has a scale to learn.
        DataError: `diverged`: the answers are no numbers any more.
        KeyboardInterrupt: Ctrl-C; nothing has changed.
    """
    network = copy.deepcopy(recognizer.network)
    old = Old.of(network, settings["prior"])
    objective = Entropy(network, recognizer.preprocess)
    plan = _plan(recognizer, pictures, settings, seed=seed, threads=threads)
    with training(plan):
        fitted = fit(objective, pictures, plan, progress=progress)
        network.load_state_dict(fitted.weights)
        estimate(network, pictures, recognizer.preprocess, old=old, seed=seed, progress=progress)
    for parameter, before in zip(network.parameters(), recognizer.network.parameters(), strict=True):
        parameter.requires_grad_(before.requires_grad)
    told = ("step", "seen", "epoch", "loss", "learning_rate")  # nothing is right or wrong without labels
    history = tuple({key: row[key] for key in told} for row in fitted.history)
    return Adapted(replace(recognizer, network=network), len(pictures), plan.steps, history)


class Entropy(Objective):
    """The entropy of a classifier's answers, in nats, as a function of its batch norm alone."""

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        """Hold what is adapted.

        Args:
            network: Normalized images (N, C, H, W) to logits (N, K); all but scale and shift of its batch
                norm is fixed from here on.
            preprocess: Gives the normalization.

        Raises:
            UsageError: `no_affine`: there is no such scale.
        """
        super().__init__()
        self.network = network
        self.preprocess = preprocess
        network.requires_grad_(False)
        self.learned = [p for layer in batch_norms(network) for p in layer.parameters()]
        if not self.learned:
            raise UsageError(
                "no batch norm of the network has a scale that could learn",
                code="no_affine",
                hint="--method statistics needs none",
            )
        for parameter in self.learned:
            parameter.requires_grad_(True)

    def train(self, mode: bool = True) -> Self:
        """Let batch norm look at the batch itself; the rest, such as dropout, answers as in service."""
        super().train(False)
        for layer in batch_norms(self.network):
            layer.train(mode)
        return self

    def forward(self, batch: Batch) -> Losses:
        """Return the mean entropy; nothing is right or wrong here."""
        logits = self.network(learn.normalize(batch.images[batch.part], self.preprocess))
        return Losses(mean_entropy(logits), torch.zeros(()), 0)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return scale and shift of all batch norm, moved by Adam as in the paper."""
        return [{"params": self.learned, "kind": "adam", "momentum": 0.9, "rate": 1.0}]

    def deployable(self) -> nn.Module:
        """Return the network."""
        return self.network


def mean_entropy(logits: Tensor) -> Tensor:
    """Return the mean of -Σ p ln p over answers (N, K), a scalar in nats, in [0, ln K]."""
    logs = logits.float().log_softmax(dim=1)
    return -(logs.exp() * logs).sum(dim=1).mean()


def _plan(
    recognizer: Recognizer, pictures: Examples, settings: Mapping[str, float], *, seed: int, threads: int
) -> Plan:
    batch = min(len(pictures), batch_size(recognizer.preprocess.size))
    return Plan(
        model=recognizer.architecture,
        arguments=recognizer.arguments,
        images=len(pictures),
        steps=max(1, math.ceil(settings["epochs"] * len(pictures) / batch)),
        batch_size=batch,
        learning_rate=settings["rate"],
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_share=_EMA_SHARE,
        augmentation={},
        precision="fp32",
        optimizer="adam",
        objective="entropy",
        settings=dict(settings),
        seed=seed,
        threads=threads,
        step_seconds=0.0,
    )
