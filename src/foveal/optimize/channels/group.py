"""Channels that go together, and the parts of the layers that go with them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Positions = NDArray[np.int64]
Role = Literal["makes", "scales", "reads"]


@dataclass(frozen=True, eq=False)
class Place:
    """What one layer holds of each unit of a group.

    Attributes:
        module: Name of a `Conv2d`, `Linear` or `BatchNorm2d`.
        role: It makes the channels, scales them (batch norm), or reads them.
        axis: Of its weight: 0 where it makes or scales, 1 where it reads. A bias and the statistics of a
            norm follow axis 0.
        positions: Where along that axis, int64 (units, positions per unit).
    """

    module: str
    role: Role
    axis: int
    positions: Positions


@dataclass(frozen=True, eq=False)
class Group:
    """Units that are alike: the network stays whole if any of them goes, each from all places at once.

    Attributes:
        name: Of the first layer that makes them; `name#2` where that layer makes several groups.
        places: In the order in which the network runs.
    """

    name: str
    places: tuple[Place, ...]

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.places[0].positions)

    @property
    def makers(self) -> tuple[str, ...]:
        """Names of the layers that make the units."""
        return tuple(place.module for place in self.places if place.role == "makes")

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the layers that read them."""
        return tuple(place.module for place in self.places if place.role == "reads")


def tensors(module: nn.Module, axis: int) -> dict[str, Tensor]:
    """Return what a removal along an axis of the weight cuts, by attribute: its state along that axis."""
    if axis == 1:
        return {"weight": module.get_parameter("weight")}
    state = {**module._parameters, **module._buffers}
    return {name: value for name, value in state.items() if value is not None and value.ndim}
