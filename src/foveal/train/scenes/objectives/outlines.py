"""Learn which pixels are an object's, beside what is where: the objective of `outline` and `panoptic`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.data.preprocess import Preprocess
from foveal.models.detectors.outline import FINE, Outline, basis_of, kernels_of
from foveal.models.detectors.panoptic import Panoptic
from foveal.models.detectors.point import middles
from foveal.train.objective import Batch, Losses
from foveal.train.plan import Plan
from foveal.train.scenes.annotations import Boxes, OutlineTruth
from foveal.train.scenes.assigners._targets import Targets
from foveal.train.scenes.objectives.points import Points
from foveal.train.scenes.objectives.regions import class_weights, pixel_losses

_NUMBERS = 4_000_000  # of mask logits in one step: so many objects are looked at as that allows
_FEWEST, _MOST = 8, 64  # objects of a picture that are looked at
_AROUND = 0.75  # half the window around a box in which pixels count one by one, in its sides


class Outlines(Points):
    """What `Points` learns; cross-entropy near each object and overlap of its mask; classes of pixels."""

    of_attributes = False
    network: Outline

    def __init__(self, network: Outline, truth: OutlineTruth, *, preprocess: Preprocess, plan: Plan) -> None:
        """Hold what is trained; see `SceneObjective`."""
        super().__init__(network, truth.boxes, preprocess=preprocess, plan=plan)
        self.maps, self.regions = truth.numbers, truth.regions
        weights = torch.zeros(0)
        if truth.regions is not None:
            weights = torch.from_numpy(class_weights(truth.regions, plan.arguments["classes"]))
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one step; of pixels with classes how many were right."""
        images, truth, numbers, classes = self.layers(batch, self.maps, self.regions)
        images, numbers = images[batch.part], numbers[batch.part]
        truth = truth.rows(torch.arange(len(truth))[batch.part])
        coarse, fine = self.network.both(images)
        shape, pixels = self.network.shape(coarse), self.network.pixels(fine)
        loss, targets = self.objects_loss(coarse, truth)
        with torch.autocast("cpu", enabled=False):
            shapes = shape.float().flatten(2).transpose(1, 2)
            loss = loss + self.mask_loss(shapes, pixels.float(), targets, truth, numbers, batch)
        if classes is None:
            return Losses(loss, torch.zeros(()), 0)
        assert isinstance(self.network, Panoptic)
        areas = self.network.areas(fine)
        with torch.autocast("cpu", enabled=False):
            of_pixels = pixel_losses(areas.float(), classes[batch.part], self.weights)
        return Losses(loss + of_pixels.loss, of_pixels.correct, of_pixels.counted)

    def mask_loss(
        self,
        shapes: Tensor,
        pixels: Tensor,
        targets: Targets,
        truth: Boxes,
        numbers: Tensor,
        batch: Batch,
    ) -> Tensor:
        """Return cross-entropy in a window around each of some objects, and 1 - overlap (Dice), in the mean.

        Args:
            shapes: Of the kernels of all places, (N, P, 3 + prototypes).
            pixels: What pixels say of themselves, (N, 2 + prototypes, h, w).
            targets: Which place answers for which object.
            truth: The objects.
            numbers: Of the object at each pixel, int64 (N, H, W).
            batch: Gives the draws: of the places that answer some are looked at.
        """
        count, (height, width) = len(shapes), pixels.shape[2:]
        most = max(_FEWEST, min(_MOST, _NUMBERS // (count * height * width)))
        lots = torch.rand(targets.weights.shape, generator=batch.generator) * (targets.weights > 0)
        chosen = lots.topk(min(most, lots.shape[1]), dim=1)
        there, at = chosen.values > 0, chosen.indices
        boxes = targets.boxes.gather(1, at[..., None].expand(-1, -1, 4))
        shape = shapes.gather(1, at[..., None].expand(-1, -1, shapes.shape[2]))
        size = height * FINE, width * FINE
        kernels = kernels_of(boxes, shape, size)
        logits = kernels @ basis_of(pixels).flatten(2)  # (N, M, h · w)
        own = truth.numbers.gather(1, targets.objects.gather(1, at))
        wanted = shares(numbers, own).flatten(2)
        near = _window(boxes, height, width)
        each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * near
        by_pixel = each.sum(2) / near.sum(2).clamp(min=1.0)
        p = logits.sigmoid()
        overlap = (2 * (p * wanted).sum(2) + 1) / (p.sum(2) + wanted.sum(2) + 1)
        lost = (by_pixel + 1 - overlap) * there
        return lost.sum() / there.sum().clamp(min=1)


def shares(numbers: Tensor, own: Tensor) -> Tensor:
    """Return which share of the middle four pixels of each fine place is an object's, (N, M, h, w).

    Args:
        numbers: Of the object at each pixel, int64 (N, H, W).
        own: Numbers of objects, (N, M).
    """
    first = FINE // 2 - 1
    four = [numbers[:, first + i :: FINE, first + j :: FINE] for i in (0, 1) for j in (0, 1)]
    found = sum((one[:, None] == own[..., None, None]).float() for one in four)
    assert isinstance(found, Tensor)
    return found / len(four)


def _window(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return which fine places lie near boxes (N, M, 4), 0 or 1, (N, M, h · w)."""
    x, y = middles(height, width, FINE)
    middle, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    reach = sides * _AROUND + FINE
    across = (x[0] - middle[..., :1]).abs() <= reach[..., :1]
    down = (y[:, 0] - middle[..., 1:]).abs() <= reach[..., 1:]
    return (down[..., :, None] & across[..., None, :]).float().flatten(2)


outlines = Outlines
