"""Learn the labels of pictures on which an adversary laid a patch of his own for each."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.core.errors import RecipeError
from foveal.data.preprocess import Preprocess
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.laying import drawn_squares, side_of
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.objectives._attacked import Attacked
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "share": Setting(0.05, 0.001, 0.5, "of the picture that the square covers at most"),
    "steps": Setting(4.0, 1.0, 50.0, "of the attack on each batch; each costs two thirds of a step", True),
    "step": Setting(0.25, 0.01, 1.0, "how far a step moves a pixel, as a share of 255"),
    "patched": Setting(0.75, 0.1, 1.0, "share of the pictures that get a patch"),
}
LABEL_SMOOTHING = 0.0
_ANYTHING = Ball("linf", 255.0)  # inside the square


class AdversarialPatch(Attacked):
    """Cross-entropy on pictures with a square at a place drawn by chance, driven uphill from noise.

    Source: Rao, Stutz & Schiele, "Adversarial Training against Location-Optimized Adversarial Patches", 2020
    (the variant with places drawn by chance), https://arxiv.org/abs/2005.02313.
    """

    def __init__(self, shown: Supervised, settings: Mapping[str, float]) -> None:
        """Hold what is trained.

        Args:
            shown: The network, and the pictures it is shown.
            settings: A value for each entry of `SETTINGS`.

        Raises:
            RecipeError: The share is less than a pixel of such pictures.
        """
        super().__init__(shown, settings)
        share, size = settings["share"], self.preprocess.size
        if share * size**2 < 1:
            raise RecipeError(
                f"settings.share: {share:g} of {size} × {size} pixels is less than one pixel",
                hint=f"a patch covers {math.ceil(1e4 / size**2) / 1e4:g} or more of such pictures",
            )
        self._side = side_of(share, size, size)

    @classmethod
    def reach(cls, plan: Plan, preprocess: Preprocess) -> float:
        """Return by how much the adversary changes the network's input: root of the mean square over it.

        Taken as half of the range where the square lies, and nothing elsewhere.
        """
        return float(plan.settings["share"] ** 0.5 * 0.5 / min(preprocess.std))

    def ball(self, share: float) -> Ball:
        """Return what the adversary may do inside the square: anything."""
        return _ANYTHING

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures, most of them with a patch, were right."""
        images, targets = self.views(batch)
        pixels = self.pixels(images)
        mask = self._squares(pixels, batch.generator)
        noise = 255 * torch.rand(pixels.shape, generator=batch.generator)
        pixels, noise, mask = pixels[batch.part], noise[batch.part], mask[batch.part]
        targets = targets[batch.part]

        def loss(moved: Tensor) -> Tensor:
            logits = self.answers(torch.where(mask, moved, pixels))
            return F.cross_entropy(logits.float(), targets, reduction="sum")

        moved = self.attacked(loss, pixels, torch.where(mask, noise, pixels), share=batch.share)
        logits = self.answers(moved)
        correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return Losses(learn.loss(logits, targets), correct, len(logits))

    def _squares(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return where the patches lie, bool (N, 1, H, W): one upright square each, or none."""
        places = drawn_squares(pixels, self._side, generator=generator)
        chance = torch.rand(len(pixels), generator=generator)
        return places & (chance < self.settings["patched"])[:, None, None, None]
