"""A picture divided into segments: each thing by itself, each kind of stuff as one."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.scene import VOID

_IDS = 1 << 40


@dataclass(frozen=True, eq=False)
class Segments:
    """Class and instance of each pixel.

    Attributes:
        regions: Classes, uint8 (H, W), 255 where nothing is said or answered.
        instances: Which of its class a thing is, integers (H, W) of 0 or more; of stuff it is not looked at.
        crowds: Instances that are several things at once; they count neither as found nor as missed.

    Raises:
        UsageError: The arrays are not such.
    """

    regions: NDArray[np.uint8] = field(repr=False)
    instances: NDArray[np.integer] = field(repr=False)
    crowds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        whole = np.issubdtype(self.instances.dtype, np.integer)
        if self.regions.ndim != 2 or self.regions.dtype != np.uint8 or not whole:
            got = f"{self.regions.dtype} {self.regions.shape} and {self.instances.dtype}"
            raise UsageError(f"need classes, uint8 (H, W), and whole numbers of instances; got {got}")
        if self.instances.shape != self.regions.shape:
            raise UsageError(f"need instances {self.regions.shape}; got {self.instances.shape}")
        if self.instances.size and not 0 <= self.instances.min() <= self.instances.max() < _IDS:
            raise UsageError(f"instances must be in [0, {_IDS}); got {self.instances.min()} and up")

    def listed(self, things: NDArray[np.bool_]) -> tuple["Listed", NDArray[np.int64]]:
        """Return the segments, and which of them each pixel belongs to, int64 (H · W,).

        Args:
            things: Which classes are things, bool (K,).

        Raises:
            UsageError: There is another class.
        """
        said = self.regions != VOID
        if self.regions[said].max(initial=0) >= len(things):
            raise UsageError(f"classes must be in [0, {len(things)}); got {self.regions[said].max()}")
        thing = np.append(things, np.zeros(VOID + 1 - len(things), np.bool_))[self.regions]
        codes = self.regions.astype(np.int64) * _IDS + np.where(thing, self.instances, 0)
        values, place = np.unique(codes.ravel(), return_inverse=True)
        labels, numbers = values // _IDS, values % _IDS
        is_thing = np.append(things, np.zeros(VOID + 1 - len(things), np.bool_))[labels]
        return Listed(labels, is_thing & np.isin(numbers, self.crowds)), place.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Listed:
    """Segments of one picture.

    Attributes:
        labels: Classes, int64 (S,); 255 for what is none.
        crowd: Which are several things at once, bool (S,).
    """

    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
