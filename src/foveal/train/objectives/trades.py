"""Learn the labels, and to answer the same when an adversary moves the picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.perturb.attacks.ascent import project
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives._attacked import EPSILON, L2, RISE, STEP, Attacked, under_attack
from foveal.train.setting import Setting

SETTINGS = {
    "epsilon": EPSILON,
    "steps": Setting(3.0, 1.0, 50.0, "of the attack on each batch; each costs two thirds of a step", True),
    "weight": Setting(6.0, 0.0, 100.0, "of staying the same against being right: 1 / λ of the paper"),
    "step": STEP,
    "rise": RISE,
    "l2": L2,
}
LABEL_SMOOTHING = 0.0
_START = 0.001 * 255  # standard deviation of the start, in grey levels: the divergence has no slope at 0


class Trades(Attacked):
    """Cross-entropy on the pictures, and how far the answers to moved pictures diverge from those to them.

    Both kinds of picture go through the network together, so that batch-norm statistics are of what the
    shipped network will see: both.

    Source: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", 2019, eq. 5.
    """

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many moved pictures were right."""
        images, targets = self.views(batch)
        pixels = self.pixels(images)
        noise = torch.randn(pixels.shape, generator=batch.generator) * _START
        pixels, noise, targets = pixels[batch.part], noise[batch.part], targets[batch.part]
        moved = self._moved(pixels, noise, batch.share)
        calm, upset = self.answers(torch.cat([pixels, moved])).float().chunk(2)
        divergence = _divergence(upset, calm) / len(pixels)
        correct = (upset.argmax(1) == targets.argmax(1)).sum()
        loss = learn.loss(calm, targets) + self.settings["weight"] * divergence
        return Losses(loss, correct, len(pixels))

    def _moved(self, pixels: Tensor, noise: Tensor, share: float) -> Tensor:
        """Return pictures that are answered as unlike the originals as a few steps find."""
        with torch.no_grad(), under_attack(self.network):
            calm = self.answers(pixels).float()
        return self.attacked(
            lambda moved: _divergence(self.answers(moved).float(), calm),
            pixels,
            project(pixels + noise, pixels, self.ball(share)),
            share=share,
        )


def _divergence(upset: Tensor, calm: Tensor) -> Tensor:
    """Return the sum over pictures of KL(calm ‖ upset) in nats, of logits (N, K) each."""
    return F.kl_div(upset.log_softmax(1), calm.log_softmax(1), reduction="sum", log_target=True)
