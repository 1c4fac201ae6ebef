"""FCOS: every place of four maps, each for objects of its size, says what is there and how far its sides are.

    (N, C, H, W) → backbone → pyramid → towers → class logits (N, P, K), sides (N, P, 4), how central (N, P)

Made of torchvision's parts, with fewer channels and layers. An answer counts as much as its class is sure and
its place central. Source: Tian et al., "FCOS: A simple and strong anchor-free object detector", 2020.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead

from foveal.models import Card, _features
from foveal.models._pyramid import STRIDES, Pyramid
from foveal.models._torchvision_detector import InFloat, TorchvisionDetector

CARD = Card(
    family="fcos",
    kind="network",
    source="Tian et al. 2020, arXiv:2006.09214; torchvision",
    summary="one stage without anchors, on several maps: objects that differ much in size",
    idea="Several maps without anchors: each answers for the objects of its size, and how central a place is "
    "says how much its answer counts.",
    smallest_size=32,
    task="detect",
)
LEARNS = "own_loss"
SETTINGS = _features.ADAM
SIZES = _features.sizes(64, 64)
_LAYERS = 2  # of each tower
_LEAST = 1e-7  # of 1 - p whose logarithm is finite


class _Head(InFloat, FCOSHead):  # type: ignore[misc]  # torchvision states no types
    """Torchvision's, in float32."""


class Central(TorchvisionDetector):
    """See the module; built by `fcos`."""

    def __init__(self, detector: FCOS, *, size: Sequence[int]) -> None:
        super().__init__(detector, detector.anchor_generator, size=size, strides=STRIDES)
        # A side that starts below 0 would be cut to 0 and teach nothing.
        nn.init.ones_(self.outputs[1].bias)

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The layers that answer: of classes, of sides and of how central a place is."""
        head = self.detector.head
        sides = head.regression_head
        return head.classification_head.cls_logits, sides.bbox_reg, sides.bbox_ctrness

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, P, 4), and class logits (N, P, K), of all places."""
        answers = self.detector.head(list(self.detector.backbone(images).values()))
        boxes: Tensor = self.detector.box_coder.decode(answers["bbox_regression"], self.starts)
        return boxes, _mean_log_odds(answers["cls_logits"], answers["bbox_ctrness"])


def _mean_log_odds(first: Tensor, second: Tensor) -> Tensor:
    """Return the log-odds of the geometric mean of two probabilities, given as logits that broadcast."""
    mean = (F.logsigmoid(first) + F.logsigmoid(second)) / 2
    return mean - (1 - mean.exp()).clamp(min=_LEAST).log()


def fcos(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    backbone: str = _features.DENSE,
) -> Central:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of 32.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the pyramid and of the towers, a multiple of 32.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    places = AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES))
    head = _Head(tower, 1, classes, _LAYERS)
    detector = FCOS(Pyramid(maps, found, tower), classes, anchor_generator=places, head=head)
    return Central(detector, size=size)
