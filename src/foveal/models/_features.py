"""Maps of a network that was made to name pictures: what says where something is can start from it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torchvision
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.models import Settings, _torchvision
from foveal.models._dense import Dense

DENSE = "dense"
LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
MOBILE = ("mobilenet_v3_small", "mobilenet_v3_large")
_STAGES = (1, 2, 3, 4)  # of timm's features: at 1/4, 1/8, 1/16 and 1/32
_WIDTHS, _DEPTHS = (32, 64, 128, 192), (0, 1, 1, 1)  # of `dense`, where nobody says which
# Of networks that Muon does not suit, and of all whose backbone has weights already.
ADAM = Settings(optimizer="adam", learning_rate=2e-3, weight_decay=0.05, batch_size=16, warm_up_share=0.1)


class Known(nn.Module, ABC):
    """A backbone that may take over weights that were learned before.

    Then its first layers, up to maps at 1/4, stay as they are, and so do the statistics of all its norms: a
    few pictures know those less well than a million did, and most of the time of a step goes into the largest
    maps (Ren et al., "Faster R-CNN", 2015, §3.3 and its code hold them likewise).
    """

    known = False

    @property
    @abstractmethod
    def named(self) -> nn.Module:
        """What has the layers under the names that their classifier gives them."""

    @property
    @abstractmethod
    def first(self) -> Sequence[nn.Module]:
        """The layers up to the largest map."""

    @property
    @abstractmethod
    def middle(self) -> Sequence[nn.Module]:
        """The layers behind these, up to the map at 1/16."""

    def hold_middle(self) -> None:
        """Let only the layers of the coarsest map learn on, where weights are known.

        Most of the time of a step goes into the depthwise layers of the others.
        """
        if self.known:
            for layer in self.middle:
                layer.requires_grad_(False)

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the weights of a classifier of that name; those of its head play no part.

        Raises:
            ValueError: A layer has none, or its shape is another one.
        """
        _take(self.named, tensors)
        for layer in self.first:
            layer.requires_grad_(False)
        self.known = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; norms that are known always evaluate."""
        super().train(mode)
        if self.known:
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        return self


class Features(Known):
    """Maps at 1/4, 1/8, 1/16 and 1/32 of the side of an EfficientNet-Lite, by timm's names of the layers.

    Attributes:
        widths: Channels of these four maps.
    """

    def __init__(self, name: str, *, channels: int, dilated: bool = False) -> None:
        """Build it, without weights of anybody.

        Args:
            name: One of `LITE`.
            channels: Of the pictures.
            dilated: The last map is as fine as the one before it.
        """
        super().__init__()
        import timm  # here: it takes a second, and only these networks need it

        made: Any = timm.create_model(
            f"tf_{name}",
            pretrained=False,
            in_chans=channels,
            features_only=True,
            out_indices=_STAGES,
            output_stride=16 if dilated else 32,
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

    @property
    def named(self) -> nn.Module:
        """The layers as timm names them."""
        return self.maps

    @property
    def first(self) -> Sequence[nn.Module]:
        """Stem and two stages of blocks."""
        maps: Any = self.maps
        return maps.conv_stem, maps.bn1, *maps.blocks[:2]

    @property
    def middle(self) -> Sequence[nn.Module]:
        """Three stages of blocks."""
        maps: Any = self.maps
        return tuple(maps.blocks[2:5])


class Mobile(Known):
    """Maps at 1/4, 1/8, 1/16 and 1/32 of the side of a MobileNetV3, by torchvision's names of the layers.

    Attributes:
        widths: Channels of these four maps.
    """

    def __init__(self, name: str, *, channels: int, dilated: bool = False) -> None:
        """Build it, without weights of anybody.

        Args:
            name: One of `MOBILE`.
            channels: Of the pictures.
            dilated: The last map is as fine as the one before it.
        """
        super().__init__()
        classifier: Any = getattr(torchvision.models, name)(dilated=dilated)
        adapted: Any = _torchvision.adapted(classifier, stride=_torchvision.LARGEST_STRIDE, channels=channels)
        self.features = adapted.features
        # A map is complete where the next stage begins; the first two that halve belong to 1/4.
        begins = [place for place, block in enumerate(self.features) if getattr(block, "_is_cn", False)]
        self._last = [place - 1 for place in begins[1:]] + [len(self.features) - 1]
        self.widths = tuple(int(self.features[place].out_channels) for place in self._last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of normalized images (N, C, H, W), the largest first."""
        found, maps = [], images
        for place, block in enumerate(self.features):
            maps = block(maps)
            if place in self._last:
                found.append(maps)
        return found

    @property
    def named(self) -> nn.Module:
        """The layers as torchvision names them."""
        return self

    @property
    def first(self) -> Sequence[nn.Module]:
        """All blocks up to the first map."""
        return tuple(self.features[: self._last[0] + 1])

    @property
    def middle(self) -> Sequence[nn.Module]:
        """All blocks up to the third map."""
        return tuple(self.features[self._last[0] + 1 : self._last[2] + 1])


def sizes(small: int, usual: int) -> tuple[dict[str, Any], ...]:
    """Return arguments of two sizes of a network on `dense`; training takes the larger if it has the time.

    Args:
        small: Channels of the tower of the smaller one.
        usual: Of the larger one.
    """
    depths = list(_DEPTHS)
    return (
        {"widths": [width // 2 for width in _WIDTHS], "depths": depths, "tower": small},
        {"widths": list(_WIDTHS), "depths": depths, "tower": usual},
    )


@torch.no_grad()
def _take(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    own = network.state_dict()
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    other = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    if missing or other:
        raise ValueError(f"missing {missing[:3]}, of another shape {other[:3]}")
    network.load_state_dict({name: tensors.get(name, value) for name, value in own.items()})


def backbone(
    name: str, *, channels: int, widths: Sequence[int] = _WIDTHS, depths: Sequence[int] = _DEPTHS
) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a backbone and the channels of its four maps.

    Args:
        name: `dense`, or one of `LITE` or `MOBILE`.
        channels: Of the pictures.
        widths: Of `dense`, channels of the maps.
        depths: Of `dense`, residual blocks at each of them.

    Raises:
        UsageError: `no_backbone`: no such name.
    """
    if name == DENSE:
        return Dense(channels=channels, widths=widths, depths=depths), tuple(widths)
    made = classifier_maps(name, channels=channels, others=(DENSE,))
    return made, made.widths


def classifier_maps(
    name: str, *, channels: int, dilated: bool = False, others: Sequence[str] = ()
) -> Features | Mobile:
    """Return the maps of a classifier.

    Args:
        name: One of `LITE` or `MOBILE`.
        channels: Of the pictures.
        dilated: The last map is as fine as the one before it.
        others: What else could have been named.

    Raises:
        UsageError: `no_backbone`: no such name.
    """
    if name in LITE:
        return Features(name, channels=channels, dilated=dilated)
    if name in MOBILE:
        return Mobile(name, channels=channels, dilated=dilated)
    raise UsageError(
        f"{name} makes no maps that this could read",
        code="no_backbone",
        hint=f"one of {', '.join([*others, *LITE, *MOBILE])}",
    )
