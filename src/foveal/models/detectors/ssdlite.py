"""SSDlite: maps of six sizes say what is in boxes of their size, with depthwise convolutions alone.

    (N, C, H, W) → backbone (1/16, 1/32) → four more maps → class logits (N, P, K + 1), changes of P boxes

Made of torchvision's parts; the last maps of any backbone will do. Source: Liu et al., "SSD", 2016; heads:
Sandler et al., "MobileNetV2", 2018, §6.2; backbone: Howard et al., "Searching for MobileNetV3", 2019.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead
from torchvision.ops import Conv2dNormActivation

from foveal.models import Card, _features
from foveal.models._dense import MOMENTUM
from foveal.models._torchvision_detector import InFloat, TorchvisionDetector, decoded, log_odds

CARD = Card(
    family="ssdlite",
    kind="network",
    source="Liu et al. 2016, arXiv:1512.02325; Sandler et al. 2018, arXiv:1801.04381; torchvision",
    summary="fewest operations: large objects on devices without wide vector units",
    idea="Coarse maps of six sizes answer for objects of their size, with the fewest operations.",
    smallest_size=32,
    task="detect",
)
LEARNS = "own_loss"
SETTINGS = _features.ADAM
# From the smallest to the largest; training takes the largest that its budget allows.
SIZES: tuple[dict[str, Any], ...] = (
    {"backbone": "mobilenet_v3_small"},
    {"backbone": "mobilenet_v3_large"},
)
_STRIDES = (16, 32, 64, 128, 256, 512)
_MORE = (512, 256, 256, 128)  # channels of the maps beyond the backbone's
_SHAPES = (2, 3)  # sides of a box as multiples of each other, beside the squares
_LARGEST = 0.95  # side of a box as a share of the picture's
_NORM = partial(nn.BatchNorm2d, momentum=MOMENTUM)


class _Maps(nn.Module):
    """A backbone's maps at 1/16 and 1/32, and four more, each half as large as the one before, in float32.

    Attributes:
        maps: The backbone.
        out_channels: Of each map.
    """

    def __init__(self, maps: nn.Module, widths: Sequence[int]) -> None:
        super().__init__()
        self.maps = maps
        self.out_channels = [*widths[-2:], *_MORE]
        inputs = self.out_channels[1:-1]
        self.more = nn.ModuleList(map(_halved, inputs, _MORE))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of normalized images (N, C, H, W), the finest first, by their number."""
        found = self.maps(images)[-2:]
        for layers in self.more:
            found.append(layers(found[-1]))
        return OrderedDict((str(place), maps.float()) for place, maps in enumerate(found))


def _halved(inputs: int, outputs: int) -> nn.Sequential:
    """Return layers that halve a map: (N, I, H, W) → (N, O, H / 2, W / 2)."""
    inner = outputs // 2
    unit = partial(Conv2dNormActivation, norm_layer=_NORM, activation_layer=nn.ReLU6)
    return nn.Sequential(
        unit(inputs, inner, kernel_size=1),
        unit(inner, inner, stride=2, groups=inner),
        unit(inner, outputs, kernel_size=1),
    )


class _Head(InFloat, SSDLiteHead):  # type: ignore[misc]  # torchvision states no types
    """Torchvision's, in float32."""


class SsdLite(TorchvisionDetector):
    """See the module; built by `ssdlite`."""

    first_class = 1

    def __init__(self, detector: SSD, *, size: Sequence[int]) -> None:
        super().__init__(detector, detector.anchor_generator, size=size, strides=_STRIDES)

    @property
    def outputs(self) -> tuple[nn.Module, ...]:
        """The layers that answer: of classes and of boxes, for each map."""
        head = self.detector.head
        parts = (head.classification_head, head.regression_head)
        return tuple(block[-1] for part in parts for block in part.module_list)

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, P, 4), and class logits (N, P, K), of all places and boxes."""
        answers = self.detector.head(list(self.detector.backbone(images).values()))
        boxes = decoded(self.detector.box_coder, answers["bbox_regression"], self.starts)
        return boxes, log_odds(answers["cls_logits"])


def ssdlite(
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    smallest: float = 0.1,
    backbone: str = "mobilenet_v3_large",
) -> SsdLite:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of 32.
        smallest: Side of the smallest boxes as a share of the picture's, below 0.95.
        backbone: `mobilenet_v3_large` or `_small`, or another classifier whose weights training starts from.
    """
    maps, found = _features.backbone(backbone, channels=channels)
    boxes = DefaultBoxGenerator([list(_SHAPES)] * len(_STRIDES), smallest, _LARGEST)
    pyramid = _Maps(maps, found)
    head = _Head(pyramid.out_channels, boxes.num_anchors_per_location(), classes + 1, _NORM)
    detector = SSD(pyramid, boxes, tuple(size), classes + 1, head=head)
    return SsdLite(detector, size=size)
