"""Learn features whose direction says who it is: the angle to the own class must be smaller by a margin."""

import math
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.models._head import head_of
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "scale": Setting(
        16.0, 1.0, 128.0, "that cosines are multiplied with; the paper has 64, for long trainings"
    ),
    "margin": Setting(0.3, 0.0, 1.0, "added to the angle to the own class, radians; 0: normalized softmax"),
}
LABEL_SMOOTHING = 0.0
_TINY = 1e-12


class ArcFace(Supervised):
    """Cross-entropy of scaled cosines between features and classes, with an additive angular margin.

    The network that ships is the plain one. Its head has no bias, and rows of length 1 after every step.
    Their average ships, so that it names the class with the largest cosine but for near ties. What the head
    reads are features to search by (`foveal search`).

    Source: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019, equation 3;
    beyond an angle of π - margin the linear continuation of the authors' code: the loss stays monotonous.
    """

    def __init__(self, shown: Supervised, settings: Mapping[str, float]) -> None:
        """Hold what is trained.

        Args:
            shown: The network, and the pictures it is shown.
            settings: `scale` and `margin`.
        """
        super().__init__(
            shown.network,
            classes=shown.classes,
            preprocess=shown.preprocess,
            augmentation={},
            label_smoothing=shown.label_smoothing,
        )
        self.changes = shown.changes
        self.scale, self.margin = settings["scale"], settings["margin"]
        self.after_step(0.0)

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network; `no_head` where it has no linear head."""
        shown = Supervised.planned(plan, network, classes=classes, preprocess=preprocess)
        return cls(shown, plan.settings)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and for how many pictures the own class had the largest cosine."""
        images, targets = (view[batch.part] for view in self.views(batch))
        _, head = head_of(self.network)
        read: list[Tensor] = []
        hook = head.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        answers = self.network(images)
        hook.remove()
        cosines = self.cosines(read[0], head.weight)
        loss = learn.loss(self.scale * self.with_margin(cosines, targets.argmax(1)), targets)
        unused = 0.0 * answers.float().sum()  # every rank has a gradient for every parameter, the bias too
        correct = (cosines.argmax(1) == targets.argmax(1)).sum()
        return Losses(loss + unused, correct, len(cosines))

    def cosines(self, features: Tensor, classes: Tensor) -> Tensor:
        """Return cosines of features (N, D) and classes (K, D), float32 (N, K), whatever the precision is."""
        with torch.autocast("cpu", enabled=False):
            one, other = (F.normalize(each.float(), dim=1, eps=_TINY) for each in (features, classes))
            return (one @ other.T).clamp(-1, 1)

    def with_margin(self, cosines: Tensor, own: Tensor) -> Tensor:
        """Return cosines (N, K) with that of the own class (N,) at an angle larger by the margin.

        No angle is computed: the gradient of acos has no end at ±1. cos(θ + m) = cos θ cos m - sin θ sin m.
        """
        mine = cosines.gather(1, own[:, None])
        sine = (1 - mine.square()).clamp(min=_TINY).sqrt()
        further = mine * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = mine - self.margin * math.sin(self.margin)
        changed = torch.where(mine > -math.cos(self.margin), further, beyond)
        return cosines.scatter(1, own[:, None], changed)

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Bring the rows of the head back to length 1, and its bias to 0."""
        _, head = head_of(self.network)
        head.weight.copy_(F.normalize(head.weight, dim=1, eps=_TINY))
        if head.bias is not None:
            head.bias.zero_()
