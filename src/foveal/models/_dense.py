"""A backbone of plain 3×3 convolutions and one light way back up: maps for whatever says where something is.

    (N, C, H, W) → stem (1/4) → stage (1/8) → stage (1/16) → stage (1/32)
                                  ↑     ←     ↑      ←      ↑
Dense convolutions with a multiple of 16 channels keep the matrix units of a processor busy; depthwise ones
look small in operations and wait for memory. The way up follows Lin et al., "Feature Pyramid Networks", 2017,
with addition and nearest neighbours.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

_LEAK = 0.125
MOMENTUM = 0.1  # of batch-norm statistics: steps have few pictures


class Unit(nn.Sequential):
    """Convolution, normalization, ReLU: (N, I, H, W) → (N, O, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=MOMENTUM),
            nn.ReLU(inplace=True),
        )


class Tower(nn.Sequential):
    """What stands before a layer that answers: as `Unit`, but that a place where nothing fires still differs.

    After a ReLU a class may come to be what has no feature above 0: all its places have one score then, which
    only the bias moves.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels, momentum=MOMENTUM),
            nn.LeakyReLU(_LEAK, inplace=True),
        )


class Residual(nn.Module):
    """Two convolutions beside an identity (He et al., 2016): (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Unit(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels, momentum=MOMENTUM)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(maps + self.norm(self.second(self.first(maps))))


class Dense(nn.Module):
    """Maps at 1/4, 1/8, 1/16 and 1/32 of the side.

    Attributes:
        widths: Channels of these four maps.
    """

    def __init__(self, *, channels: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        """Build it.

        Args:
            channels: Of the pictures.
            widths: Channels at 1/4, 1/8, 1/16 and 1/32.
            depths: Residual blocks at each of them.
        """
        super().__init__()
        self.widths = tuple(widths)
        self.stem = Unit(channels, max(16, widths[0] // 2), stride=2)
        stages, inputs = [], max(16, widths[0] // 2)
        for width, depth in zip(widths, depths, strict=True):
            stages.append(
                nn.Sequential(Unit(inputs, width, stride=2), *(Residual(width) for _ in range(depth)))
            )
            inputs = width
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of normalized images (N, C, H, W), the largest first."""
        found, maps = [], self.stem(images)
        for stage in self.stages:
            maps = stage(maps)
            found.append(maps)
        return found


class TopDown(nn.Module):
    """Bring what coarse maps know to the finest one: one map (N, D, H / stride, W / stride).

    Where sides are no multiples of 32 the coarser maps are cut to the finer ones.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        """Build it; `widths` are the channels of the maps that are joined, the finest first."""
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, outputs, 1, bias=False) for width in widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs, momentum=MOMENTUM) for _ in widths)
        self.smooth = nn.ModuleList(Unit(outputs, outputs) for _ in widths[1:])

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the joined map."""
        joined: Tensor | None = None
        for place in reversed(range(len(maps))):
            own = self.norms[place](self.lateral[place](maps[place]))
            if joined is not None:
                larger = F.interpolate(joined, scale_factor=2.0, mode="nearest")
                own = own + larger[..., : own.shape[2], : own.shape[3]]
            own = F.relu(own)
            joined = self.smooth[place](own) if place < len(maps) - 1 else own
        assert joined is not None
        return joined


class Detail(nn.Module):
    """Bring a map at 1/8 to the finest one, at 1/4: (N, T, h, w) and (N, W, 2 h, 2 w) → (N, D, 2 h, 2 w)."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        """Build it; `coarse` and `fine` are the channels of the two maps, `outputs` of the joined one."""
        super().__init__()
        self.coarse = nn.Conv2d(coarse, outputs, 1, bias=False)
        self.detail = nn.Conv2d(fine, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=MOMENTUM)
        self.mix = Unit(outputs, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return the joined map."""
        up = F.interpolate(self.coarse(coarse), scale_factor=2.0, mode="nearest")
        joined: Tensor = self.mix(
            F.relu(self.norm(up[..., : fine.shape[2], : fine.shape[3]] + self.detail(fine)))
        )
        return joined
