"""What every drawn scene answers."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from foveal.data.synthetic._drawing import Drawing

Draw = Callable[[np.random.Generator, int, int], Drawing]


class Film(NamedTuple):
    """A scene in which things move.

    Attributes:
        rate: Frames a second.
        line: What they cross: two points, x before y, as shares of width and height.
        draw: Yields so many frames of a width and height.
    """

    rate: int
    line: tuple[float, float, float, float]
    draw: Callable[[np.random.Generator, int, int, int], Iterator[Drawing]]


class Synthetic(NamedTuple):
    """A scene that can be drawn as often as one likes, each time another one.

    Attributes:
        about: What it shows, in one line.
        classes: Of its objects, in label order.
        ground: What the pixels are that belong to no object; "": they belong to no class.
        width, height: Of a picture in pixels, as it is usually drawn. A larger one shows more, not larger
            things.
        pictures: As many as it takes to learn from them.
        draw: Returns a picture of a width and height; all of it follows from the generator.
        film: Where things move; None: nothing does.
    """

    about: str
    classes: tuple[str, ...]
    ground: str
    width: int
    height: int
    pictures: int
    draw: Draw
    film: Film | None = None
