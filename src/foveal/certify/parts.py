"""Pictures in parts that are worked on side by side; which parts there are, the pictures alone decide."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from foveal.core.parallel import in_order
from foveal.core.random import seed_for
from foveal.data.dataset import UInt8

_MOST = 48  # pictures at once
_PIXELS = _MOST * 32 * 32  # and as many pixels: one of 224 x 224, whose activations take about 100 MB


def evenly(count: int, *, at_most: int) -> list[slice]:
    """Return the fewest parts of `count` things with at most so many in each, of sizes that differ by 1.

    >>> evenly(5, at_most=2)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    parts = -(-count // at_most)
    return [slice(k * count // parts, (k + 1) * count // parts) for k in range(parts)]


@dataclass(frozen=True)
class Parts:
    """How pictures are divided: small parts, so that memory is bounded and processors share the work.

    Attributes:
        seed: Each part has a seed of its own, which follows from this one and its place.
        threads: Parts at once. Nothing that is found depends on it.
    """

    seed: int
    threads: int = 1

    def of(
        self,
        images: UInt8,
        work: Callable[[slice, int], UInt8],
        *,
        told: Callable[[int, int], None] = lambda done, total: None,
    ) -> UInt8:
        """Return what becomes of pictures, in their order.

        Args:
            images: uint8 (N, H, W, C), or clips (N, T, H, W, C).
            work: From a part and its seed to as many pictures of that shape; called from several threads.
            told: After each part, how many parts are done and how many there are.
        """
        size = max(1, min(_MOST, _PIXELS // max(1, math.prod(images.shape[1:-1]))))
        found = images.copy()

        def fill(part: slice) -> None:
            found[part] = work(part, seed_for(self.seed, "part", part.start))

        parts = evenly(len(images), at_most=size)
        done = in_order(fill, parts, workers=self.threads, name="foveal-attack")
        for count, _ in enumerate(done, start=1):
            told(count, len(parts))
        return found
