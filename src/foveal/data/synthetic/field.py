"""A field from above: rows of a crop, and weeds between them and among them."""

from dataclasses import replace

import numpy as np
from PIL import ImageDraw

from foveal.data.synthetic._drawing import Drawing, Thing
from foveal.data.synthetic._paint import FINER, Colour, light, near, painted, shade, surface
from foveal.data.synthetic._scene import Synthetic

_CROP, _WEED = range(2)
_ROWS, _PLANTS = (105, 135), (58, 84)  # pixels from row to row, and from plant to plant


def _leaf(angle: float, length: float, wide: float, middle: float) -> list[tuple[float, float]]:
    """Return the outline of a leaf that begins in the middle of a sheet, in its pixels."""
    along = np.linspace(0, 1, 9)
    half = wide * np.sin(np.pi * along**0.8) / 2
    x = np.concatenate([along, along[::-1]]) * length
    y = np.concatenate([half, -half[::-1]])
    turned = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)
    return [(float(one) + middle, float(two) + middle) for one, two in turned]


def _plant(rng: np.random.Generator, label: int, leaves: int, radius: float, slim: float) -> Thing:
    """Return a plant of a radius whose leaves are so wide for their length."""
    side = int(2 * radius) + 4
    colour: Colour = near(rng, (62, 128, 52) if label == _CROP else (88, 132, 44), 22)
    first = rng.uniform(0, 2 * np.pi)
    turns = first + (np.arange(leaves) + rng.uniform(-0.25, 0.25, leaves)) * 2 * np.pi / leaves
    lengths = radius * rng.uniform(0.7, 1.0, leaves)
    tones = rng.uniform(0.8, 1.2, leaves)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        middle = side * FINER / 2
        for angle, length, tone in zip(turns.tolist(), lengths.tolist(), tones.tolist(), strict=True):
            long = length * FINER
            pen.polygon(_leaf(angle, long, slim * long, middle), fill=shade(colour, tone))
            tip = (middle + 0.9 * long * np.cos(angle), middle + 0.9 * long * np.sin(angle))
            pen.line([(middle, middle), tip], fill=shade(colour, tone * 1.25), width=FINER)
        first_, far = middle - 2 * FINER, middle + 2 * FINER
        pen.ellipse([first_, first_, far, far], fill=colour)

    return Thing(*painted(side, side, paint), 0, 0, label=label)


def _at(thing: Thing, x: float, y: float) -> Thing:
    tall, wide = thing.mask.shape
    return replace(thing, left=int(x - wide / 2), top=int(y - tall / 2))


def _draw(rng: np.random.Generator, width: int, height: int) -> Drawing:
    things = []
    apart, step = rng.uniform(*_ROWS), rng.uniform(*_PLANTS)
    grown = rng.uniform(0.75, 1.0) * step / 2  # plants of a field are of one age
    for x in np.arange(rng.uniform(0, apart), width, apart):
        for y in np.arange(rng.uniform(0, step), height + step, step):
            if rng.random() < 0.9:  # some did not come up
                plant = _plant(rng, _CROP, int(rng.integers(6, 10)), grown * rng.uniform(0.8, 1.1), 0.42)
                things.append(_at(plant, x + rng.normal(0, 4), y + rng.normal(0, 4)))
    for _ in range(rng.poisson(width * height * rng.uniform(2e-5, 9e-5))):
        if rng.random() < 0.5:
            weed = _plant(rng, _WEED, int(rng.integers(8, 15)), rng.uniform(9, 26), 0.12)  # a grass
        else:
            weed = _plant(rng, _WEED, int(rng.integers(3, 5)), rng.uniform(7, 17), 0.8)
        things.append(_at(weed, rng.uniform(0, width), rng.uniform(0, height)))
    order = rng.permutation(len(things)).tolist()
    soil = surface(rng, height, width, near(rng, (112, 88, 66), 20), 24)
    bright = light(rng, height, width, by=0.2)
    return Drawing(soil, tuple(things[i] for i in order), bright, 5.0, int(rng.integers(2**31)))


field = Synthetic(
    about="rows of a crop with weeds, with the class of each pixel",
    classes=("crop", "weed"),
    ground="soil",
    width=640,
    height=480,
    pictures=120,
    draw=_draw,
)
