"""Learn kinds of defects, of whole pictures and of their places, where nearly everything is good.

Of a batch one half is good. Good pictures that looked defective come more often (hard negatives: Shrivastava
et al., "Training Region-based Object Detectors with Online Hard Example Mining", 2016), rare kinds nearly as
often as frequent ones. Places are learned by cross-entropy, in which rare classes count more, and by the
overlap of each kind (Milletari et al., "V-Net", 2016), which does not care how much is good.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.models._features import Known
from foveal.models.defects.surface import Surface
from foveal.train.examples import Examples
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.recipe import SYNTHETIC
from foveal.train.scenes._groups import groups
from foveal.train.scenes._views import moved, recoloured
from foveal.train.scenes.objectives.regions import class_weights
from foveal.train.scenes.synthetic_defects import with_defects

_GOOD_SHARE = 0.5  # of a batch
_ON_DEFECT = 0.75  # of the parts of larger pictures
_EASY = 0.15  # how often a good picture that looks good comes, beside one that looks defective
_REMEMBERED = 0.5  # of how defective a picture looked before
_SEEN = 0.25  # share of its defect that a view has to show to be called defective
_UNSAID = -100  # a picture of which nothing is said


@dataclass(frozen=True)
class DefectTruth:
    """What is stated about the pictures that are learned from.

    Attributes:
        maps: Class of each pixel at model size, uint8 (N, H, W), usually memory-mapped.
        labels: Class of each picture, int64 (N,); 0 is good.
    """

    maps: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Defects(Objective):
    """See the module; `synthetic` looks at good pictures alone, and makes defects up."""

    names: ClassVar[tuple[str, ...]] = ("defects", SYNTHETIC)
    alone: ClassVar[frozenset[str]] = frozenset()
    of_attributes: ClassVar[bool] = False

    def __init__(self, network: Surface, truth: DefectTruth, *, preprocess: Preprocess, plan: Plan) -> None:
        """Hold what is trained; see `SceneObjective`."""
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        if isinstance(network.backbone, Known):
            network.backbone.hold_middle()
        self.maps = truth.maps
        self.preprocess = preprocess
        self.augmentation = plan.augmentation
        self.makes = plan.objective == SYNTHETIC
        classes = plan.arguments["classes"]
        weights = np.ones(classes) if self.makes else np.sqrt(class_weights(truth.maps, classes))
        labels = torch.from_numpy(truth.labels)
        self.weights: Tensor
        self.labels: Tensor
        self.often: Tensor
        self.looked: Tensor
        self.register_buffer("weights", torch.from_numpy(weights.astype(np.float32)), persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("often", how_often(labels), persistent=False)
        # How defective each good picture looked; at first all do. It decides what comes next, so it is saved.
        self.register_buffer("looked", torch.ones(len(labels)))

    def draw(self, examples: Examples, plan: Plan, step: int) -> Batch:
        """Return a batch of which one half is good; what was learned so far decides which good ones.

        Beside the arguments it follows from how defective good pictures looked, which checkpoints hold.
        """
        generator = torch.Generator().manual_seed(seed_for(plan.seed, "augment", step))
        good = self.labels == 0
        count = plan.batch_size if self.makes else round(plan.batch_size * _GOOD_SHARE)
        if not self.makes and not bool(good.any()):
            count = 0
        if bool(good.all()):
            count = plan.batch_size
        weights = (self.looked + _EASY) * good, self.often * ~good
        rows = torch.cat(
            [
                torch.multinomial(one, some, replacement=some > int((one > 0).sum()), generator=generator)
                for one, some in zip(weights, (count, plan.batch_size - count), strict=True)
                if some
            ]
        )
        stored = examples.indices[rows.numpy()]
        return Batch(
            images=torch.from_numpy(examples.images[stored]),
            labels=self.labels[rows],
            rows=rows,
            passes=torch.full_like(rows, step * plan.batch_size // len(examples)),
            share=step / plan.steps,
            generator=generator,
        )

    @torch.no_grad()
    def views(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the network is shown, float32 (N, C, H, W), the classes of pixels and of pictures."""
        with torch.autocast("cpu", enabled=False):
            before = torch.from_numpy(self.maps[batch.rows.numpy()])
            batch, before = cropped(batch, before, int(self.augmentation.get("crop", 0)))
            images, moves = moved(batch, self.preprocess, self.augmentation)
            maps = moves.maps(before.float(), outside=VOID).long()
            if self.makes:
                images, maps = _made_up(images, maps, batch.generator)
                labels = _marked(maps).long()
            else:
                scale = torch.linalg.det(moves.matrix).abs()
                labels = seen_labels(batch.labels, before, maps, scale)
            return recoloured(images, batch, self.augmentation), maps, labels

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were called what they are."""
        images, maps, labels = (view[batch.part] for view in self.views(batch))
        judged, places = self.network.logits(images)
        with torch.autocast("cpu", enabled=False):
            judged, places = judged.float(), places.float()
            loss = place_loss(places, maps, self.weights)
            said = labels != _UNSAID
            if bool(said.any()):
                loss = loss + F.cross_entropy(judged, labels, ignore_index=_UNSAID)
        self._remember(batch.rows[batch.part], judged, labels)
        right = (judged.argmax(1) == labels)[said].sum()
        return Losses(loss, right.detach(), int(said.sum()))

    @torch.no_grad()
    def _remember(self, rows: Tensor, judged: Tensor, labels: Tensor) -> None:
        """Keep how defective good pictures looked."""
        good = labels == 0
        now = 1 - judged.softmax(1)[good, 0]
        self.looked[rows[good]] = self.looked[rows[good]].lerp(now, 1 - _REMEMBERED)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the body's parameters as the plan wants them moved, and the layers that answer by Adam."""
        return groups(self.network, plan)

    def deployable(self) -> nn.Module:
        """Return the network."""
        return self.network


