"""Learn to judge what differs from a template: the objective of detectors that look at proposals alone.

A proposal inside of a defect's box means that defect; all others mean nothing. Windows are turned, mirrored,
zoomed and moved one by one, and the template inside of each is moved a little against the picture, so that
what is learned is not where two pictures happened to lie on each other.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.core.errors import RecipeError
from foveal.data.pair import LAYERS
from foveal.data.preprocess import Preprocess
from foveal.models.detectors.candidates import Candidates, boxes_at
from foveal.tasks.classify import learn
from foveal.train.objective import Batch, Losses
from foveal.train.plan import Plan
from foveal.train.scenes._boxes import generalized
from foveal.train.scenes._windows import Changes, Meant, meant, sampled
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.learning import Detecting

_BOX = 2.0  # weight of the boxes beside the classes
_BRIGHTER = 0.5  # of a strength of 1, in deviations


class Proposals(Detecting):
    """Class loss of all proposals, and generalized IoU of the boxes of those that mean a defect."""

    names = ("proposals",)
    network: Candidates

    def __init__(self, network: Candidates, truth: Boxes, *, preprocess: Preprocess, plan: Plan) -> None:
        """Hold what is trained; see `SceneObjective`.

        Raises:
            RecipeError: The pictures have no template.
        """
        if preprocess.pair is None:
            raise RecipeError(
                "candidates compares pictures with a template, and these have none",
                hint="--model point finds objects on pictures alone; docs/inspection.md has layouts of pairs",
            )
        super().__init__(network, truth, preprocess=preprocess, plan=plan)
        self.mean, self.std = (
            torch.tensor(part).reshape(LAYERS, -1, 1, 1) for part in (preprocess.mean, preprocess.std)
        )

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one step."""
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            images = learn.normalize(batch.images, self.preprocess)
            middles = self.network.proposed(images)
            truth = self.truth.rows(batch.rows)
            windows, targets = self.windows(images, middles, truth, batch)
        part = batch.part
        each = self.network.count
        rows = torch.arange(len(images))[part]
        chosen = (rows[:, None] * each + torch.arange(each)).flatten()
        what, where = self.network.judged(windows[chosen])
        with torch.autocast("cpu", enabled=False):
            loss = self.loss(what.float(), where.float(), targets.rows(chosen))
        return Losses(loss, torch.zeros(()), 0)

    def loss_of(self, images: Tensor, truth: Boxes) -> Tensor:
        """Return the loss of pictures as they are, float32 (N, 3C, H, W)."""
        middles = self.network.proposed(images)
        what, where = self.network.judged(self.network.windows(images, middles))
        return self.loss(what, where, meant(middles, truth, self.network.what.out_features))

    def loss(self, what: Tensor, where: Tensor, targets: Meant) -> Tensor:
        """Return the loss of answers about windows, (M, K) and (M, 4)."""
        defects = targets.labels >= 0
        heat = F.one_hot(targets.labels.clamp(min=0), what.shape[1]).float() * defects[:, None]
        each = F.binary_cross_entropy_with_logits(what, heat, reduction="none")
        found = boxes_at(what.new_zeros(int(defects.sum()), 2), where[defects])
        apart = (1 - generalized(found, targets.boxes[defects])).sum()
        return ((each * targets.asked).sum() + _BOX * apart) / max(1, len(found))

    def windows(self, images: Tensor, middles: Tensor, truth: Boxes, batch: Batch) -> tuple[Tensor, Meant]:
        """Return changed windows, (N · P, 9C, 48, 48), and what each means.

        Args:
            images: Normalized, (N, 3C, H, W).
            middles: Of the proposals, (N, P, 2).
            truth: The defects.
            batch: Gives the draws.
        """
        changes = Changes.drawn(middles.shape[:2].numel(), self.augmentation, batch.generator)
        centre = middles.flatten(0, 1) + changes.shift
        inspected, _, difference = sampled(images, centre, changes.matrix).chunk(LAYERS, dim=2)
        template = sampled(images, centre + changes.misplaced, changes.matrix).chunk(LAYERS, dim=2)[1]
        moved = (changes.misplaced != 0).any(1)[:, None, None, None, None]
        # Where nothing moved, the difference of the whole picture says more than that of two smaller ones.
        difference = torch.where(moved, self.apart(inspected, template), difference)
        layers = torch.cat([inspected, template, difference], dim=2).flatten(1, 2)
        draws = torch.rand(2, len(layers), 1, 1, 1, generator=batch.generator) * 2 - 1
        contrast, brightness = draws * self.augmentation["color"]
        seen = layers * torch.exp(contrast) + brightness * _BRIGHTER
        return seen, changes.targets(meant(middles, truth, self.network.what.out_features))

    def apart(self, inspected: Tensor, template: Tensor) -> Tensor:
        """Return the normalized difference of two normalized layers (M, S, C, h, w)."""
        one, two = (layer * self.std[k] + self.mean[k] for k, layer in enumerate((inspected, template)))
        return ((one - two).abs() - self.mean[2]) / self.std[2]


proposals = Proposals
