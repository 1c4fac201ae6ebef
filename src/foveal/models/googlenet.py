"""GoogLeNet of torchvision: a stem that fits small pictures, auxiliary classifiers that only teach."""

from typing import Any

from torch import nn
from torchvision.models import GoogLeNet as TheirGoogLeNet
from torchvision.models.googlenet import InceptionAux

from foveal.models import Card, _torchvision

CARD = Card(
    family="inception",
    kind="network",
    source="Szegedy et al. 2015, arXiv:1409.4842; torchvision",
    summary="few weights for its time, many small layers: slow on CPUs for its multiply-adds",
    idea="Blocks look at 1×1, 3×3 and pooled neighbourhoods at once and lay the answers side by side; two "
    "classifiers on inner maps help the deep layers learn.",
    smallest_size=16,
)
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes

_INNER = {"inception4a": 512, "inception4d": 528}  # channels that the auxiliary classifiers read


class GoogLeNet(TheirGoogLeNet):  # type: ignore[misc]  # torchvision has no types
    """See the module; built by `googlenet`."""

    auxiliary_share = 0.3  # of each auxiliary loss: §5 of the paper

    def auxiliary(self) -> dict[str, nn.Module]:
        """Return new auxiliary classifiers, by the name of the block whose maps they read."""
        return {
            name: InceptionAux(width, self.fc.out_features, dropout=0.0) for name, width in _INNER.items()
        }


def googlenet(*, channels: int, classes: int, size: int, stem_stride: int = 1) -> nn.Module:
    """Return a new GoogLeNet with torchvision's names; from 91 pixels on, weights from there fit.

    Apart from `aux1` and `aux2`, that is: auxiliary classifiers learn along with the objective `supervised`,
    belong to it, and never ship (`models.HasAuxiliary`). There is no dropout: runs are short, and labels
    are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    network: Any = GoogLeNet(num_classes=classes, aux_logits=False, init_weights=True, dropout=0.0)
    return _torchvision.adapted(network, stride=stride, channels=channels)
