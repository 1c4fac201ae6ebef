"""Where the numbers of a map can lie."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Box:
    """All maps between two.

    Attributes:
        low, high: Float, of one shape, low ≤ high everywhere.
    """

    low: Tensor
    high: Tensor

    @property
    def center(self) -> Tensor:
        """The map in the middle."""
        return (self.low + self.high) / 2

    @property
    def reach(self) -> Tensor:
        """How far the box reaches from its middle, ≥ 0."""
        return (self.high - self.low) / 2

    @property
    def largest(self) -> Tensor:
        """The largest absolute value that each number can have."""
        return self.low.abs().maximum(self.high.abs())

    def least(self, rows: Tensor) -> Tensor:
        """Return the least value of linear functions over the box, (N, M).

        Args:
            rows: Coefficients (N, M, …), of M functions for each of the N boxes.
        """
        center, reach = self.center.flatten(1), self.reach.flatten(1)
        flat = rows.flatten(2)
        found: Tensor = (flat @ center[..., None] - flat.abs() @ reach[..., None]).squeeze(2)
        return found
