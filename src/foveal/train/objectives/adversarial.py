"""Learn the labels of the pictures that an adversary would show."""

import torch.nn.functional as F

from foveal.perturb.attacks.ascent import random_start
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives._attacked import EPSILON, L2, RISE, STEP, Attacked
from foveal.train.setting import Setting

SETTINGS = {
    "epsilon": EPSILON,
    "steps": Setting(2.0, 1.0, 50.0, "of the attack on each batch; each costs two thirds of a step", True),
    "step": STEP,
    "rise": RISE,
    "l2": L2,
}
LABEL_SMOOTHING = 0.0


class Adversarial(Attacked):
    """Cross-entropy on the worst pictures that a few steps from a random start find.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018, eq. 2.1; with
    `steps = 1` the variant of Wong et al., "Fast is better than free", 2020.
    """

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many moved pictures were right."""
        images, targets = self.views(batch)
        pixels = self.pixels(images)
        start = random_start(pixels, self.ball(batch.share), batch.generator)
        pixels, start, targets = pixels[batch.part], start[batch.part], targets[batch.part]
        moved = self.attacked(
            lambda moved: F.cross_entropy(self.answers(moved).float(), targets, reduction="sum"),
            pixels,
            start,
            share=batch.share,
        )
        logits = self.answers(moved)
        correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return Losses(learn.loss(logits, targets), correct, len(logits))
