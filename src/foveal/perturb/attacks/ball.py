"""How far an adversary may move a picture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

UInt8 = NDArray[np.uint8]
_HALVINGS = 30


@dataclass(frozen=True)
class Ball:
    """All pictures within a distance of one.

    Attributes:
        norm: `linf`: no channel of no pixel moves by more than `radius`; `l2`: the root of the sum of the
            squares of all moves is at most `radius`.
        radius: In grey levels of 0 to 255, above 0: 8 is the 8/255 of the literature, 127.5 its L2 0.5.
    """

    norm: Literal["linf", "l2"]
    radius: float

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2") or not self.radius > 0:
            raise UsageError(f"a ball has a norm linf or l2 and a radius above 0; got {self}")

    def __str__(self) -> str:
        """Write it as the literature does: `linf 8/255`, `l2 0.5`."""
        if self.norm == "linf":
            return f"linf {self.radius:g}/255"
        return f"l2 {self.radius / 255:g}"

    def distance(self, moved: NDArray[np.floating] | UInt8, images: UInt8) -> NDArray[np.float64]:
        """Return how far each picture was moved, in grey levels, float64 (N,)."""
        moves = (moved.astype(np.float64) - images).reshape(len(images), -1)
        far: NDArray[np.float64]
        far = np.abs(moves).max(axis=1, initial=0.0) if self.norm == "linf" else np.linalg.norm(moves, axis=1)
        return far

    def rounded(self, moved: NDArray[np.floating], images: UInt8) -> UInt8:
        """Return moved pictures as a file can hold them: whole levels, inside the ball and 0 to 255.

        What rounding pushes out of an L2 ball is moved back towards the original until it is inside.

        Args:
            moved: float (N, H, W, C), inside the ball.
            images: What they were, uint8 (N, H, W, C).
        """
        original = images.astype(np.float64)
        moves = moved.astype(np.float64) - original
        if self.norm == "linf":
            whole = np.floor(self.radius)
            moves = moves.round().clip(-whole, whole)
            return (original + moves).clip(0, 255).astype(np.uint8)
        result = (original + moves).round().clip(0, 255).astype(np.uint8)
        for place in np.flatnonzero(self.distance(result, images) > self.radius):
            result[place] = self._shrunk(moves[place], images[place])
        return result

    def _shrunk(self, moves: NDArray[np.float64], image: UInt8) -> UInt8:
        """Return the picture with as large a share of its moves as stays inside after rounding."""
        none, all_of_it, best = 0.0, 1.0, image
        for _ in range(_HALVINGS):
            share = (none + all_of_it) / 2
            tried = (image + share * moves).round().clip(0, 255).astype(np.uint8)
            if self.distance(tried[None], image[None])[0] <= self.radius:
                none, best = share, tried
            else:
                all_of_it = share
        return best
