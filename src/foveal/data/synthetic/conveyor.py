"""Bottles on a conveyor, seen from the side; some lack their cap."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from foveal.data.scene import UInt8
from foveal.data.synthetic._drawing import Drawing, Thing
from foveal.data.synthetic._moving import Waiting, row, travelled
from foveal.data.synthetic._paint import FINER, Colour, light, near, painted, shade, surface
from foveal.data.synthetic._scene import Film, Synthetic

_CAPPED, _OPEN = range(2)
_GLASS: tuple[Colour, ...] = ((150, 185, 205), (70, 130, 90), (120, 75, 40), (205, 215, 215))
_CAPS: tuple[Colour, ...] = ((30, 50, 190), (200, 40, 40), (230, 230, 230), (40, 120, 60))
_BELT = 0.84  # share of the height at which bottles stand
_WITHOUT_CAP = 0.15


@dataclass(frozen=True, eq=False)
class _Place:
    """What does not move: the wall, the belt, the light, and perhaps a post in front of all."""

    ground: UInt8
    light: NDArray[np.float32]
    posts: tuple[Thing, ...]


def _place(rng: np.random.Generator, width: int, height: int) -> _Place:
    wall = shade(near(rng, (150, 148, 145)), rng.uniform(0.6, 1.3))
    ground = surface(rng, height, width, wall, 5)
    belt = int(_BELT * height)
    ground[belt:] = surface(rng, height - belt, width, near(rng, (60, 62, 66), 20), 7)
    ground[belt : belt + 4] = shade(wall, 0.55)
    for left in range(int(rng.integers(-40, 0)), width, int(rng.integers(70, 140))):  # what stands behind
        tall = int(rng.integers(20, 60))
        ground[belt - tall : belt, max(0, left) : max(0, left + 9)] = shade(wall, 0.7)
    posts: tuple[Thing, ...] = ()
    if rng.random() < 0.5:
        wide = int(rng.integers(8, 16))
        steel = surface(rng, height, wide, near(rng, (95, 97, 102)), 3)
        left = int(width * rng.choice([rng.uniform(0.1, 0.35), rng.uniform(0.65, 0.9)]))
        posts = (Thing(steel, np.ones((height, wide), np.bool_), left, 0),)
    return _Place(ground, light(rng, height, width), posts)


def _bottle(rng: np.random.Generator) -> Thing:
    wide, tall = int(rng.integers(30, 44)), int(rng.integers(92, 128))
    glass = near(rng, _GLASS[int(rng.integers(len(_GLASS)))])
    cap, paper = near(rng, _CAPS[int(rng.integers(len(_CAPS)))]), near(rng, (225, 220, 205), 30)
    open_ = rng.random() < _WITHOUT_CAP
    shoulder, neck, label = rng.uniform(0.28, 0.36), rng.uniform(0.36, 0.44), rng.uniform(0.45, 0.6)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        w, h = wide * FINER, tall * FINER
        left, right = w * (0.5 - neck / 2), w * (0.5 + neck / 2)
        mouth = 0.0 if open_ else 0.09 * h  # without a cap the glass ends where its top would be
        pen.rounded_rectangle((0, shoulder * h, w - 1, h - 1), radius=w // 7, fill=glass)
        pen.polygon([(left, 0.12 * h), (right, 0.12 * h), (w - 1, shoulder * h + w / 7),
                     (0, shoulder * h + w / 7)], fill=glass)  # fmt: skip
        pen.rectangle((left + w * 0.04, mouth, right - w * 0.04, 0.14 * h), fill=glass)
        pen.rectangle((0, label * h, w - 1, (label + 0.2) * h), fill=paper)
        pen.rectangle((0.1 * w, (label + 0.05) * h, 0.6 * w, (label + 0.09) * h), fill=shade(cap, 0.8))
        pen.rectangle((0.14 * w, (shoulder + 0.05) * h, 0.24 * w, 0.95 * h), fill=shade(glass, 1.25))
        if open_:
            pen.ellipse((left + w * 0.04, 0, right - w * 0.04, 0.03 * h), fill=shade(glass, 0.45))
        else:
            pen.rectangle((left, 0, right, 0.1 * h), fill=cap)

    return Thing(*painted(wide, tall, paint), 0, 0, label=_OPEN if open_ else _CAPPED)


def _gap(rng: np.random.Generator) -> float:
    return float(rng.integers(0, 6) if rng.random() < 0.2 else rng.integers(10, 110))


def _queue(rng: np.random.Generator, length: float) -> list[Waiting]:
    bottles = row(rng, length, partial(_bottle, rng), partial(_gap, rng), side=1)
    return [Waiting(one.behind, replace(one.thing, track=number)) for number, one in enumerate(bottles, 1)]


def _frame(place: _Place, queue: list[Waiting], front: int, seed: int) -> Drawing:
    """Return a picture on which the front of the queue is so far to the right."""
    height, width = place.ground.shape[:2]
    belt = int(_BELT * height)
    things = []
    for behind, bottle in queue:
        tall, wide = bottle.mask.shape
        left = front - behind - wide
        if -wide < left < width:
            things.append(replace(bottle, left=left, top=belt + 6 - tall))
    return Drawing(place.ground, (*things, *place.posts), place.light, 3.0, seed)


def _draw(rng: np.random.Generator, width: int, height: int) -> Drawing:
    place, queue = _place(rng, width, height), _queue(rng, width)
    return _frame(place, queue, width + int(rng.integers(0, 60)), int(rng.integers(2**31)))


def _film(rng: np.random.Generator, frames: int, width: int, height: int) -> Iterator[Drawing]:
    """Yield frames of a belt that is empty at first, moves to the right and stops now and then."""
    place, way = _place(rng, width, height), travelled(rng, frames, rng.uniform(3.5, 5.0), stops=True)
    queue = _queue(rng, float(way.max()))
    for front in way.tolist():
        yield _frame(place, queue, front, int(rng.integers(2**31)))


conveyor = Synthetic(
    about="bottles on a conveyor, with and without cap; a film of them with known counts",
    classes=("bottle", "bottle without cap"),
    ground="",
    width=640,
    height=352,
    pictures=120,
    draw=_draw,
    film=Film(rate=25, line=(0.5, 1.0, 0.5, 0.0), draw=_film),
)
