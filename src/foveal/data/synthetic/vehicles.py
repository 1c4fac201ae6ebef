"""A road from above: cars, vans, trucks and buses of several colours, which are told as attributes."""

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

# Of each type: width and length in pixels, and how often it comes.
_TYPES = {"car": (30, 62, 0.6), "van": (34, 78, 0.2), "truck": (38, 122, 0.12), "bus": (40, 142, 0.08)}
_COLOURS: dict[str, Colour] = {
    "white": (228, 228, 225), "black": (38, 38, 42), "grey": (140, 142, 146),
    "red": (180, 38, 40), "blue": (44, 74, 165), "yellow": (222, 182, 40),
}  # fmt: skip
_LANE = 74  # pixels wide
_GLASS: Colour = (52, 66, 80)


@dataclass(frozen=True, eq=False)
class _Lane:
    """Vehicles one behind the other; `down` is whether they come down the picture."""

    middle: float
    down: bool
    queue: tuple[Waiting, ...]


def _vehicle(rng: np.random.Generator, down: bool) -> Thing:
    kind = str(rng.choice(list(_TYPES), p=[often for _, _, often in _TYPES.values()]))
    colour = str(rng.choice(list(_COLOURS)))
    wide, long, _ = _TYPES[kind]
    wide, long = wide + int(rng.integers(-2, 3)), long + int(rng.integers(-4, 5))
    skin = near(rng, _COLOURS[colour], 12)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        w, h = wide * FINER, long * FINER
        if kind == "truck":  # a cab, and a box behind a gap
            pen.rounded_rectangle((0, 0, w - 1, 0.2 * h), radius=w // 8, fill=skin)
            pen.rectangle((0.1 * w, 0.05 * h, 0.9 * w, 0.11 * h), fill=_GLASS)
            pen.rectangle((0.3 * w, 0.2 * h, 0.7 * w, 0.25 * h), fill=(30, 30, 30))
            pen.rectangle((0, 0.24 * h, w - 1, h - 1), fill=shade(skin, 0.92))
            return
        pen.rounded_rectangle((0, 0, w - 1, h - 1), radius=w // (4 if kind == "car" else 9), fill=skin)
        if kind == "bus":
            pen.rectangle((0.06 * w, 0.015 * h, 0.94 * w, 0.06 * h), fill=_GLASS)
            for hatch in (0.25, 0.55, 0.8):
                pen.rectangle((0.32 * w, hatch * h, 0.68 * w, (hatch + 0.07) * h), fill=shade(skin, 0.72))
            return
        front, back = (0.24, 0.86) if kind == "car" else (0.12, 0.97)
        pen.polygon([(0.1 * w, front * h), (0.9 * w, front * h), (0.82 * w, (front + 0.13) * h),
                     (0.18 * w, (front + 0.13) * h)], fill=_GLASS)  # fmt: skip
        if kind == "car":
            pen.polygon([(0.2 * w, 0.76 * h), (0.8 * w, 0.76 * h), (0.88 * w, back * h),
                         (0.12 * w, back * h)], fill=_GLASS)  # fmt: skip

    pixels, mask = painted(wide, long, paint)
    if down:
        pixels, mask = pixels[::-1].copy(), mask[::-1].copy()
    return Thing(pixels, mask, 0, 0, label=0, attributes={"type": kind, "colour": colour})


def _lanes(rng: np.random.Generator, width: int, lengths: list[float]) -> list[_Lane]:
    """Return the lanes of a road, those to the left coming down, each filled with so many pixels."""
    count = len(lengths)
    first = (width - _LANE * count) / 2 + _LANE / 2
    lanes, track = [], 0
    for number, length in enumerate(lengths):
        down, queue = number < count / 2, []
        for behind, thing in row(rng, length, partial(_vehicle, rng, down), partial(rng.uniform, 25, 220), 0):
            track += 1
            queue.append(Waiting(behind, replace(thing, track=track)))
        lanes.append(_Lane(first + _LANE * number, down, tuple(queue)))
    return lanes


def _road(rng: np.random.Generator, width: int, height: int, lanes: int) -> tuple[UInt8, NDArray[np.float32]]:
    ground = surface(rng, height, width, near(rng, (88, 112, 66), 25), 14)
    left, right = (width - _LANE * lanes) // 2, (width + _LANE * lanes) // 2
    paved = slice(max(0, left), min(width, right))
    ground[:, paved] = surface(
        rng, height, paved.stop - paved.start, shade(near(rng, (92, 92, 95), 6), rng.uniform(0.75, 1.3)), 6
    )
    for edge in range(1, lanes):
        x = left + _LANE * edge
        ground[:, max(0, x - 1) : max(0, x + 1)] = (215, 215, 205)
        if edge != lanes / 2:  # dashed, except between the directions
            for y in range(int(rng.integers(-40, 0)), height, 70):
                ground[max(0, y) : max(0, y + 40), max(0, x - 1) : max(0, x + 1)] = (95, 95, 97)
    return ground, light(rng, height, width)


def _count(width: int) -> int:
    return max(2, width // _LANE // 2 * 2 - 2)


def _things(lanes: list[_Lane], fronts: list[int], height: int) -> Iterator[Thing]:
    for lane, front in zip(lanes, fronts, strict=True):
        for behind, thing in lane.queue:
            long, wide = thing.mask.shape
            top = front - behind - long
            if not lane.down:
                top = height - top - long
            if -long < top < height:
                placed = replace(thing, left=int(lane.middle - wide / 2), top=top)
                yield replace(
                    placed, left=placed.left + 4, top=top + 5, pixels=np.zeros_like(thing.pixels),
                    label=None, opacity=0.35,
                )  # fmt: skip
                yield placed


def _draw(rng: np.random.Generator, width: int, height: int) -> Drawing:
    lanes = _lanes(rng, width, [float(height)] * _count(width))
    ground, bright = _road(rng, width, height, len(lanes))
    fronts = [height + int(rng.integers(0, 60)) for _ in lanes]
    things = tuple(_things(lanes, fronts, height))
    return Drawing(ground, things, bright, 4.0, int(rng.integers(2**31)))


def _film(rng: np.random.Generator, frames: int, width: int, height: int) -> Iterator[Drawing]:
    """Yield frames of a road that is empty at first; each lane has a speed of its own."""
    ways = [travelled(rng, frames, rng.uniform(3.5, 7.5)) for _ in range(_count(width))]
    lanes = _lanes(rng, width, [float(way.max()) for way in ways])
    ground, bright = _road(rng, width, height, len(lanes))
    for fronts in np.stack(ways, axis=1).tolist():
        things = tuple(_things(lanes, fronts, height))
        yield Drawing(ground, things, bright, 4.0, int(rng.integers(2**31)))


vehicles = Synthetic(
    about="a road from above, with type and colour of each vehicle; a film of it with known counts",
    classes=("vehicle",),
    ground="",
    width=640,
    height=352,
    pictures=120,
    draw=_draw,
    film=Film(rate=25, line=(0.0, 0.5, 1.0, 0.5), draw=_film),
)
