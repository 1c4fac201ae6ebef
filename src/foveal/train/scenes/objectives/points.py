"""Learn to say what is where from boxes: the objective of detectors whose every place answers."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.models.detectors.point import Point, boxes_of, middles
from foveal.train.plan import Plan
from foveal.train.scenes import assigners
from foveal.train.scenes._boxes import generalized
from foveal.train.scenes._groups import groups
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.assigners._targets import Assigner, Places, Targets
from foveal.train.scenes.assigners.aligned import Aligned
from foveal.train.scenes.learning import Detecting

_USUAL = "aligned"  # the assigner of a recipe that names none
_ALONE = "one_to_one"  # the assigner after which no two answers mean the same object
_BOX = 2.0  # weight of the boxes beside the classes
_SILENT = -30.0  # a logit from which no loss comes where nothing should be answered


class _Beside(nn.Module):
    """A second pair of towers on the same maps, with weights of its own."""

    def __init__(self, network: Point) -> None:
        super().__init__()
        self.what, self.where = copy.deepcopy(network.what), copy.deepcopy(network.where)

    @property
    def outputs(self) -> tuple[Any, Any]:
        """The layers that answer."""
        return self.what[-1], self.where[-1]


class Points(Detecting):
    """Class loss of the assigner that the plan names, and generalized IoU of the boxes."""

    names = (_USUAL, *(name for name in catalog.names(assigners) if name != _USUAL))
    alone = frozenset({_ALONE})
    of_attributes = True

    def __init__(self, network: Point, truth: Boxes, *, preprocess: Preprocess, plan: Plan) -> None:
        """Hold what is trained; see `SceneObjective`."""
        super().__init__(network, truth, preprocess=preprocess, plan=plan)
        height, width = preprocess.sides
        classes = network.answers[0].out_channels
        network.expect(truth.shares(classes, places=height * width // network.stride**2))
        self.assigner = self.assigner_of(plan)
        # One place for each object is little to learn from: several learn beside it, and never ship.
        self.beside = _Beside(network) if plan.objective == _ALONE else None

    def assigner_of(self, plan: Plan) -> Assigner:
        """Return what says which places answer for which object."""
        assigner: Assigner = catalog.find(assigners, plan.objective)()
        return assigner

    def loss_of(self, images: Tensor, truth: Boxes) -> Tensor:
        """Return the loss of pictures; see `Detecting`."""
        maps = self.network.maps(images)
        loss, targets = self.objects_loss(maps, truth)
        if not self.network.attributes:
            return loss
        said = self.network.looks(maps)
        with torch.autocast("cpu", enabled=False):
            return loss + attributes_loss(said.float().flatten(2), targets, truth, self.network.attributes)

    def objects_loss(self, maps: Tensor, truth: Boxes) -> tuple[Tensor, Targets]:
        """Return the loss of what is answered from maps (N, D, h, w), and what the places should answer."""
        loss, targets = self._judged(self.network, maps, truth, self.assigner)
        if self.beside is not None:
            loss = loss + self._judged(self.beside, maps, truth, Aligned())[0]
        return loss, targets

    def _judged(
        self, towers: "Point | _Beside", maps: Tensor, truth: Boxes, assigner: Assigner
    ) -> tuple[Tensor, Targets]:
        what, where = towers.what(maps), towers.where(maps)
        with torch.autocast("cpu", enabled=False):  # areas in pixels overflow coarser numbers
            return self.judged(what.float(), self.network.sides(where.float()), truth, assigner)

    def loss(self, logits: Tensor, sides: Tensor, truth: Boxes, assigner: Assigner) -> Tensor:
        """Return the loss of answers (N, K, h, w) and (N, 4, h, w), as an assigner judges them."""
        return self.judged(logits, sides, truth, assigner)[0]

    def judged(
        self, logits: Tensor, sides: Tensor, truth: Boxes, assigner: Assigner
    ) -> tuple[Tensor, Targets]:
        """Return the same, and what the places should have answered."""
        stride, (height, width) = self.network.stride, sides.shape[2:]
        x, y = middles(height, width, stride)
        grid = torch.stack([x.expand(height, width), y.expand(height, width)], dim=2).reshape(-1, 2)
        boxes = boxes_of(sides, stride).flatten(2).transpose(1, 2)
        flat = logits.flatten(2)
        places = Places(grid, width, stride)
        with torch.no_grad():
            targets = assigner.assign(flat.detach(), boxes.detach(), truth, places)
        objects = float((truth.weights > 0).sum())
        asked = flat
        if bool((truth.weights < 0).any()):
            quiet = unasked(truth, grid, flat.shape[1]) & (targets.weights == 0)[:, None]
            asked = flat.masked_fill(quiet, _SILENT)
        classes = assigner.class_loss(asked, targets, objects)
        answering = targets.weights > 0
        near = generalized(boxes[answering], targets.boxes[answering])
        weights = targets.weights[answering]
        where = ((1 - near) * weights).sum() / weights.sum().clamp(min=1.0)
        return classes + _BOX * where, targets

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the body's parameters as the plan wants them moved, and the layers that answer by Adam."""
        found = groups(self.network, plan)
        return found if self.beside is None else [*found, *groups(self.beside, plan)]


def unasked(truth: Boxes, points: Tensor, classes: int) -> Tensor:
    """Return which points lie inside of an ignored object of each class, bool (N, K, P).

    Args:
        truth: The objects.
        points: In pixels, (P, 2) or of each picture (N, P, 2).
        classes: How many there are, K.
    """
    points = points.expand(len(truth), -1, 2)
    found = torch.zeros(len(truth), classes, points.shape[1], dtype=torch.bool)
    ignored = truth.weights < 0
    for row in ignored.any(1).nonzero().flatten().tolist():
        boxes, labels = truth.boxes[row, ignored[row]][:, None], truth.labels[row, ignored[row]]
        within = ((points[row] > boxes[..., :2]) & (points[row] < boxes[..., 2:])).all(-1)
        found[row] = F.one_hot(labels, classes).T.float() @ within.float() > 0
    return found


def attributes_loss(logits: Tensor, targets: Targets, truth: Boxes, values: Sequence[int]) -> Tensor:
    """Return the cross-entropy of what places say of their objects beside the class.

    Args:
        logits: One attribute after the other, (N, V, P).
        targets: Which place answers for which object, and how much.
        truth: The objects; of what is not said of one, nothing is learned.
        values: How many each attribute has.
    """
    losses = logits.new_zeros(())
    for place, some in enumerate(torch.split(logits, list(values), dim=1)):
        wanted = truth.attributes[..., place].gather(1, targets.objects)
        weights = targets.weights * (wanted >= 0)
        each = F.cross_entropy(some, wanted.clamp(min=0), reduction="none")
        losses = losses + (each * weights).sum() / weights.sum().clamp(min=1.0)
    return losses


points = Points
