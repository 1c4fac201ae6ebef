"""What the architectures of torchvision share: a stem that fits small pictures, and how they learn best.

Their own stems halve the picture at once and twice, which suits 224 pixels and leaves nothing of 32. Here a
picture is halved no further than to about 32 pixels before the first stage. Names and shapes of all weights
stay torchvision's except for the stem's own filters of a ResNet, so that weights trained elsewhere fit.
"""

import math
from functools import partial
from typing import Any

from torch import nn

from foveal.models import Settings

LARGEST_STRIDE = 4  # of torchvision's own stems
MOMENTUM = 0.3  # of batch-norm statistics: runs are short

# Filters follow each other through batch norm, as in nano; steps cost more, so batches are smaller. The last
# layer sees features of another scale. Measured: docs/decisions/0017-settings-per-model.md.
SETTINGS = Settings(batch_size=128, head_rate=0.25)

norm = partial(nn.BatchNorm2d, momentum=MOMENTUM)


def stem_stride(size: int, at_least: int) -> int:
    """Return by how much the stem shrinks pictures: 1 to 45 pixels, 2 to 90, 4 above.

    Args:
        size: Side of the input in pixels.
        at_least: 1, 2 or 4: a coarser stem is faster and sees less.
    """
    needed = 2 ** max(0, round(math.log2(size / 32)))
    return int(min(LARGEST_STRIDE, max(needed, at_least)))


def sizes(size: int) -> tuple[dict[str, Any], ...]:
    """Return the arguments of all variants for an input, the fastest first; they differ in the stem only."""
    finest = stem_stride(size, 1)
    return tuple({"stem_stride": stride} for stride in (4, 2, 1) if stride >= finest)


def first_convolution(channels: int, filters: int, stride: int) -> nn.Conv2d:
    """Return a 3×3 convolution without bias, initialized as torchvision's networks are."""
    convolution = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
