"""Faster R-CNN: a first network proposes boxes, a second one looks at each and says what it is.

    (N, C, H, W) → backbone → pyramid → proposals (N, Q, 4) → maps inside each → class logits, better boxes

Made of torchvision's parts, with fewer channels; for all classes of a proposal there is one better box.
Source: Ren et al., "Faster R-CNN", 2015; pyramid: Lin et al., "Feature Pyramid Networks", 2017.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.rpn import RPNHead, concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign, clip_boxes_to_image, roi_align
from torchvision.ops.poolers import LevelMapper

from foveal.models import Card, _features
from foveal.models._distinct import distinct
from foveal.models._pyramid import STRIDES, Pyramid, anchors
from foveal.models._torchvision_detector import InFloat, TorchvisionDetector, decoded, log_odds

CARD = Card(
    family="faster_rcnn",
    kind="network",
    source="Ren et al. 2015, arXiv:1506.01497; torchvision",
    summary="two stages: each object is looked at a second time, which takes time",
    idea="A first network proposes boxes, a second one looks at each of them and says what it is.",
    smallest_size=32,
    task="detect",
)
LEARNS = "own_loss"
LOOKS = "proposals"
SETTINGS = _features.ADAM
SIZES = _features.sizes(48, 64)
_CANDIDATES = 1000  # boxes among which the proposals are chosen, or twice as many as these
_OVERLAP = 0.7  # of two proposals
_TAUGHT = 64  # proposals of a picture that the second network learns from
_THINNEST = 1e-3  # pixels of a side, below which a box is no proposal
_LAST = 1000.0  # taken from the logit of what is no proposal: it is one only where there are too few
_SIDE, _SAMPLES = 7, 2  # places across the map inside a proposal, and points across each of them
_MIDDLING = (
    112  # pixels: side of what is looked at in the map at 1/16; torchvision's 224 is for large pictures
)
_FINEST, _MIDDLE, _COARSEST = 3, 4, 5  # logarithms of the strides of the maps that are looked at


class _ProposalHead(InFloat, RPNHead):  # type: ignore[misc]  # torchvision states no types
    """Torchvision's, in float32."""


class _Predictor(nn.Module):
    """Class logits with the background first, and one box for all classes of a proposal, in float32.

    Torchvision's losses and answers read a box for each class: they are all the same one.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.what, self.where = nn.Linear(width, classes + 1), nn.Linear(width, 4)
        for layer, deviation in ((self.what, 0.01), (self.where, 0.001)):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (P, K + 1) and changes of the box (P, 4 · (K + 1)) of what is seen in P proposals."""
        logits = self.what(seen).float()
        return logits, self.where(seen).float().repeat(1, logits.shape[1])


class TwoStages(TorchvisionDetector):
    """See the module; built by `faster_rcnn`.

    Attributes:
        proposals: Q, how many boxes are looked at a second time.
    """

    first_class = 1

    def __init__(self, detector: FasterRCNN, *, size: Sequence[int], proposals: int) -> None:
        super().__init__(detector, detector.rpn.anchor_generator, size=size, strides=STRIDES)
        self.proposals = proposals
        self.levels = LevelMapper(_FINEST, _COARSEST, canonical_scale=_MIDDLING, canonical_level=_MIDDLE)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer: of both stages those of classes and of boxes."""
        head, predictor = self.detector.rpn.head, self.detector.roi_heads.box_predictor
        return head.cls_logits, head.bbox_pred, predictor.what, predictor.where

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, Q, 4), and class logits (N, Q, K), of all proposals."""
        return self.judged(images, list(self.detector.backbone(images).values()))

    def judged(self, images: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the same from the maps of the pictures."""
        proposals = self.proposed(images, maps)
        heads = self.detector.roi_heads
        seen = heads.box_head(self.inside(proposals, maps))
        logits, changes = (one.unflatten(0, proposals.shape[:2]) for one in heads.box_predictor(seen))
        return decoded(heads.box_coder, changes[..., :4], proposals), log_odds(logits)

    def proposed(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return the Q boxes of each picture that most look like something, (N, Q, 4)."""
        first = self.detector.rpn
        logits, changes = concat_box_prediction_layers(*first.head(maps))
        logits, changes = logits.view(images.shape[0], -1), changes.view(images.shape[0], -1, 4)
        if logits.shape[1] != len(self.starts):
            raise ValueError(f"boxes for {len(self.starts)} places, and the maps have {logits.shape[1]}")
        among = max(_CANDIDATES, 2 * self.proposals)
        logits, best = logits.topk(min(among, logits.shape[1]), dim=1)
        changes = changes.gather(1, best[..., None].expand(-1, -1, 4))
        boxes = decoded(first.box_coder, changes, self.starts[best])
        height, width = images.shape[2:]
        boxes = clip_boxes_to_image(boxes, (height, width))
        there = (boxes[..., 2:] - boxes[..., :2]).amin(2) >= _THINNEST
        kept = distinct(boxes, logits.sigmoid(), _OVERLAP) * there
        order = torch.where(kept > 0, logits, logits - _LAST)
        chosen = order.topk(min(self.proposals, order.shape[1]), dim=1).indices
        best_boxes: Tensor = boxes.gather(1, chosen[..., None].expand(-1, -1, 4))
        return best_boxes

    def inside(self, proposals: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return what the map that suits the size of each box (N, Q, 4) shows inside, (N · Q, D, 7, 7)."""
        rows = torch.arange(proposals.shape[0], dtype=proposals.dtype)[:, None, None]
        regions = torch.cat([rows.expand(-1, proposals.shape[1], 1), proposals], dim=2).flatten(0, 1)
        levels = self.levels([regions[:, 1:]])
        seen = regions.new_zeros(regions.shape[0], maps[0].shape[1], _SIDE, _SIDE)
        for level, stride in enumerate(STRIDES[: _COARSEST - _FINEST + 1]):
            own = torch.where(levels == level)[0]
            seen[own] = roi_align(maps[level], regions[own], _SIDE, 1 / stride, _SAMPLES)
        return seen


def faster_rcnn(  # noqa: PLR0913 - a builder has three of every network; this one adds five
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    proposals: int = 200,
    backbone: str = _features.DENSE,
) -> TwoStages:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of 32.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the pyramid.
        proposals: How many boxes of a picture are looked at a second time.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    starts = anchors(1)
    first = _ProposalHead(tower, starts.num_anchors_per_location()[0])
    looked_at = [str(level) for level in range(_COARSEST - _FINEST + 1)]
    inside = MultiScaleRoIAlign(
        looked_at, _SIDE, _SAMPLES, canonical_scale=_MIDDLING, canonical_level=_MIDDLE
    )
    detector = FasterRCNN(
        Pyramid(maps, found, tower),
        rpn_anchor_generator=starts,
        rpn_head=first,
        rpn_nms_thresh=_OVERLAP,
        rpn_pre_nms_top_n_train=2 * proposals,
        rpn_pre_nms_top_n_test=_CANDIDATES,
        rpn_post_nms_top_n_train=proposals,
        rpn_post_nms_top_n_test=proposals,
        box_roi_pool=inside,
        box_head=TwoMLPHead(tower * _SIDE**2, 4 * tower),
        box_predictor=_Predictor(4 * tower, classes),
        box_batch_size_per_image=_TAUGHT,
    )
    return TwoStages(detector, size=size, proposals=proposals)
