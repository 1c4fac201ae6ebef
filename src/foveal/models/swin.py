"""Swin transformers of torchvision, with patches and windows that fit small pictures."""

from typing import Any

from torch import nn
from torchvision.models import SwinTransformer

from foveal.models import Card, Settings, _torchvision

CARD = Card(
    family="swin",
    kind="network",
    source="Liu et al. 2021, arXiv:2103.14030; torchvision",
    summary="a transformer for large pictures and weights of your own; slow on CPUs, needs many pictures",
    idea="Attention inside small windows that shift from block to block, on maps that halve from stage to "
    "stage as in a convolutional network.",
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=3e-4, weight_decay=0.05, batch_size=128, warm_up_share=0.1
)
SIZES = _torchvision.sizes
MEMBERS = {f"swin_{form}": {"form": form} for form in ("tiny", "small", "base")}

_LARGEST_WINDOW = 7  # tokens across, as published for 224 pixels
# Width of the first stage, blocks and heads of the four: §3.3 of the paper.
_FORMS: dict[str, tuple[int, list[int], list[int]]] = {
    "tiny": (96, [2, 2, 6, 2], [3, 6, 12, 24]),
    "small": (96, [2, 2, 18, 2], [3, 6, 12, 24]),
    "base": (128, [2, 2, 18, 2], [4, 8, 16, 32]),
}


def swin(*, channels: int, classes: int, size: int, form: str, stem_stride: int = 1) -> nn.Module:
    """Return a new Swin transformer with torchvision's names; at 224 pixels, weights from there fit.

    A patch is as large as the stem's stride; a window is as large as the maps of the last stage, 4 tokens
    across at 32 pixels and 7 at 224, so that no window is padded there. No block is dropped: runs are short,
    and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32.
        form: `tiny`, `small` or `base`.
        stem_stride: Side of a patch at least: 1, 2 or 4. From 46 pixels on it is 2 at least, from 91 on 4.
    """
    stride = _torchvision.stem_stride(size, stem_stride)
    width, blocks, heads = _FORMS[form]
    window = max(2, min(_LARGEST_WINDOW, size // stride // 8))
    network: Any = SwinTransformer(
        patch_size=[stride, stride],
        embed_dim=width,
        depths=blocks,
        num_heads=heads,
        window_size=[window, window],
        stochastic_depth_prob=0.0,
        num_classes=classes,
    )
    if channels != 3:
        network.features[0][0] = nn.Conv2d(channels, width, stride, stride=stride)
    module: nn.Module = network
    return module
