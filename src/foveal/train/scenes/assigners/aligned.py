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
    its alignment scaled so that the best one has the object's best IoU. Only pairs of an object and a place
    inside of it are looked at: with thousands of objects a table of all would fill the memory.
    """

    def __init__(self, *, most: int = 10, alpha: float = 0.5, beta: float = 6.0) -> None:
        self.most, self.alpha, self.beta = most, alpha, beta

    def assign(self, logits: Tensor, boxes: Tensor, truth: Boxes, places: Places) -> Targets:
        """Return the targets; see `Assigner`."""
        (count, classes, total), room = logits.shape, truth.boxes.shape[1]
        own, place = reached(truth, places)
        corners, names = truth.boxes.flatten(0, 1), truth.labels.flatten()
        scores = logits[place // total, names[own], place % total].sigmoid()
        near = overlaps(corners[own], boxes.flatten(0, 1)[place])
        alignment = scores**self.alpha * near**self.beta
        chosen = best(own, alignment, self.most)
        own, place, near, alignment = (part[chosen] for part in (own, place, near, alignment))
        # A place answers for one object: that which its box fits best.
        won = best(place, near, 1)
        own, place, near, alignment = (part[won] for part in (own, place, near, alignment))
        none = torch.zeros(count * room)
        top, fit = (none.scatter_reduce(0, own, some, "amax") for some in (alignment, near))
        weights = torch.zeros(count * total)
        weights[place] = alignment / (top[own] + _TINY) * fit[own]
        weights = weights.view(count, total)
        answered = torch.arange(count).repeat_interleave(total) * room  # the first object, where none is
        answered[place] = own
        labels = names[answered].view(count, 1, total)
        heat = torch.zeros(count, classes, total).scatter_(1, labels, weights[:, None])
        objects = answered.view(count, total) - torch.arange(count)[:, None] * room
        return Targets(heat, objects, corners[answered].view(count, total, 4), weights)

    def class_loss(self, logits: Tensor, targets: Targets, objects: float) -> Tensor:
        """Return the binary cross-entropy of all answers, per weight of those that should answer."""
        whole = F.binary_cross_entropy_with_logits(logits, targets.heat, reduction="sum")
        return whole / targets.weights.sum().clamp(min=1.0)


def reached(truth: Boxes, places: Places) -> tuple[Tensor, Tensor]:
    """Return which places may answer for which object: those whose middle is inside of it.

    An object that holds no middle is answered for by the place nearest to its own.

    Returns:
        Of each of R pairs the object, among all N · M, rising, and the place, among all N · P; int64 (R,).
    """
    objects = torch.nonzero(truth.weights.flatten() > 0)[:, 0]
    total = len(places.middles)
    size = torch.tensor([places.width, total // places.width])
    corners = truth.boxes.flatten(0, 1)[objects] / places.stride
    low, high = corners[:, :2], corners[:, 2:]
    first, end = ((low - 0.5).floor() + 1).long(), (high - 0.5).ceil().long()
    first, end = first.clamp(min=0), torch.minimum(end, size)
    nearest = torch.minimum(((low + high) / 2).ceil().long() - 1, size - 1).clamp(min=0)
    nothing = (end <= first).any(1, keepdim=True)
    first, end = torch.where(nothing, nearest, first), torch.where(nothing, nearest + 1, end)
    wide, tall = (end - first).unbind(1)
    many = wide * tall
    row = torch.arange(len(objects)).repeat_interleave(many)
    step = torch.arange(len(row)) - (many.cumsum(0) - many)[row]
    x, y = first[row, 0] + step % wide[row], first[row, 1] + step // wide[row]
    own = objects[row]
    return own, own // truth.boxes.shape[1] * total + y * places.width + x


def best(groups: Tensor, values: Tensor, most: int) -> Tensor:
    """Return which of R values are among the best so many of their group, bool (R,); of equals the first."""
    order = values.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    ranked = groups[order]
    rank = torch.arange(len(order)) - torch.searchsorted(ranked, ranked)
    kept = torch.zeros(len(order), dtype=torch.bool)
    kept[order] = rank < most
    return kept


aligned = Aligned
