"""A shop's shelf from the front: several hundred products side by side, some places empty."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import ImageDraw

from foveal.data.synthetic._drawing import Drawing, Thing
from foveal.data.synthetic._paint import FINER, Colour, light, painted, shade, surface
from foveal.data.synthetic._scene import Synthetic

Pen = ImageDraw.ImageDraw
_EMPTY = 0.06  # share of the places where nothing stands
_BOARD = 7  # pixels that a board is thick, with its price tags


def _carton(pen: Pen, w: int, h: int, colour: Colour, other: Colour) -> None:
    pen.rectangle((0, 0, w - 1, h - 1), fill=colour)
    pen.rectangle((0.12 * w, 0.3 * h, 0.88 * w, 0.6 * h), fill=other)
    pen.rectangle((0, 0, w - 1, 0.07 * h), fill=shade(colour, 0.7))


def _can(pen: Pen, w: int, h: int, colour: Colour, other: Colour) -> None:
    pen.rounded_rectangle((0, 0, w - 1, h - 1), radius=w // 6, fill=(190, 192, 196))
    pen.rectangle((0, 0.1 * h, w - 1, 0.9 * h), fill=colour)
    pen.rectangle((0, 0.4 * h, w - 1, 0.55 * h), fill=other)
    pen.rectangle((0.15 * w, 0.1 * h, 0.25 * w, 0.9 * h), fill=shade(colour, 1.3))


def _bottle(pen: Pen, w: int, h: int, colour: Colour, other: Colour) -> None:
    pen.rounded_rectangle((0, 0.36 * h, w - 1, h - 1), radius=w // 6, fill=colour)
    pen.polygon([(0.33 * w, 0.1 * h), (0.67 * w, 0.1 * h), (w - 1, 0.45 * h), (0, 0.45 * h)], fill=colour)
    pen.rectangle((0.3 * w, 0, 0.7 * w, 0.11 * h), fill=shade(other, 0.8))
    pen.rectangle((0, 0.55 * h, w - 1, 0.78 * h), fill=other)


def _jar(pen: Pen, w: int, h: int, colour: Colour, other: Colour) -> None:
    pen.rounded_rectangle((0, 0.12 * h, w - 1, h - 1), radius=w // 4, fill=shade(colour, 0.8))
    pen.rectangle((0.1 * w, 0, 0.9 * w, 0.16 * h), fill=other)
    pen.ellipse((0.15 * w, 0.35 * h, 0.85 * w, 0.85 * h), fill=shade(other, 1.2))


def _bag(pen: Pen, w: int, h: int, colour: Colour, other: Colour) -> None:
    pen.polygon([(0.04 * w, 0), (0.96 * w, 0), (0.9 * w, 0.15 * h), (w - 1, 0.85 * h), (0.92 * w, h - 1),
                 (0.08 * w, h - 1), (0, 0.85 * h), (0.1 * w, 0.15 * h)], fill=colour)  # fmt: skip
    pen.ellipse((0.22 * w, 0.3 * h, 0.78 * w, 0.7 * h), fill=other)


# Of each class: how it is painted, and height and width as multiples of a place's width.
_KINDS: tuple[tuple[str, Callable[[Pen, int, int, Colour, Colour], None], float, float], ...] = (
    ("carton", _carton, 1.5, 1.0),
    ("can", _can, 1.1, 0.85),
    ("bottle", _bottle, 1.7, 0.7),
    ("jar", _jar, 1.0, 1.0),
    ("bag", _bag, 1.4, 1.15),
)


def _product(rng: np.random.Generator, place: float) -> Thing:
    label = int(rng.integers(len(_KINDS)))
    _, paint, tall, wide = _KINDS[label]
    size = rng.uniform(0.88, 1.12)
    w, h = max(6, round(place * wide * size)), max(7, round(place * tall * size))
    one, two = (tuple(rng.integers(25, 245, 3).tolist()) for _ in range(2))
    return Thing(*painted(w, h, lambda pen: paint(pen, w * FINER, h * FINER, one, two)), 0, 0, label=label)


def _stack(rng: np.random.Generator, left: int, bottom: int, room: int, product: Thing) -> list[Thing]:
    """Return one product, or two on top of each other where there is room."""
    tall = product.mask.shape[0]
    count = 2 if 2 * tall <= room and rng.random() < 0.6 else 1
    return [replace(product, left=left, top=bottom - tall * (n + 1)) for n in range(count)]


def _draw(rng: np.random.Generator, width: int, height: int) -> Drawing:
    place, bottom = rng.uniform(20, 32), 0  # far from the shelf, or near it
    wall: Colour = tuple(rng.integers(40, 90, 3).tolist())
    ground, board = surface(rng, height, width, wall, 4), shade((205, 205, 200), rng.uniform(0.6, 1.1))
    things: list[Thing] = []
    while bottom < height:
        room = int(place * rng.uniform(1.95, 2.4))
        bottom += room
        left = int(rng.integers(-30, 0))
        while left < width:
            product = _product(rng, place)
            for _ in range(int(rng.integers(3, 13))):  # so many of it side by side
                if rng.random() >= _EMPTY:
                    things += _stack(rng, left, bottom, room - 2, product)
                left += product.mask.shape[1] + int(rng.integers(0, 3))
        ground[bottom : bottom + _BOARD] = board
        for tag in range(int(rng.integers(0, 60)), width, int(rng.integers(50, 120))):
            ground[bottom + 1 : bottom + _BOARD - 1, tag : tag + 14] = (250, 250, 240)
        bottom += _BOARD
    inside = [one for one in things if one.left < width and one.left + one.mask.shape[1] > 0]
    return Drawing(ground, tuple(inside), light(rng, height, width), 4.0, int(rng.integers(2**31)))


shelf = Synthetic(
    about="a shop's shelf with 300 to 800 products; a larger picture has thousands",
    classes=tuple(name for name, *_ in _KINDS),
    ground="",
    width=960,
    height=736,
    pictures=80,
    draw=_draw,
)
