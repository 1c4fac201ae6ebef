"""ConvNeXts of torchvision, with a stem that fits small pictures, and small ones for CPUs."""

from typing import Any

from torch import nn
from torchvision.models import ConvNeXt
from torchvision.models.convnext import CNBlockConfig

from foveal.models import Card, _torchvision

CARD = Card(
    family="convnext",
    kind="network",
    source="Liu et al. 2022, arXiv:2201.03545; torchvision",
    summary="a modern network to compare with, and for weights of your own; its norms cost time on CPUs",
    idea="A ResNet rebuilt like a transformer: a depthwise 7×7 filter, then a two-layer perceptron for each "
    "pixel, layer norm, and few activations.",
)
SETTINGS = _torchvision.ADAM
SIZES = _torchvision.sizes
MEMBERS = {
    f"convnext_{form}": {"form": form} for form in ("atto", "femto", "pico", "nano", "tiny", "small", "base")
}

# Channels of the first stage, doubled from stage to stage, and blocks of the third; the other three have
# two blocks each, from tiny on three. The four smallest: Woo et al. 2023, arXiv:2301.00808, appendix.
_FORMS = {
    "atto": (40, 6),
    "femto": (48, 6),
    "pico": (64, 6),
    "nano": (80, 8),
    "tiny": (96, 9),
    "small": (96, 27),
    "base": (128, 27),
}
_LAYER_SCALE = 0.1


def convnext(*, channels: int, classes: int, size: int, form: str, stem_stride: int = 1) -> nn.Module:
    """Return a new ConvNeXt with torchvision's names; from 91 pixels on, weights from there fit.

    Blocks start at a tenth of their strength, not at a millionth as in the paper, whose runs are long. No
    block is dropped: runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32.
        form: `atto`, `femto`, `pico`, `nano`, `tiny`, `small` or `base`.
        stem_stride: The stem shrinks pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2 at
            least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    width, deep = _FORMS[form]
    widths, others = [width * 2**stage for stage in range(4)], 2 if width < _FORMS["tiny"][0] else 3
    settings = [
        CNBlockConfig(inputs, outputs, deep if stage == 2 else others)
        for stage, (inputs, outputs) in enumerate(zip(widths, [*widths[1:], None], strict=True))
    ]
    network: Any = ConvNeXt(settings, layer_scale=_LAYER_SCALE, num_classes=classes)
    network.features[0][0] = _stem(channels, width, stride)
    module: nn.Module = network
    return module


def _stem(channels: int, filters: int, stride: int) -> nn.Conv2d:
    """Return a convolution over squares of `stride` pixels that do not overlap; single pixels see 3×3."""
    made = nn.Conv2d(channels, filters, stride, stride=stride)
    if stride == 1:
        made = nn.Conv2d(channels, filters, 3, padding=1)
    nn.init.trunc_normal_(made.weight, std=0.02)
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]  # it has one
    return made