def cropped(batch: Batch, maps: Tensor, side: int) -> tuple[Batch, Tensor]:
    """Return a part of each picture and of its map; three of four of a defective one show its defect.

    The network answers for places: what it learns of parts holds for whole pictures. A part without the
    defect of its picture is good; where nobody knows where that is, nothing is said of the part.

    Args:
        batch: Pictures uint8 (N, H, W, C).
        maps: Class of each pixel, uint8 (N, H, W).
        side: Of the parts in pixels; 0, or as long as a side of the pictures: that side is whole.
    """
    height, width = maps.shape[1:]
    high, wide = (min(side or whole, whole) for whole in (height, width))
    if (high, wide) == (height, width):
        return batch, maps
    draws = torch.rand(4, len(maps), generator=batch.generator)
    images, parts = [], []
    for row, one in enumerate(maps):
        free = height - high, width - wide
        top, left = (int(draws[axis, row] * (room + 1)) for axis, room in enumerate(free))
        defect = ((one > 0) & (one < VOID)).nonzero()
        if len(defect) and draws[2, row] < _ON_DEFECT:
            place = defect[int(draws[3, row] * len(defect))]
            middles = (int(place[0]) - high // 2, int(place[1]) - wide // 2)
            top, left = (min(max(0, at), room) for at, room in zip(middles, free, strict=True))
        images.append(batch.images[row, top : top + high, left : left + wide])
        parts.append(one[top : top + high, left : left + wide])
    cut = torch.stack(parts)
    labels = torch.where(_marked(cut), batch.labels, torch.where(_marked(maps), 0, _UNSAID))
    labels = torch.where(batch.labels == 0, 0, labels)
    return replace(batch, images=torch.stack(images), labels=labels), cut


def _marked(maps: Tensor) -> Tensor:
    """Return on which maps a defect is, bool (N,)."""
    return ((maps > 0) & (maps < VOID)).flatten(1).any(1)


def how_often(labels: Tensor) -> Tensor:
    """Return how often a picture comes among those of its half, float32 (N,): 1 / √ of its kind's number."""
    counts = torch.bincount(labels).clamp(min=1).float()
    return counts[labels].rsqrt()


def seen_labels(labels: Tensor, before: Tensor, after: Tensor, scale: Tensor) -> Tensor:
    """Return what moved pictures are, int64 (N,): without their defect good, with little of it unsaid.

    Args:
        labels: Of whole pictures, int64 (N,).
        before: Class maps of whole pictures, (N, H, W).
        after: Moved ones.
        scale: Factor of areas for each picture, (N,).
    """
    of = labels[:, None, None]
    whole = ((before == of) & (of > 0)).flatten(1).sum(1) * scale
    left = ((after == of) & (of > 0)).flatten(1).sum(1)
    known = (labels > 0) & (whole > 0)  # of others nobody knows where the defect is: all of the picture is it
    found = torch.where(known & (left == 0), 0, labels)
    return torch.where(known & (left > 0) & (left < _SEEN * whole), _UNSAID, found)


def place_loss(places: Tensor, maps: Tensor, weights: Tensor) -> Tensor:
    """Return cross-entropy of all places of which something is said, plus 1 - overlap of the kinds there.

    Args:
        places: Logits, float32 (N, K + 1, h, w), smaller than the maps by a whole factor or not.
        maps: The class of each pixel, int64 (N, H, W), `VOID` where nothing is said; every other row and
            column is learned from: full size would take longer than the network.
        weights: How much a place of each class counts in the cross-entropy, (K + 1,).
    """
    maps = maps[:, 1::2, 1::2]
    whole = F.interpolate(places, size=maps.shape[1:], mode="bilinear", align_corners=False)
    said = maps != VOID
    if not bool(said.any()):
        return places.sum() * 0.0
    targets = maps.where(said, 0)
    logs = whole.log_softmax(1)
    entropy = F.nll_loss(logs, maps, weight=weights, ignore_index=VOID)
    shares = logs.exp() * said[:, None]
    truth = F.one_hot(targets, places.shape[1]).movedim(3, 1) * said[:, None]
    both = (shares * truth).sum(dim=(0, 2, 3))[1:]
    either = (shares + truth).sum(dim=(0, 2, 3))[1:]
    there = truth.sum(dim=(0, 2, 3))[1:] > 0
    if not bool(there.any()):
        return entropy
    overlap = (2 * both / either.clamp(min=1.0))[there].mean()
    return entropy + 1 - overlap


def _made_up(images: Tensor, maps: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return pictures of which every other one has a made-up defect, and their maps."""
    changed, marked = with_defects(images, maps != VOID, generator)
    chosen = torch.arange(len(images)) % 2 == 1
    images = torch.where(chosen[:, None, None, None], changed, images)
    return images, torch.where(marked & chosen[:, None, None], 1, maps)


defects = Defects
