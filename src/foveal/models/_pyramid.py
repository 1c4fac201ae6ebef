"""Several maps with the same number of channels, for detectors that look for objects by their size."""

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from foveal.models._dense import MOMENTUM

STRIDES = (8, 16, 32, 64)  # pixels between two places of each of its maps
_SIDE = 2  # strides: of the smallest anchors; torchvision's 4 are for pictures twice as large


class Pyramid(nn.Module):
    """A backbone and torchvision's feature pyramid on its maps at 1/8, 1/16 and 1/32; and one at 1/64.

    What a detector of torchvision takes for a backbone. Maps are float32 whatever made them: places and boxes
    are computed in the numbers of the maps, and coarser ones would move them by pixels.

    Attributes:
        maps: The backbone.
        out_channels: Of each map.
    """

    def __init__(self, maps: nn.Module, widths: tuple[int, ...], channels: int) -> None:
        """Build it.

        Args:
            maps: Returns maps at 1/4, 1/8, 1/16 and 1/32.
            widths: Channels of these.
            channels: Of each map that comes out.
        """
        super().__init__()
        self.maps = maps
        self.out_channels = channels
        self.neck = FeaturePyramidNetwork(
            list(widths[1:]),
            channels,
            extra_blocks=LastLevelMaxPool(),
            norm_layer=partial(nn.BatchNorm2d, momentum=MOMENTUM),
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of normalized images (N, C, H, W), the finest first, by their number."""
        _, *coarser = self.maps(images)
        joined = self.neck(OrderedDict((str(place), maps) for place, maps in enumerate(coarser)))
        return OrderedDict((str(place), maps.float()) for place, maps in enumerate(joined.values()))


def anchors(sizes: int) -> AnchorGenerator:
    """Return what detectors with anchors start from: wide, square and high ones.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, §4.

    Args:
        sizes: In each octave.
    """
    sides = tuple(
        tuple(round(_SIDE * stride * 2 ** (part / sizes)) for part in range(sizes)) for stride in STRIDES
    )
    return AnchorGenerator(sides, ((0.5, 1.0, 2.0),) * len(STRIDES))
