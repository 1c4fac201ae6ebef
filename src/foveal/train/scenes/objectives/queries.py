"""Learn to say what is where with queries: each object is meant by one of them, and by several places.

Which query means which object is what fits best in all (Carion et al., "DETR", 2020). That alone is little to
learn from, so the places that queries come from learn beside it as those of `points` do, several for each
object (Zhao et al., "RT-DETR", 2023); and pictures that are put together of four have four times as many
objects (Huang et al., "DEIM", 2024).
"""

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from foveal.models.detectors.query import Asked, Query
from foveal.train.plan import Plan
from foveal.train.scenes._boxes import generalized, overlaps
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.assigners._targets import Assigner
from foveal.train.scenes.assigners.aligned import Aligned
from foveal.train.scenes.objectives.points import Points, unasked

# Weights of class, sides and overlap beside the loss of the places, and of what fits: as those of DETR.
_CLASS, _SIDES, _OVERLAP = 2.0, 5.0, 2.0


class Queries(Points):
    """What `Points` learns; and of the queries after each layer class and box, one query for each object."""

    names = ("queries",)
    alone = frozenset(names)
    of_attributes = False
    network: Query

    def assigner_of(self, plan: Plan) -> Assigner:
        """Return what says which places answer for which object: queries are there for one answer each."""
        return Aligned()

    def loss_of(self, images: Tensor, truth: Boxes) -> Tensor:
        """Return the loss of pictures; see `Detecting`."""
        maps = self.network.maps(images)
        what, where = self.network.what(maps), self.network.where(maps)
        with torch.autocast("cpu", enabled=False):  # areas in pixels overflow coarser numbers
            sides = self.network.sides(where.float())
            loss = self.loss(what.float(), sides, truth, self.assigner)
        answers = self.network.asked(maps, what, sides)
        height, width = images.shape[2:]
        with torch.autocast("cpu", enabled=False):
            return loss + torch.stack([query_loss(one, truth, (height, width)) for one in answers]).sum()


def query_loss(answers: Asked, truth: Boxes, size: tuple[int, int]) -> Tensor:
    """Return the loss of queries for each object: of all their classes, and of the boxes of those meant.

    A query should be as sure of the class of its object as its box is right.

    Args:
        answers: Boxes (N, Q, 4), and class logits (N, Q, K).
        truth: The objects.
        size: Height and width of the pictures in pixels.
    """
    picture = torch.tensor([size[1], size[0]] * 2, dtype=torch.float32)
    row, query, which = meant(answers, truth, picture)
    found, wanted = answers.boxes[row, query], truth.boxes[row, which]
    heat = torch.zeros_like(answers.logits)
    heat[row, query, truth.labels[row, which]] = overlaps(found.detach(), wanted)
    quiet = unasked(truth, (answers.boxes[..., :2] + answers.boxes[..., 2:]).detach() / 2, heat.shape[2])
    asked = ~quiet.transpose(1, 2) | (heat > 0)
    each = F.binary_cross_entropy_with_logits(answers.logits, heat, reduction="none")
    classes = (each * asked).sum()
    away = ((found - wanted) / picture).abs().sum()
    apart = (1 - generalized(found, wanted)).sum()
    return (_CLASS * classes + _SIDES * away + _OVERLAP * apart) / max(1, len(row))


@torch.no_grad()
def meant(answers: Asked, truth: Boxes, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return which query means which object, so that they fit best in all: three int64 (M,).

    Args:
        answers: Boxes (N, Q, 4), and class logits (N, Q, K).
        truth: The objects.
        picture: Width, height, width and height in pixels.

    Returns:
        Pictures, queries and objects.
    """
    labels = truth.labels[:, None].expand(-1, answers.logits.shape[1], -1)
    sure = answers.logits.sigmoid().gather(2, labels)
    own, others = answers.boxes[:, :, None], truth.boxes[:, None]
    away = ((own - others) / picture).abs().sum(-1)
    costs = _SIDES * away - _CLASS * sure - _OVERLAP * generalized(own, others)  # (N, Q, M)
    costs = costs.nan_to_num()  # whoever diverges gets a loss that says so, not an error from here
    rows, queries, objects = [], [], []
    for row, (cost, there) in enumerate(zip(costs, truth.weights > 0, strict=True)):
        known = there.nonzero()[:, 0]
        some, which = linear_sum_assignment(cost[:, known].numpy())
        queries.append(torch.from_numpy(some))
        objects.append(known[torch.from_numpy(which)])
        rows.append(torch.full((len(some),), row))
    return torch.cat(rows), torch.cat(queries), torch.cat(objects)


queries = Queries
