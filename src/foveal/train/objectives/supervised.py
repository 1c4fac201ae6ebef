"""Learn the labels."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from foveal import models
from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train import augment, optimizer
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS: dict[str, Setting] = {}
LABEL_SMOOTHING = 0.2


class Supervised(Objective):
    """Cross-entropy against the labels, on augmented pictures.

    Where the network has auxiliary classifiers, the losses of those are added, each with the network's share.
    They are part of this objective, not of the network: they learn along and never ship. Source: Szegedy et
    al., "Going Deeper with Convolutions", 2015, §5.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: int,
        preprocess: Preprocess,
        augmentation: dict[str, float],
        label_smoothing: float,
    ) -> None:
        """Hold what is trained.

        Args:
            network: Normalized images (N, C, H, W) to logits (N, K).
            classes: K.
            preprocess: Gives the normalization.
            augmentation: Names of files in `train/augment` with their strength, in order.
            label_smoothing: In [0, 1).
        """
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.classes = classes
        self.preprocess = preprocess
        self.label_smoothing = label_smoothing
        self.auxiliary = nn.ModuleDict()
        self.read_by: dict[str, str] = {}  # which inner module each of them reads
        self.auxiliary_share = 0.0
        self.changes = [(catalog.find(augment, name), strength) for name, strength in augmentation.items()]

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network.

        Args:
            plan: Gives augmentation, label smoothing and the objective's settings.
            network: Normalized images (N, C, H, W) to logits (N, K).
            classes: K.
            preprocess: Gives the normalization.
        """
        planned = cls(
            network,
            classes=classes,
            preprocess=preprocess,
            augmentation=plan.augmentation,
            label_smoothing=plan.label_smoothing,
        )
        if isinstance(network, models.HasAuxiliary):
            planned.auxiliary_share = network.auxiliary_share
            found = network.auxiliary()
            planned.read_by = {name.replace(".", "_"): name for name in found}  # torch allows no dots in keys
            planned.auxiliary.update({key: found[name] for key, name in planned.read_by.items()})
        return planned

    @classmethod
    def reach(cls, plan: Plan, preprocess: Preprocess) -> float:
        """Return by how much an adversary changes each value of the network's input; 0: there is none."""
        return 0.0

    @torch.no_grad()
    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return augmented network input (N, C, H, W) and target shares (N, K).

        The frames of a clip are changed as channels of one picture: one draw for all of them, so that nothing
        moves that did not. Of clips the input is (N, T, C, H, W).
        """
        with torch.autocast("cpu", enabled=False):
            images = learn.normalize(batch.images, self.preprocess)
            targets = learn.targets(batch.labels, classes=self.classes, smoothing=self.label_smoothing)
            shape = images.shape
            if self.changes:
                images = images.flatten(1, -3)
            for change, strength in self.changes:
                images, targets = change(images, targets, strength=strength, batch=batch)
            if len(shape) == 4:
                return images.contiguous(memory_format=torch.channels_last), targets
            frames = images.reshape(shape).permute(0, 1, 3, 4, 2).contiguous()
            return frames.permute(0, 1, 4, 2, 3), targets

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right."""
        images, targets = (view[batch.part] for view in self.views(batch))
        with _outputs(self.network, self.read_by.values()) as inner:
            logits = self.network(images)
        loss = learn.loss(logits, targets)
        for key, judge in self.auxiliary.items():
            loss = loss + self.auxiliary_share * learn.loss(judge(inner[self.read_by[key]]), targets)
        return Losses(loss, (logits.argmax(1) == targets.argmax(1)).sum(), len(logits))

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return filters, head and vectors, each with its share of the learning rate."""
        return [
            group
            for network in (self.network, *self.auxiliary.values())
            for group in optimizer.parameter_groups(
                network,
                weight_decay=plan.weight_decay,
                optimizer=plan.optimizer,
                head_rate=plan.head_rate,
            )
        ]

    def deployable(self) -> nn.Module:
        """Return the network."""
        return self.network


@contextmanager
def _outputs(network: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Yield a table that holds, after the network ran inside, what its modules of these names gave."""
    found: dict[str, Tensor] = {}

    def note(name: str, _module: nn.Module, _given: Any, output: Tensor) -> None:
        found[name] = output

    handles = [network.get_submodule(name).register_forward_hook(partial(note, name)) for name in names]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
