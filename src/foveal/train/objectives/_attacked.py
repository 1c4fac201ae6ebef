"""What objectives with an adversary share: pixels, the ball, and a network that an attack leaves alone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from foveal.data.preprocess import Preprocess
from foveal.perturb.attacks.ascent import ascend
from foveal.perturb.attacks.ball import Ball
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

EPSILON = Setting(8.0, 0.01, 255.0, "how far an adversary may move a pixel, in grey levels")
L2 = Setting(0.0, 0.0, 1.0, "1: epsilon is the radius of an L2 ball", whole=True)
STEP = Setting(
    0.0, 0.0, 2.0, "size of a step in epsilons; 0: 1.25 if it is one, else 2.5 / steps, at most 0.5"
)
RISE = Setting(0.0, 0.0, 1.0, "share of the run over which epsilon rises from 0")
# In radii. A longer single step from a random start overfits to itself (Wong et al. 2020, §4), and so do
# several long ones: two of 1.25 left nano with 1 % against 20 steps, two of 0.5 with 31 %.
_SINGLE, _LONGEST = 1.25, 0.5
_PATH = 2.5  # of all steps together, in radii (Madry et al. 2018)
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_FIRST = 1e-3  # share of epsilon in the very first step of a rise: a ball has a radius


class Attacked(Supervised):
    """An objective whose pictures an adversary moves, in pixels as a file holds them.

    The attack meets the network that the loss will judge: batch norms use the statistics of the batch. It
    does not update the running ones; only the pass that learns does, from moved pictures. An attack on the
    running statistics of a network that learns fast is an attack on another network: it is hardly felt.
    """

    def __init__(self, shown: Supervised, settings: Mapping[str, float]) -> None:
        """Hold what is trained.

        Args:
            shown: The network, and the pictures it is shown.
            settings: A value for each entry of the objective's `SETTINGS`.
        """
        super().__init__(
            shown.network,
            classes=shown.classes,
            preprocess=shown.preprocess,
            augmentation={},
            label_smoothing=shown.label_smoothing,
        )
        self.changes = shown.changes
        self.settings = dict(settings)
        self._mean = torch.tensor(self.preprocess.mean).view(-1, 1, 1) * 255.0
        self._deviation = torch.tensor(self.preprocess.std).view(-1, 1, 1) * 255.0

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network."""
        shown = Supervised.planned(plan, network, classes=classes, preprocess=preprocess)
        return cls(shown, plan.settings)

    @classmethod
    def reach(cls, plan: Plan, preprocess: Preprocess) -> float:
        """Return by how much the adversary changes each value of the network's input.

        Of an L2 ball, if it changes all of them alike.
        """
        far = plan.settings["epsilon"]
        if plan.settings["l2"]:
            far /= (preprocess.channels * preprocess.size**2) ** 0.5
        return far / 255 / min(preprocess.std)

    def pixels(self, images: Tensor) -> Tensor:
        """Return normalized images as grey levels; what augmentation drove beyond 0 and 255 is cut off."""
        return (images * self._deviation + self._mean).clamp(0.0, 255.0)

    def answers(self, pixels: Tensor) -> Tensor:
        """Return logits (N, K) of pictures in grey levels (N, C, H, W)."""
        logits: Tensor = self.network((pixels - self._mean) / self._deviation)
        return logits

    def ball(self, share: float) -> Ball:
        """Return what the adversary may do when so much of the run is over."""
        rise = self.settings.get("rise", 0.0)
        radius = self.settings["epsilon"] * (max(_FIRST, min(1.0, share / rise)) if rise else 1.0)
        return Ball("l2" if self.settings["l2"] else "linf", radius)

    def attacked(
        self, loss: Callable[[Tensor], Tensor], pixels: Tensor, start: Tensor, *, share: float
    ) -> Tensor:
        """Return pictures moved uphill from a start; the network is as before.

        Args:
            loss: Moved pictures (N, C, H, W) to the sum over them of what the adversary wants large.
            pixels: What they were, in grey levels (N, C, H, W).
            start: Moved pictures to begin with.
            share: Of the run that is over.
        """
        ball, steps = self.ball(share), int(self.settings["steps"])
        usual = _SINGLE if steps == 1 else min(_LONGEST, _PATH / steps)
        step = (self.settings.get("step", 0.0) or usual) * ball.radius
        with under_attack(self.network):
            return ascend(loss, pixels, start, ball=ball, step=step, steps=steps)


@contextmanager
def under_attack(network: nn.Module) -> Iterator[None]:
    """Let a network be followed without leaving a trace; afterwards each module is in its own mode again.

    What normalizes by the batch in training does so, and its running statistics are out of reach. All else
    is in evaluation mode: an adversary does not meet dropout. Autocast keeps no weights that it rounds here:
    rounded without gradients, they would be taken again where the network learns, and not learn.
    """
    modules = list(network.modules())
    modes = [module.training for module in modules]
    norms = [module for module in modules if isinstance(module, _BatchNorm) and module.training]
    kept = [{name: getattr(norm, name) for name in _STATISTICS} for norm in norms]
    network.eval()
    for norm in norms:
        norm.training = True
        for name in _STATISTICS:
            setattr(norm, name, None)
    half = torch.is_autocast_enabled("cpu")
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=half, cache_enabled=False):
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for norm, statistics in zip(norms, kept, strict=True):
            for name, value in statistics.items():
                setattr(norm, name, value)
