"""Maps of a network that was made to name pictures: what says where something is can start from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.models import _torchvision
from foveal.models._dense import Dense

DENSE = "dense"
LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
_STAGES = (1, 2, 3, 4)  # of timm's features: at 1/4, 1/8, 1/16 and 1/32


class Features(nn.Module):
    """Maps at 1/4, 1/8, 1/16 and 1/32 of the side, by timm's names of the layers.

    Attributes:
        widths: Channels of these four maps.
    """

    def __init__(self, name: str, *, channels: int) -> None:
        """Build it, without weights of anybody.

        Args:
            name: One of `LITE`.
            channels: Of the pictures.
        """
        super().__init__()
        import timm  # here: it takes a second, and only these networks need it

        made: Any = timm.create_model(
            f"tf_{name}", pretrained=False, in_chans=channels, features_only=True, out_indices=_STAGES
        )
        self.maps: nn.Module = made
        self.widths = tuple(int(width) for width in made.feature_info.channels())
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = _torchvision.MOMENTUM

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of normalized images (N, C, H, W), the largest first."""
        found: list[Tensor] = self.maps(images)
        return found

    @torch.no_grad()
    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the weights of a classifier of that name; those of its head play no part.

        Raises:
            ValueError: A layer has none, or its shape is another one.
        """
        own = self.maps.state_dict()
        missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
        other = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
        if missing or other:
            raise ValueError(f"missing {missing[:3]}, of another shape {other[:3]}")
        self.maps.load_state_dict({name: tensors.get(name, value) for name, value in own.items()})


def backbone(
    name: str, *, channels: int, widths: Sequence[int], depths: Sequence[int]
) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a backbone and the channels of its four maps.

    Args:
        name: `dense`, or one of `LITE`.
        channels: Of the pictures.
        widths: Of `dense`, channels of the maps.
        depths: Of `dense`, residual blocks at each of them.

    Raises:
        UsageError: `no_backbone`: no such name.
    """
    if name == DENSE:
        return Dense(channels=channels, widths=widths, depths=depths), tuple(widths)
    if name not in LITE:
        raise UsageError(
            f"{name} makes no maps that this could read",
            code="no_backbone",
            hint=f"{DENSE} or {', '.join(LITE)}",
        )
    made = Features(name, channels=channels)
    return made, made.widths
