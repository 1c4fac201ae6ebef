"""Land from high above: small cars, planes and tanks among houses, woods and fields."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from PIL import ImageDraw

from foveal.data.outline import Mask
from foveal.data.scene import UInt8
from foveal.data.synthetic._drawing import Drawing, Thing
from foveal.data.synthetic._paint import FINER, Colour, light, near, painted, shade, surface
from foveal.data.synthetic._scene import Synthetic

_CAR, _PLANE, _TANK = range(3)
_SITE = 256  # pixels of the side of a piece of land
_ROAD = 22  # pixels wide, along the lower and right side of each
_PAINTS: tuple[Colour, ...] = ((225, 225, 225), (40, 40, 45), (150, 40, 40), (50, 70, 140), (150, 152, 155))
Site = Callable[[np.random.Generator, UInt8, int, int], Iterator[Thing]]


def _turned(points: list[tuple[float, float]], angle: float, side: int) -> list[tuple[float, float]]:
    """Return points around 0 turned around the middle of a sheet of a side, in its pixels."""
    cos, sin, middle = np.cos(angle), np.sin(angle), side * FINER / 2
    return [
        (float((x * cos - y * sin) * FINER + middle), float((x * sin + y * cos) * FINER + middle))
        for x, y in points
    ]


def _rectangle(w: float, h: float, x: float = 0, y: float = 0) -> list[tuple[float, float]]:
    return [(x - w / 2, y - h / 2), (x + w / 2, y - h / 2), (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)]


def _placed(side: int, x: float, y: float, label: int, paint: Callable[[ImageDraw.ImageDraw], None]) -> Thing:
    return Thing(*painted(side, side, paint), int(x - side / 2), int(y - side / 2), label=label)


def _car(rng: np.random.Generator, x: float, y: float, angle: float) -> Thing:
    skin, side = near(rng, _PAINTS[int(rng.integers(len(_PAINTS)))]), 20
    wide, long = rng.uniform(6.5, 8), rng.uniform(13, 17)
    angle += rng.normal(0, 0.05)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        pen.polygon(_turned(_rectangle(wide, long), angle, side), fill=skin)
        pen.polygon(
            _turned(_rectangle(wide * 0.8, long * 0.16, y=-long * 0.18), angle, side), fill=(50, 60, 70)
        )

    return _placed(side, x, y, _CAR, paint)


def _plane(rng: np.random.Generator, x: float, y: float, angle: float) -> Thing:
    skin, size = near(rng, (228, 230, 232), 10), rng.uniform(15, 21)
    side = int(2 * size) + 4
    wings = [(0, -0.15), (1, 0.3), (1, 0.42), (0, 0.18), (-1, 0.42), (-1, 0.3)]
    tail = [(0, 0.65), (0.36, 0.85), (0.36, 0.95), (0, 0.82), (-0.36, 0.95), (-0.36, 0.85)]

    def paint(pen: ImageDraw.ImageDraw) -> None:
        for part in (wings, tail):
            pen.polygon(_turned([(a * size, b * size) for a, b in part], angle, side), fill=shade(skin, 0.9))
        pen.polygon(_turned(_rectangle(0.22 * size, 1.9 * size), angle, side), fill=skin)

    return _placed(side, x, y, _PLANE, paint)


def _tank(rng: np.random.Generator, x: float, y: float, radius: float) -> Thing:
    side, roof = int(2 * radius) + 4, near(rng, (205, 205, 200), 25)
    middle = side * FINER / 2

    def paint(pen: ImageDraw.ImageDraw) -> None:
        for share, tone in ((1.0, 0.75), (0.86, 1.0), (0.12, 0.6)):
            r = radius * FINER * share
            pen.ellipse([middle - r, middle - r, middle + r, middle + r], fill=shade(roof, tone))

    return _placed(side, x, y, _TANK, paint)


def _fill(ground: UInt8, top: int, left: int, pixels: UInt8) -> None:
    """Put a surface onto the ground, as far as it lies there."""
    there = ground[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    there[:] = pixels[: there.shape[0], : there.shape[1]]


def _block(rng: np.random.Generator, ground: UInt8, top: int, left: int, sides: tuple[int, int]) -> None:
    """Put a house with its shadow onto the ground: it is no object."""
    h, w = sides
    _fill(ground, top + 5, left + 5, np.full((h, w, 3), 35, np.uint8))
    _fill(ground, top, left, surface(rng, h, w, near(rng, (150, 110, 95), 45), 6))


def _parking(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    side = _SITE - _ROAD - 20
    _fill(ground, top + 10, left + 10, surface(rng, side, side, near(rng, (105, 105, 108), 15), 4))
    full, angle = rng.uniform(0.3, 0.95), float(rng.choice([0.0, np.pi]))
    for y in range(top + 26, top + side - 6, 30):
        for x in range(left + 20, left + side, 12):
            if rng.random() < full:
                yield _car(rng, x, y, angle)


def _apron(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    side = _SITE - _ROAD
    _fill(ground, top, left, surface(rng, side, side, near(rng, (168, 168, 162), 12), 4))
    _block(rng, ground, top + 6, left + 20, (40, 180))
    for y in (top + 90, top + 160):
        for x in range(left + 35, left + side - 20, 58):
            if rng.random() < 0.7:
                yield _plane(rng, x + rng.normal(0, 2), y + rng.normal(0, 2), rng.normal(0, 0.2))


def _tanks(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    side = _SITE - _ROAD
    _fill(ground, top, left, surface(rng, side, side, near(rng, (150, 142, 120), 15), 6))
    apart = float(rng.choice([46, 60]))
    for y in np.arange(top + apart / 2 + 8, top + side - apart / 2, apart):
        for x in np.arange(left + apart / 2 + 8, left + side - apart / 2, apart):
            if rng.random() < 0.8:
                yield _tank(rng, x, y, rng.uniform(0.24, 0.4) * apart)


def _houses(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    for y in range(top + 14, top + _SITE - _ROAD - 60, 78):
        for x in range(left + 12, left + _SITE - _ROAD - 60, 74):
            sides = int(rng.integers(28, 48)), int(rng.integers(28, 48))
            _block(rng, ground, y, x, sides)
            if rng.random() < 0.5:
                yield _car(rng, x + sides[1] + 14, y + 18, float(rng.choice([0, np.pi / 2])))


def _wood(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    """Return trees and bushes: round as tanks are, and no objects."""
    for _ in range(int(rng.integers(30, 90))):
        pixels, mask = _crown(int(rng.integers(8, 26)), near(rng, (48, 84, 44), 16))
        x, y = rng.integers(0, _SITE - _ROAD - len(mask), 2).tolist()
        yield Thing(pixels, mask, left + x, top + y)


def _crown(size: int, leaves: Colour) -> tuple[UInt8, Mask]:
    return painted(size, size, lambda pen: pen.ellipse([0, 0, size * FINER, size * FINER], fill=leaves))


_SITES: tuple[tuple[Site, float], ...] = (
    (_parking, 0.2), (_apron, 0.15), (_tanks, 0.15), (_houses, 0.3), (_wood, 0.2),
)  # fmt: skip


def _traffic(rng: np.random.Generator, ground: UInt8, top: int, left: int) -> Iterator[Thing]:
    """Pave the lower and right side of a site, and yield the cars there."""
    y, x = top + _SITE - _ROAD, left + _SITE - _ROAD
    tar = near(rng, (98, 98, 100), 8)
    _fill(ground, y, left, surface(rng, _ROAD, _SITE, tar, 4))
    _fill(ground, top, x, surface(rng, _SITE, _ROAD, tar, 4))
    for place in range(16, _SITE - _ROAD - 12, 34):
        if rng.random() < 0.3:
            yield _car(rng, left + place, y + float(rng.choice([6, 16])), np.pi / 2)
        if rng.random() < 0.3:
            yield _car(rng, x + float(rng.choice([6, 16])), top + place, 0.0)


def _draw(rng: np.random.Generator, width: int, height: int) -> Drawing:
    ground = surface(rng, height, width, near(rng, (118, 128, 84), 20), 20)
    things: list[Thing] = []
    first_y, first_x = (-int(shift) for shift in rng.integers(0, _SITE // 2, 2))
    # A site that begins outside is painted onto a larger ground, of which the picture is a part.
    whole = np.pad(ground, ((-first_y, 0), (-first_x, 0), (0, 0)), mode="reflect")
    for top in range(0, whole.shape[0], _SITE):
        for left in range(0, whole.shape[1], _SITE):
            site = _SITES[int(rng.choice(len(_SITES), p=[often for _, often in _SITES]))][0]
            things += [*site(rng, whole, top, left), *_traffic(rng, whole, top, left)]
    things = [replace(one, left=one.left + first_x, top=one.top + first_y) for one in things]
    seen = whole[-first_y:, -first_x:]
    return Drawing(seen, tuple(things), light(rng, height, width), 4.0, int(rng.integers(2**31)))


aerial = Synthetic(
    about="land from high above, with cars of 7 × 15 pixels, planes and tanks; draw it large for tiles",
    classes=("car", "plane", "tank"),
    ground="",
    width=512,
    height=512,
    pictures=160,
    draw=_draw,
)
