"""Learn answers that bounds can prove: the worst case over a box around each picture is trained as well."""

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import Graph, traced
from foveal.certified.bounds.margins import margins, propagated
from foveal.core.errors import RecipeError
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "epsilon": Setting(
        2.2,
        0.01,
        255.0,
        "how far any pixel may move at the end, in grey levels: a tenth more than what is to be proven",
    ),
    "worst": Setting(0.5, 0.0, 1.0, "share of the worst case in the loss at the end"),
    "rise_from": Setting(0.05, 0.0, 1.0, "share of the run from which both rise"),
    "rise_until": Setting(0.5, 0.0, 1.0, "share of the run until which both rise"),
}
LABEL_SMOOTHING = 0.0


class Interval(Supervised):
    """Cross-entropy of the pictures as they are, and of the worst logits that interval bounds allow.

    The share of the second rises from 0 to `worst`, and the box from nothing to `epsilon`, both linearly
    between two points of the run: before, the network learns to answer at all, afterwards it settles. Bounds
    are taken in the precision of training and not widened for rounding; what is proven is computed anew, by
    `certified.bounds`. Batch norm is bounded with its running statistics.

    Source: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust
    Models", 2018, equation 11 and §4 (κ from 1 to 0.5, ε from 0 to ε_train; merged last layer: §3).
    """

    def __init__(self, shown: Supervised, settings: Mapping[str, float]) -> None:
        """Hold what is trained.

        Args:
            shown: The network, of operations that have bounds, and the pictures it is shown.
            settings: A value for each entry of `SETTINGS`.

        Raises:
            RecipeError: The box would grow until before it grows from.
            UsageError: `no_bounds`: an operation of the network has no rule.
        """
        if settings["rise_from"] >= settings["rise_until"]:
            raise RecipeError(
                "settings.rise_from lies below settings.rise_until; got "
                f"{settings['rise_from']:g} and {settings['rise_until']:g}"
            )
        super().__init__(
            shown.network,
            classes=shown.classes,
            preprocess=shown.preprocess,
            augmentation={},
            label_smoothing=shown.label_smoothing,
        )
        self.changes = shown.changes
        self.settings = dict(settings)
        shape = (self.preprocess.channels, self.preprocess.size, self.preprocess.size)
        self._graph: Graph = traced(self.network, shape)
        with torch.no_grad():  # a network without bounds is refused before the first step
            self._margins(torch.zeros(1, *shape), torch.zeros(1, dtype=torch.int64), 1.0)

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network."""
        shown = Supervised.planned(plan, network, classes=classes, preprocess=preprocess)
        return cls(shown, plan.settings)

    @classmethod
    def reach(cls, plan: Plan, preprocess: Preprocess) -> float:
        """Return by how much the box reaches from each value of the network's input at the end."""
        return plan.settings["epsilon"] / 255 / min(preprocess.std)

    def grown(self, share: float) -> float:
        """Return how far the rise has come, in 0 to 1, when a share of the run is over."""
        start, end = self.settings["rise_from"], self.settings["rise_until"]
        return min(1.0, max(0.0, (share - start) / (end - start)))

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right as they are."""
        images, targets = (view[batch.part] for view in self.views(batch))
        logits, grown = self.network(images), self.grown(batch.share)
        labels = targets.argmax(1)
        loss = learn.loss(logits, targets)
        if grown > 0:
            share = grown * self.settings["worst"]
            worst = -self._margins(images, labels, grown * self.settings["epsilon"])
            loss = (1 - share) * loss + share * F.cross_entropy(worst.float(), labels)
        return Losses(loss, (logits.argmax(1) == labels).sum(), len(logits))

    def _margins(self, images: Tensor, labels: Tensor, radius: float) -> Tensor:
        """Return lower bounds on margins, (N, K), within `radius` grey levels of normalized images."""
        deviation = torch.tensor(self.preprocess.std).view(-1, 1, 1)
        black = -torch.tensor(self.preprocess.mean).view(-1, 1, 1) / deviation
        white, reach = black + 1 / deviation, radius / 255 / deviation
        box = Box((images - reach).maximum(black), (images + reach).minimum(white))
        weights = self._graph.weights(self.network, images.dtype)
        return margins(propagated(self._graph, weights, box), labels)
