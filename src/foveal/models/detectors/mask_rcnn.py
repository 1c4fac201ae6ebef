"""Mask R-CNN: Faster R-CNN, and inside each of its better boxes a mask.

    (N, C, H, W) → faster_rcnn → class logits, better boxes (N, Q, 4) → maps inside each → masks (N, Q, S, S)
                 → each drawn where its box lies, at 1/4 of the side (N, Q, H / 4, W / 4)

Made of torchvision's parts, as `faster_rcnn` is. There is one mask for all classes of a box: what it is, the
classes say (table 2b of the source). It is stretched to its box by a product with one matrix for each axis,
which a graph with fixed shapes can hold. Source: He et al., "Mask R-CNN", 2017.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads
from torchvision.ops import clip_boxes_to_image

from foveal.models import Card, _features
from foveal.models.detectors import faster_rcnn as boxes_alone
from foveal.models.detectors.faster_rcnn import TwoStages
from foveal.models.detectors.outline import FINE
from foveal.models.detectors.point import middles

CARD = Card(
    family="mask_rcnn",
    kind="network",
    source="He et al. 2017, arXiv:1703.06870; torchvision",
    summary="two stages with outlines: each object is looked at a second time, which takes time",
    idea="What is found in two stages is looked at once more: which pixels inside its box are the object's.",
    smallest_size=32,
    task="instance",
)
LEARNS = "own_outlines"
LOOKS = "proposals"
SETTINGS = _features.ADAM
SIZES = boxes_alone.SIZES
_LAYERS = 2  # of the mask head, of the paper's four
_OUTSIDE = -8.0  # logit of what is not in the box
_MIDDLE = 0.5  # pixels: torchvision's pooling takes the number of a pixel for where its middle lies


class Masked(NamedTuple):
    """What `MaskRcnn` answers for N pictures.

    Attributes:
        boxes: In pixels, (N, Q, 4).
        logits: Of classes, (N, Q, K).
        masks: Logit of each fine place being the object's, (N, Q, H / 4, W / 4).
    """

    boxes: Tensor
    logits: Tensor
    masks: Tensor


class _Inside(nn.Module):
    """From what is seen inside P boxes to one mask for all classes, of twice the side, in float32.

    Torchvision's losses read a mask for each class and the background: they are all the same one.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.answers = classes + 1
        self.finer = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.what = nn.Conv2d(width, 1, 1)
        nn.init.kaiming_normal_(self.finer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.what.weight, std=0.01)
        for layer in (self.finer, self.what):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, seen: Tensor) -> Tensor:
        """Return logits (P, K + 1, S, S)."""
        logits: Tensor = self.what(self.finer(seen).relu()).float()
        return logits.expand(-1, self.answers, -1, -1)


class MaskRcnn(TwoStages):
    """See the module; built by `mask_rcnn`.

    Attributes:
        drawn: Masks are answered as they are, and not as what they follow from.
    """

    drawn = True

    def __init__(
        self, detector: FasterRCNN, *, size: Sequence[int], proposals: int, tower: int, classes: int
    ) -> None:
        super().__init__(detector, size=size, proposals=proposals)
        heads = self.detector.roi_heads
        heads.mask_roi_pool = heads.box_roi_pool  # it has no weights
        heads.mask_head = MaskRCNNHeads(tower, (tower,) * _LAYERS, 1)
        heads.mask_predictor = _Inside(tower, classes)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer: of both stages, and of what is inside."""
        return *super().outputs, self.detector.roi_heads.mask_predictor.what

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return all that ships."""
        return self.outlined(images)

    def outlined(self, images: Tensor) -> Masked:
        """Return boxes, class logits and masks of all proposals, for normalized images (N, C, H, W)."""
        maps = list(self.detector.backbone(images).values())
        boxes, logits = self.judged(images, maps)
        height, width = images.shape[2:]
        boxes = clip_boxes_to_image(boxes, (height, width))
        heads = self.detector.roi_heads
        masks = heads.mask_predictor(heads.mask_head(self.inside(boxes, maps)))[:, 0]
        masks = masks.unflatten(0, boxes.shape[:2])
        return Masked(boxes, logits, drawn(masks, boxes, (height // FINE, width // FINE)))


def drawn(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return masks where their boxes lie, (N, Q, h, w), bilinearly; far from a box it is not the object's.

    Args:
        masks: Logits in even steps across the box, (N, Q, S, S).
        boxes: In pixels, (N, Q, 4).
        size: Height and width of the fine map.
    """
    x, y = middles(*size, FINE)
    across = _stretched(x[0], boxes[..., 0::2], masks.shape[3])
    down = _stretched(y[:, 0], boxes[..., 1::2], masks.shape[2])
    return down @ (masks - _OUTSIDE) @ across.transpose(2, 3) + _OUTSIDE


def _stretched(places: Tensor, ends: Tensor, steps: int) -> Tensor:
    """Return how much each step of a side gives to each place, (N, Q, M, S): two of them, 1 in the sum.

    One fine place beyond the side the last step still counts, so that what is cut to the box has no rim.

    Args:
        places: Middles of the places in pixels, (M,).
        ends: Of the sides, (N, Q, 2).
        steps: S.
    """
    start, end = ends[..., :1], ends[..., 1:]
    at = (places - _MIDDLE - start) / (end - start).clamp(min=1.0) * steps - 0.5
    shares = 1 - (at.clamp(0, steps - 1)[..., None] - torch.arange(steps)).abs()
    near = (places > start - FINE) & (places < end + FINE)
    return shares.clamp(min=0) * near[..., None]


def mask_rcnn(  # noqa: PLR0913 - a builder has three of every network; this one adds five
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    proposals: int = 200,
    backbone: str = _features.DENSE,
) -> MaskRcnn:
    """Return a new detector that gives masks; arguments as of `faster_rcnn`."""
    found = boxes_alone.faster_rcnn(
        channels=channels,
        classes=classes,
        size=size,
        widths=widths,
        depths=depths,
        tower=tower,
        proposals=proposals,
        backbone=backbone,
    )
    return MaskRcnn(found.detector, size=size, proposals=proposals, tower=tower, classes=classes)
