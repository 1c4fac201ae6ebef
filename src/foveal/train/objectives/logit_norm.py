"""Learn the labels from the direction of the logits; their length stays free to say how sure."""

from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    # The paper has 0.04, for hundreds of passes: in six a network learned a third of what it does with 1.
    "temperature": Setting(1.0, 1e-3, 10.0, "that the logits, scaled to length 1, are divided by"),
}
LABEL_SMOOTHING = 0.0
_TINY = 1e-7


class LogitNorm(Supervised):
    """Cross-entropy of logits of length 1 / temperature.

    Training cannot lower the loss by making logits longer, which is what makes networks sure of everything.
    The network that ships is not normalized: unknown things then tend to have short logits.

    Source: Wei et al., "Mitigating Neural Network Overconfidence with Logit Normalization", 2022, eq. 5.
    """

    def __init__(self, shown: Supervised, settings: Mapping[str, float]) -> None:
        """Hold what is trained.

        Args:
            shown: The network, and the pictures it is shown.
            settings: The `temperature`.
        """
        super().__init__(
            shown.network,
            classes=shown.classes,
            preprocess=shown.preprocess,
            augmentation={},
            label_smoothing=shown.label_smoothing,
        )
        self.changes = shown.changes
        self.temperature = settings["temperature"]

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network."""
        shown = Supervised.planned(plan, network, classes=classes, preprocess=preprocess)
        return cls(shown, plan.settings)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right."""
        images, targets = (view[batch.part] for view in self.views(batch))
        logits = self.network(images)
        correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return Losses(learn.loss(self.normalized(logits), targets), correct, len(logits))

    def normalized(self, logits: Tensor) -> Tensor:
        """Return logits (N, K), each row of length 1 / temperature."""
        logits = logits.float()
        unit: Tensor = logits / (logits.norm(dim=1, keepdim=True) + _TINY)
        return unit / self.temperature
