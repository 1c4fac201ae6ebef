"""Things that move one behind the other, as on a belt or in a lane."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.data.synthetic._drawing import Thing

_STOP, _TREMBLE = 0.012, 3  # how often a frame begins a stop; by how many pixels what stands still trembles


class Waiting(NamedTuple):
    """A thing, and how far behind the front of the row it begins, in pixels."""

    behind: int
    thing: Thing


def row(
    rng: np.random.Generator, length: float, make: Callable[[], Thing], gap: Callable[[], float], side: int
) -> Iterator[Waiting]:
    """Yield things one behind the other until a row is so long.

    Args:
        rng: Where the row begins.
        length: In pixels.
        make: Returns the next thing.
        gap: Returns how many pixels are free behind it.
        side: Which axis of its mask lies along the row: 0 for its height, 1 for its width.
    """
    behind = int(rng.integers(0, 60))
    while behind < length:
        thing = make()
        yield Waiting(behind, thing)
        behind += thing.mask.shape[side] + max(0, int(gap()))


def travelled(
    rng: np.random.Generator, frames: int, speed: float, *, stops: bool = False
) -> NDArray[np.int64]:
    """Return how far a row has come at each frame in whole pixels, int64 (frames,); it begins at 0.

    Args:
        rng: Where its unevenness comes from.
        frames: How many.
        speed: In pixels a frame.
        stops: Whether it stands still for a while now and then, and trembles meanwhile.
    """
    way, standing, far = np.zeros(frames, np.int64), 0, 0.0
    for frame in range(1, frames):
        if stops and standing == 0 and rng.random() < _STOP:
            standing = int(rng.integers(10, 35))
        if standing:
            standing -= 1
            way[frame] = round(far) + int(rng.integers(-_TREMBLE, _TREMBLE + 1))
        else:
            far += max(0.0, speed * rng.uniform(0.85, 1.15))
            way[frame] = round(far)
    return way
