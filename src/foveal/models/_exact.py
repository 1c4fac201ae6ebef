"""Networks whose sums come out the same in every order, as long as they are small enough."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class ExactSums(Protocol):
    """A network of fixed-point numbers, in eval mode, that float32 adds without rounding."""

    def fullness(self, low: "Tensor", high: "Tensor") -> float:
        """Return the largest sum that can arise, as a share of that up to which float32 rounds nothing.

        Above 1 it is not known that every engine gives the same sums.

        Args:
            low: The smallest normalized pixels, one value per channel, (C,).
            high: The largest ones.
        """
