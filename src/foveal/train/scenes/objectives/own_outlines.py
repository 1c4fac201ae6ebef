"""Learn to outline what is where by the loss that a network brings along: of torchvision's Mask R-CNN."""

import torch
from torch import nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.plan import Plan
from foveal.train.scenes.annotations import OutlineTruth
from foveal.train.scenes.objectives.own_loss import OwnLoss


class OwnOutlines(OwnLoss):
    """What `OwnLoss` learns, whose network's `loss` takes masks, too: uint8 (M, H, W) of each picture."""

    names = ("own_outlines",)

    def __init__(
        self, network: nn.Module, truth: OutlineTruth, *, preprocess: Preprocess, plan: Plan
    ) -> None:
        """Hold what is trained; see `SceneObjective`."""
        super().__init__(network, truth.boxes, preprocess=preprocess, plan=plan)
        self.maps = truth.numbers

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one step."""
        images, truth, numbers, _ = self.layers(batch, self.maps)
        truth = truth.rows(torch.arange(len(truth))[batch.part])
        loss = self.loss_of(images[batch.part], truth, numbers[batch.part])
        return Losses(loss, torch.zeros(()), 0)


own_outlines = OwnOutlines
