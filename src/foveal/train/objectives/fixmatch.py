"""Learn the labels, and of pictures without one what the network itself is sure of.

What it says of a hardly changed picture is taken for the label of the same picture changed strongly, where
it is sure enough.
Source: Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", 2020,
algorithm 1.
"""

from dataclasses import replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.augment.cutout import cutout
from foveal.train.augment.randaugment import randaugment
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

UNLABELLED = True  # `share` says how many pictures without labels there are in a step
SETTINGS = {
    "share": Setting(3.0, 0.5, 16, "pictures without labels of a step, as a multiple of its labelled ones"),
    "threshold": Setting(0.95, 0, 1, "confidence from which an answer counts as a label"),
    "weight": Setting(1.0, 0, 100, "of the loss on pictures without labels"),
}
LABEL_SMOOTHING = 0.0  # a network that learned smoothed labels is never sure enough
_STRENGTH, _HOLE = 1.0, 0.5  # of the strong changes


class FixMatch(Supervised):
    """Cross-entropy against labels, and against answers that are sure enough to stand for some."""

    threshold, weight = 0.95, 1.0

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network; see `Supervised.planned`."""
        objective = super().planned(plan, network, classes=classes, preprocess=preprocess)
        objective.threshold, objective.weight = plan.settings["threshold"], plan.settings["weight"]
        return objective

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of both parts, and how many labelled pictures were right."""
        images, targets = (view[batch.part] for view in self.views(batch))
        if batch.unlabelled is None:
            return super().forward(batch)
        weak, strong = (view[self._share(batch)] for view in self._both(batch))
        with torch.no_grad():
            confidence, guessed = self.network(weak).float().softmax(dim=1).max(dim=1)
        logits = self.network(torch.cat([images, strong]).contiguous(memory_format=torch.channels_last))
        known, unknown = logits[: len(images)], logits[len(images) :]
        sure = (confidence >= self.threshold).float()
        agreed = (sure * F.cross_entropy(unknown.float(), guessed, reduction="none")).mean()
        loss = learn.loss(known, targets) + self.weight * agreed
        return Losses(loss, (known.argmax(1) == targets.argmax(1)).sum(), len(known))

    def _share(self, batch: Batch) -> slice:
        """Return which of the pictures without labels this process answers for: its share of the batch."""
        assert batch.unlabelled is not None
        count, more = len(batch.labels), len(batch.unlabelled)
        first, last, _ = batch.part.indices(count)
        return slice(first * more // count, last * more // count)

    @torch.no_grad()
    def _both(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return pictures without labels as training changes them, and changed strongly, (U, C, H, W)."""
        assert batch.unlabelled is not None
        count = torch.arange(len(batch.unlabelled))
        more = replace(
            batch, images=batch.unlabelled, labels=count * 0, rows=count, passes=count * 0, unlabelled=None
        )
        weak, _ = self.views(more)
        with torch.autocast("cpu", enabled=False):
            strong, none = learn.normalize(more.images, self.preprocess), torch.zeros(len(count), 1)
            strong, _ = randaugment(strong, none, strength=_STRENGTH, batch=more)
            strong, _ = cutout(strong, none, strength=_HOLE, batch=more)
        return weak, strong
