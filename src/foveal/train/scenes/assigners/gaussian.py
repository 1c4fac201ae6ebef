"""Gaussian: places around an object's middle answer for it, the nearer the more, whatever they answer now.

Source: Liu et al., "Training-Time-Friendly Network for Real-Time Object Detection" (TTFNet), 2020, §3; the
loss of the heatmap is that of Law & Deng, "CornerNet", 2018, eq. 1.
"""

import torch
from torch import Tensor

from foveal.train.scenes._boxes import area
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.assigners._targets import Places, Targets

_SIX = 6.0  # a box is six deviations wide at spread 1
_LEAST = 0.01  # weight of a place below which its box plays no part


class Gaussian:
    """See the module.

    Attributes:
        spread: Deviation of the bell as a share of a sixth of the box's sides.
    """

    def __init__(self, *, spread: float = 0.54) -> None:
        self.spread = spread

    def assign(self, logits: Tensor, boxes: Tensor, truth: Boxes, places: Places) -> Targets:
        """Return the targets; see `Assigner`."""
        count, classes, total = logits.shape
        low, high = truth.boxes[..., :2], truth.boxes[..., 2:]
        sides = high - low
        # The bell stands on the place that holds the middle, so that one place is told 1.
        column = ((low + high) / 2 / places.stride).floor()
        column = column.clamp(min=0)
        column[..., 0].clamp_(max=places.width - 1)
        column[..., 1].clamp_(max=total // places.width - 1)
        centre = (column + 0.5) * places.stride
        deviation = (sides * self.spread / _SIX).clamp(min=places.stride / 4)
        away = (places.middles - centre[:, :, None]) / deviation[:, :, None]
        bell = torch.exp(-0.5 * (away**2).sum(-1)) * (truth.weights > 0)[..., None]
        heat = torch.zeros(count, classes, total)
        heat.scatter_reduce_(1, truth.labels[..., None].expand_as(bell), bell, "amax")
        # Where bells meet, the smaller object answers.
        within = (places.middles > low[:, :, None]).all(-1) & (places.middles < high[:, :, None]).all(-1)
        own = (away == 0).all(-1)
        bell = bell * (within | own)
        sized = torch.where(bell > _LEAST, area(truth.boxes)[..., None], torch.inf)
        winner = sized.argmin(1)
        weight = bell.gather(1, winner[:, None])[:, 0]
        weight = torch.where(sized.amin(1).isfinite(), weight, weight.new_zeros(()))
        # Each object counts as the logarithm of its area, however many places answer for it.
        shares = torch.zeros_like(truth.weights).scatter_add_(1, winner, weight)
        worth = area(truth.boxes).clamp(min=1).log() / shares.clamp(min=1e-6)
        weights = weight * worth.gather(1, winner)
        return Targets(heat, winner, truth.boxes.gather(1, winner[..., None].expand(-1, -1, 4)), weights)

    def class_loss(self, logits: Tensor, targets: Targets, objects: float) -> Tensor:
        """Return the focal loss of the heatmap, per object."""
        p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
        peak = targets.heat == 1
        found = torch.where(peak, (1 - p) ** 2 * p.log(), p.new_zeros(()))
        wrong = torch.where(peak, p.new_zeros(()), (1 - targets.heat) ** 4 * p**2 * (1 - p).log())
        return -(found.sum() + wrong.sum()) / max(1.0, objects)


gaussian = Gaussian
