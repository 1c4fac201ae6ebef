"""Inception v3 of torchvision: a stem that fits small pictures, an auxiliary classifier that only teaches."""

from typing import Any

from torch import nn
from torchvision.models import Inception3
from torchvision.models.inception import InceptionAux

from foveal.models import Card, _torchvision

CARD = Card(
    family="inception",
    kind="network",
    source="Szegedy et al. 2016, arXiv:1512.00567; torchvision",
    summary="for large pictures with days of training; made for 299 pixels",
    idea="Large filters are split into small and lop-sided ones, such as 1×7 after 7×1; one classifier on "
    "inner maps helps the deep layers learn.",
)
SETTINGS = _torchvision.SETTINGS

_LARGEST_STRIDE = 8  # of torchvision's stem
_FEWEST_PIXELS = 14  # after the stem, unpadded filters and pools leave nothing of less
_INNER, _INNER_CHANNELS, _INNER_SIDE = "Mixed_6e", 768, 17  # the side at 299 pixels


class InceptionV3(Inception3):  # type: ignore[misc]  # torchvision has no types
    """See the module; built by `inception_v3`."""

    auxiliary_share = 0.4  # torchvision's; the paper names none

    def auxiliary(self) -> dict[str, nn.Module]:
        """Return a new auxiliary classifier, by the name of the block whose maps it reads.

        Its filters are made for 17×17 pixels; smaller maps are repeated to that.
        """
        judge = InceptionAux(_INNER_CHANNELS, self.fc.out_features)
        return {_INNER: nn.Sequential(nn.AdaptiveAvgPool2d(_INNER_SIDE), judge)}


def SIZES(size: int) -> tuple[dict[str, Any], ...]:  # noqa: N802  # the name that a family states
    """Return the arguments of all variants for an input, the fastest first; they differ in the stem only."""
    finest = _torchvision.stem_stride(size, 1, largest=_LARGEST_STRIDE)
    coarse = [stride for stride in (8, 4, 2) if stride > finest and size // stride >= _FEWEST_PIXELS]
    return tuple({"stem_stride": stride} for stride in (*coarse, finest))


def inception_v3(*, channels: int, classes: int, size: int, stem_stride: int = 1) -> nn.Module:
    """Return a new Inception v3 with torchvision's names; weights trained with torchvision fit at every size.

    Apart from `AuxLogits`, that is: the auxiliary classifier learns along with the objective `supervised`,
    belongs to it, and never ships (`models.HasAuxiliary`). There is no dropout: runs are short, and labels
    are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32.
        stem_stride: The stem shrinks pictures at least by this: 1, 2, 4 or 8. From 46 pixels on it is 2 at
            least, from 91 on 4, from 182 on 8.
    """
    stride = _torchvision.stem_stride(size, stem_stride, largest=_LARGEST_STRIDE)
    network: Any = InceptionV3(num_classes=classes, aux_logits=False, init_weights=True, dropout=0.0)
    return _torchvision.adapted(network, stride=stride, channels=channels, largest=_LARGEST_STRIDE)
