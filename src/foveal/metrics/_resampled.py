"""By how much two numbers of the same pictures differ, with an interval: both are drawn again together.

What makes a picture hard is the same for both, so their difference varies less than either. Source: Efron,
"Better bootstrap confidence intervals", 1987, for the interval; that pairs are drawn as pairs: Efron &
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Units
from foveal.metrics.bootstrap import interval, resamples

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """One number of some pictures, and what it is when they are drawn again.

    Attributes:
        value: Of all pictures.
        drawn: Of resamples of them, float64 (D,); NaN where it is not defined.
        left_out: Without each of some groups of them, float64 (G,).
        images: How many pictures.
        clustered: Whether whole units of them are drawn.
    """

    value: float
    drawn: Floats = field(repr=False)
    left_out: Floats = field(repr=False)
    images: int
    clustered: bool = False

    @classmethod
    def of(
        cls,
        images: int,
        statistic: Callable[[NDArray[np.int64]], Floats],
        *,
        units: Units = None,
        draws: int = 1000,
        seed: int = 0,
    ) -> Self:
        """Return a statistic of pictures, resampled.

        Args:
            images: How many pictures, at least 1.
            statistic: Maps how often each picture is there, int64 (B, N), to a value each, float64 (B,).
            units: What each picture belongs to, integers (N,); whole units are drawn. None: each alone.
            draws: Resamples.
            seed: Numbers that are compared need the same, and the same draws and units.

        Raises:
            UsageError: There is no picture, or not one unit for each; or the statistic is not defined.
        """
        if images < 1 or (units is not None and np.shape(units) != (images,)):
            raise UsageError(f"need a unit for each of {images} pictures, at least one", code="empty")
        place = np.arange(images) if units is None else np.unique(units, return_inverse=True)[1]
        value, drawn, left_out = resamples(
            int(place.max()) + 1, lambda times: statistic(times[:, place])[:, None], draws=draws, seed=seed
        )
        if np.isnan(value[0]):
            raise UsageError("the number is not defined on these pictures", code="empty")
        return cls(float(value[0]), drawn[:, 0], left_out[:, 0], images, units is not None)

    def measured(self) -> Measured:
        """Return the number with its interval."""
        return self._interval(self.value, self.drawn, self.left_out)

    def minus(self, other: "Resampled") -> Measured:
        """Return the difference of two numbers of the same pictures, resampled alike, with its interval."""
        return self._interval(
            self.value - other.value, self.drawn - other.drawn, self.left_out - other.left_out
        )

    def over(self, other: "Resampled") -> Measured:
        """Return this number as a share of another one of the same pictures, with its interval.

        Where the other one is 0, nothing of it can be left: the share is 0.
        """
        parts = (
            np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0 * (above + below))
            for above, below in (
                (np.array([self.value]), np.array([other.value])),
                (self.drawn, other.drawn),
                (self.left_out, other.left_out),
            )
        )
        value, drawn, left_out = parts
        return self._interval(float(value[0]), drawn, left_out)

    @classmethod
    def mean(cls, several: Sequence[Self]) -> Self:
        """Return the mean of several numbers of the same pictures, resampled alike."""
        table: Floats = np.mean([one.table for one in several], axis=0)
        first = several[0]
        return cls.read(table, images=first.images, draws=len(first.drawn), clustered=first.clustered)

    @property
    def table(self) -> Floats:
        """All numbers in one row: of all pictures, of resamples, and without each group."""
        return np.concatenate([[self.value], self.drawn, self.left_out])

    @classmethod
    def read(cls, table: Floats, *, images: int, draws: int, clustered: bool = False) -> Self:
        """Return what `table` gave."""
        return cls(float(table[0]), table[1 : 1 + draws], table[1 + draws :], images, clustered)

    def _interval(self, value: float, drawn: Floats, left_out: Floats) -> Measured:
        found = interval(value, drawn, left_out, n=self.images)
        return replace(found, method=f"{found.method}-clustered") if self.clustered else found
