"""RetinaNet: every place of four maps looks at nine boxes and says for each what is in it.

    (N, C, H, W) → backbone → pyramid → towers → class logits (N, P, K), changes of P boxes (N, P, 4)

Made of torchvision's parts, with fewer channels and a normalization after each convolution.
Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.retinanet import RetinaNetHead

from foveal.models import Card, _features
from foveal.models._pyramid import STRIDES, Pyramid, anchors
from foveal.models._torchvision_detector import InFloat, TorchvisionDetector, decoded

CARD = Card(
    family="retinanet",
    kind="network",
    source="Lin et al. 2017, arXiv:1708.02002; torchvision",
    summary="one stage with anchors: for objects of many sizes and shapes",
    idea="Every place looks at boxes of nine sizes and shapes; a loss that forgets what is plain keeps the "
    "many empty ones from outvoting the few objects.",
    smallest_size=32,
    task="detect",
)
LEARNS = "own_loss"
SETTINGS = _features.ADAM
SIZES = _features.sizes(32, 64)
_ANCHORS = 3  # sizes in each octave
_GROUPS = 16  # of channels that are normalized together


class _Head(InFloat, RetinaNetHead):  # type: ignore[misc]  # torchvision states no types
    """Torchvision's, in float32."""


class Retina(TorchvisionDetector):
    """See the module; built by `retinanet`."""

    def __init__(self, detector: RetinaNet, *, size: Sequence[int]) -> None:
        super().__init__(detector, detector.anchor_generator, size=size, strides=STRIDES)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer: of classes and of boxes."""
        head = self.detector.head
        return head.classification_head.cls_logits, head.regression_head.bbox_reg

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, P, 4), and class logits (N, P, K), of all places and anchors."""
        answers = self.detector.head(list(self.detector.backbone(images).values()))
        boxes = decoded(self.detector.box_coder, answers["bbox_regression"], self.starts)
        return boxes, answers["cls_logits"]


def retinanet(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    backbone: str = _features.DENSE,
) -> Retina:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of 32.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the pyramid and of the towers, a multiple of 16.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    starts = anchors(_ANCHORS)
    # The towers see maps of four kinds: what normalizes them must not remember any of these.
    norm = partial(nn.GroupNorm, _GROUPS)
    head: Any = _Head(tower, starts.num_anchors_per_location()[0], classes, norm_layer=norm)
    head.regression_head._loss_type = "giou"  # as torchvision's second version
    detector = RetinaNet(Pyramid(maps, found, tower), classes, anchor_generator=starts, head=head)
    return Retina(detector, size=size)
