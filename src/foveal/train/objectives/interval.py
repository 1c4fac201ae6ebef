"""Learn answers that bounds can prove: the worst case over a box around each picture is trained as well."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import Graph, traced
from foveal.certified.bounds.margins import margins, propagated
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised


class Interval(Supervised):
    """Cross-entropy of the pictures as they are, and of the worst logits that interval bounds allow.

    The share of the second grows from 0 to `worst_share`, and the box from nothing to `radius`, both linearly
    between two points of the run: before, the network learns to answer at all, afterwards it settles. Bounds
    are taken in the precision of training and not widened for rounding; what is proven is computed anew, by
    `certified.bounds`. Batch norm is bounded with its running statistics.

    Source: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust
    Models", 2018, equation 11 and §4 (κ from 1 to 0.5, ε from 0 to ε_train; merged last layer: §3).
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: int,
        preprocess: Preprocess,
        augmentation: dict[str, float],
        label_smoothing: float,
        radius: float = 2.2,
        worst_share: float = 0.5,
        grows_from: float = 0.05,
        grows_until: float = 0.5,
    ) -> None:
        """Hold what is trained.

        Args:
            network: Normalized images (N, C, H, W) to logits (N, K), of operations that have bounds.
            classes: K.
            preprocess: Gives the normalization.
            augmentation: Names of files in `train/augment` with their strength, in order.
            label_smoothing: In [0, 1); of the pictures as they are.
            radius: Of the box at the end, in grey levels, above 0; a tenth more than what is to be proven.
            worst_share: Of the loss at the end, in [0, 1]; 1 - κ of the paper.
            grows_from, grows_until: Shares of the run between which both grow, 0 ≤ from < until ≤ 1.

        Raises:
            UsageError: A number is out of range, or `no_bounds`: an operation of the network has no rule.
        """
        if not (radius > 0 and 0 <= worst_share <= 1 and 0 <= grows_from < grows_until <= 1):
            raise UsageError(
                "interval needs radius > 0, worst_share in 0..1 and 0 ≤ grows_from < grows_until ≤ 1; got "
                f"{radius:g}, {worst_share:g}, {grows_from:g} and {grows_until:g}"
            )
        super().__init__(
            network,
            classes=classes,
            preprocess=preprocess,
            augmentation=augmentation,
            label_smoothing=label_smoothing,
        )
        self.radius, self.worst_share = radius, worst_share
        self.grows_from, self.grows_until = grows_from, grows_until
        shape = (preprocess.channels, preprocess.size, preprocess.size)
        self._graph: Graph = traced(network, shape)
        with torch.no_grad():  # a network without bounds is refused before the first step
            self._margins(torch.zeros(1, *shape), torch.zeros(1, dtype=torch.int64), radius)

    def grown(self, share: float) -> float:
        """Return how far the run has come from the point where the box is empty to where it is whole."""
        return min(1.0, max(0.0, (share - self.grows_from) / (self.grows_until - self.grows_from)))

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right as they are."""
        images, targets = (view[batch.part] for view in self.views(batch))
        logits, grown = self.network(images), self.grown(batch.share)
        labels = targets.argmax(1)
        loss = learn.loss(logits, targets)
        if grown > 0:
            share = grown * self.worst_share
            loss = (1 - share) * loss + share * F.cross_entropy(
                -self._margins(images, labels, grown * self.radius), labels
            )
        return Losses(loss, (logits.argmax(1) == labels).sum(), len(logits))

    def _margins(self, images: Tensor, labels: Tensor, radius: float) -> Tensor:
        """Return lower bounds on the margins, (N, K), in a box of `radius` grey levels around normalized images."""
        deviation = torch.tensor(self.preprocess.std).view(-1, 1, 1)
        black = -torch.tensor(self.preprocess.mean).view(-1, 1, 1) / deviation
        white, reach = black + 1 / deviation, radius / 255 / deviation
        box = Box((images - reach).maximum(black), (images + reach).minimum(white))
        weights = self._graph.weights(self.network, images.dtype)
        return margins(propagated(self._graph, weights, box), labels)
