"""Task-aligned: those places answer for an object whose class and box agree best with it at the moment.

Source: Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021, §3.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.train.scenes._boxes import overlaps
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.assigners._targets import Places, Targets

_TINY = 1e-9


class Aligned:
    """See the module.

    A place's alignment with an object is score^α · IoU^β; the best `most` places inside it answer, each with
    its alignment scaled so that the best one has the object's best IoU.
    """

    def __init__(self, *, most: int = 10, alpha: float = 0.5, beta: float = 6.0) -> None:
        self.most, self.alpha, self.beta = most, alpha, beta

    def assign(self, logits: Tensor, boxes: Tensor, truth: Boxes, places: Places) -> Targets:
        """Return the targets; see `Assigner`."""
        count, classes, total = logits.shape
        scores = logits.sigmoid().gather(1, truth.labels[..., None].expand(-1, -1, total))
        near = overlaps(truth.boxes[:, :, None], boxes[:, None])  # (N, M, P)
        inside = reached(truth, places)
        alignment = scores**self.alpha * near**self.beta * inside
        best = alignment.topk(min(self.most, total), dim=2)
        chosen = torch.zeros_like(alignment).scatter_(2, best.indices, 1.0) * inside
        # A place answers for one object: that which its box fits best.
        rival = torch.where(chosen > 0, near + _TINY, near.new_zeros(()))
        winner = rival.argmax(1)  # (N, P)
        taken = rival.amax(1) > 0
        chosen = chosen * F.one_hot(winner, truth.boxes.shape[1]).permute(0, 2, 1)
        alignment = alignment * chosen
        top = alignment.amax(2, keepdim=True)
        share = alignment / (top + _TINY) * (near * chosen).amax(2, keepdim=True)
        weights = share.amax(1) * taken
        labels = truth.labels.gather(1, winner)
        heat = torch.zeros(count, classes, total).scatter_(1, labels[:, None], weights[:, None])
        return Targets(heat, winner, truth.boxes.gather(1, winner[..., None].expand(-1, -1, 4)), weights)

    def class_loss(self, logits: Tensor, targets: Targets, objects: float) -> Tensor:
        """Return the binary cross-entropy of all answers, per weight of those that should answer."""
        whole = F.binary_cross_entropy_with_logits(logits, targets.heat, reduction="sum")
        return whole / targets.weights.sum().clamp(min=1.0)


def reached(truth: Boxes, places: Places) -> Tensor:
    """Return which places may answer for which object, 0 or 1, (N, M, P): those whose middle is inside of it.

    An object that holds no middle is answered for by the place nearest to its own.
    """
    low, high = truth.boxes[..., :2], truth.boxes[..., 2:]
    inside = (
        (places.middles > low[:, :, None]).all(-1) & (places.middles < high[:, :, None]).all(-1)
    ).float()
    middle = (low + high) / 2
    far = ((places.middles - middle[:, :, None]) ** 2).sum(-1)
    nearest = torch.zeros_like(inside).scatter_(2, far.argmin(2, keepdim=True), 1.0)
    inside = torch.where(inside.sum(2, keepdim=True) > 0, inside, nearest)
    return inside * (truth.weights > 0)[..., None]


aligned = Aligned
