"""Vision transformers of timm, with patches that fit small pictures."""

from typing import Any

from torch import nn

from foveal.models import Card, Settings

CARD = Card(
    family="vit",
    kind="network",
    source="Dosovitskiy et al. 2021, arXiv:2010.11929; timm",
    summary="to compare with, or for weights of your own; from scratch it loses to any convolutional network",
    idea="The picture is cut into patches, and every patch attends to all others, layer after layer; nothing "
    "about neighbourhoods is built in.",
    smallest_size=16,
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=128, warm_up_share=0.1
)
MEMBERS = {f"vit_{form}": {"form": form} for form in ("tiny", "small", "base")}

_HEADS = {"tiny": 3, "small": 6, "base": 12}
_HEAD_WIDTH, _BLOCKS = 64, 12
_LARGEST_PATCH = 16


def SIZES(size: int) -> tuple[dict[str, Any], ...]:  # noqa: N802  # the name that a family states
    """Return the arguments of all variants for an input, the fastest first: larger patches are fewer."""
    finest = _patch(size)
    return ({"patch": 2 * finest}, {"patch": finest}) if finest < _LARGEST_PATCH else ({"patch": finest},)


def vit(*, channels: int, classes: int, size: int, form: str, patch: int | None = None) -> nn.Module:
    """Return a new vision transformer with timm's names; at 224 pixels, weights from there fit.

    There is no dropout: runs are short, and labels are smoothed. It takes pictures of `size` only.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        form: `tiny`, `small` or `base`.
        patch: Side of a patch in pixels; what does not divide is left out at the right and at the bottom.
            None: 4 at 32 pixels, 8 from 64 on, 16 from 128 on.
    """
    from timm.models import VisionTransformer  # here alone: it takes more than a second

    heads = _HEADS[form]
    made: nn.Module = VisionTransformer(
        img_size=size,
        patch_size=patch or _patch(size),
        in_chans=channels,
        num_classes=classes,
        embed_dim=heads * _HEAD_WIDTH,
        depth=_BLOCKS,
        num_heads=heads,
    )
    return made


def _patch(size: int) -> int:
    """Return the largest power of two that leaves eight patches or more across, at most 16."""
    return min(_LARGEST_PATCH, 1 << ((size // 8).bit_length() - 1))
