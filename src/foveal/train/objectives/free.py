"""Learn the labels of moved pictures; one backward pass serves both the network and the adversary."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.perturb.attacks.ascent import project, random_start, uphill
from foveal.tasks.classify import learn
from foveal.train import ranks
from foveal.train.objective import Batch, Losses
from foveal.train.objectives._attacked import EPSILON, L2, RISE, Attacked
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "epsilon": EPSILON,
    "replays": Setting(4.0, 1.0, 50.0, "steps in a row on the same pictures", whole=True),
    "rise": RISE,
    "l2": L2,
}
LABEL_SMOOTHING = 0.0


class Free(Attacked):
    """Cross-entropy on one batch several steps in a row, moved a bit further uphill after each.

    The pictures of a batch and their moves are buffers, so that a run that was killed goes on with them. Of
    the batches that the loop brings, every `replays`-th is shown; the next one begins with its moves.

    Source: Shafahi et al., "Adversarial Training for Free!", 2019, algorithm 1.
    """

    shown: Tensor
    targets: Tensor
    moves: Tensor
    replay: Tensor

    def __init__(self, shown: Supervised, settings: Mapping[str, float], *, batch_size: int) -> None:
        """Hold what is trained.

        Args:
            shown: The network, and the pictures it is shown.
            settings: A value for each entry of `SETTINGS`.
            batch_size: Pictures of a step.

        Raises:
            UsageError: Several processes train together: a checkpoint holds the pictures of one.
        """
        super().__init__(shown, settings)
        if ranks.here().size > 1:
            raise UsageError(
                "free adversarial training replays the pictures of one process",
                hint="start one process, or take the objective adversarial with steps=1",
            )
        size, channels = self.preprocess.size, self.preprocess.channels
        pictures = torch.zeros(batch_size, channels, size, size)
        self.register_buffer("shown", pictures.contiguous(memory_format=torch.channels_last))
        self.register_buffer("moves", self.shown.clone())
        self.register_buffer("targets", torch.zeros(batch_size, self.classes))
        self.register_buffer("replay", torch.zeros((), dtype=torch.int64))
        self._moved: Tensor | None = None

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network."""
        shown = Supervised.planned(plan, network, classes=classes, preprocess=preprocess)
        return cls(shown, plan.settings, batch_size=plan.batch_size)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many moved pictures were right."""
        if self.replay == 0:
            images, targets = self.views(batch)
            self.shown.copy_(self.pixels(images))
            self.targets.copy_(targets)
            if batch.share == 0:
                self.moves.copy_(random_start(self.shown, self.ball(0.0), batch.generator) - self.shown)
        moved = project(self.shown + self.moves, self.shown, self.ball(batch.share))
        self._moved = moved.requires_grad_()
        logits = self.answers(self._moved)
        correct = (logits.argmax(1) == self.targets.argmax(1)).sum()
        return Losses(learn.loss(logits, self.targets), correct, len(logits))

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Move the pictures by the gradient that the step has left, for the next replay."""
        moved = self._moved
        if moved is None or moved.grad is None:
            return
        ball = self.ball(share)
        further = moved.detach() + ball.radius * uphill(moved.grad, ball)
        self.moves.copy_(project(further, self.shown, ball) - self.shown)
        self.replay.copy_((self.replay + 1) % int(self.settings["replays"]))
        self._moved = None
