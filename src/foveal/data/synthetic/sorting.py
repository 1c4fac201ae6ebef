"""Fruit and roots on a belt in eight bands; some have a bruise below the skin, which two infrared bands show.

Every number but the bruise's is drawn before the class is looked at, and the bruise changes two bands and no
other: so for any seed the six other bands of a sound and of a bruised picture are the same, bit for bit. What
is learned from colours can be no better than chance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.data.synthetic._paint import light, waves
from foveal.data.synthetic._stacks import Stacks, UInt16

Float32 = NDArray[np.float32]
_BRUISED, _SOUND = range(2)
_BANDS = (
    "blue 450 nm", "green 550 nm", "red 650 nm", "red edge 710 nm", "red edge 745 nm", "infrared 810 nm",
    "infrared 870 nm", "infrared 940 nm",
)  # fmt: skip
BRUISED_BANDS = {5: 1.0, 6: 0.8}  # how much of a bruise each band shows
# Reflectance in each band, about as published for such skins: chlorophyll and carotenes take blue and red,
# all are bright in the infrared, and water takes some at 940 nm.
_KINDS = (
    (0.05, 0.08, 0.32, 0.45, 0.55, 0.60, 0.60, 0.48),  # red apple
    (0.08, 0.26, 0.14, 0.36, 0.55, 0.62, 0.62, 0.50),  # green apple
    (0.05, 0.12, 0.40, 0.50, 0.56, 0.58, 0.57, 0.42),  # tomato
    (0.10, 0.34, 0.46, 0.52, 0.56, 0.60, 0.60, 0.50),  # lemon
    (0.14, 0.24, 0.34, 0.42, 0.48, 0.54, 0.56, 0.46),  # potato
)
_BELT = (0.06, 0.06, 0.07, 0.08, 0.09, 0.10, 0.10, 0.11)
_BLACK, _WHITE = 900.0, 52_000.0  # what the camera gives for no light, and for all of it
_ELECTRONS = 9_000.0  # at white; they decide the grain
_READ_NOISE = 25.0


class _Thing(NamedTuple):
    """What lies on the belt, at coordinates from −1 to 1.

    Attributes:
        inside: How much of a pixel it covers, float32 (S, S).
        shade: How bright its shape is lit, float32 (S, S).
        skin: Reflectance, float32 (S, S, bands).
    """

    inside: Float32
    shade: Float32
    skin: Float32


def _grid(side: int) -> tuple[Float32, Float32]:
    line = np.linspace(-1, 1, side, dtype=np.float32)
    return line[:, None], line[None]


def _thing(rng: np.random.Generator, side: int) -> _Thing:
    y, x = _grid(side)
    turn, (down, across) = rng.uniform(0, np.pi), rng.uniform(-0.12, 0.12, 2)
    long = rng.uniform(0.62, 0.82)
    short = long * rng.uniform(0.72, 1.0)
    u = ((x - across) * np.cos(turn) + (y - down) * np.sin(turn)) / long
    v = ((y - down) * np.cos(turn) - (x - across) * np.sin(turn)) / short
    angle, (lobe, phase) = np.arctan2(v, u), rng.uniform((0, 0), (0.05, 2 * np.pi))
    radius = np.hypot(u, v) / (1 + lobe * np.cos(int(rng.integers(2, 6)) * angle + phase))
    inside = np.clip((1 - radius) * side / 3, 0, 1).astype(np.float32)
    height = np.sqrt(np.clip(1 - radius**2, 0, 1))
    lean = rng.uniform(-0.35, 0.35, 2)
    shade = np.clip(0.35 + 0.65 * height + lean[0] * v + lean[1] * u, 0.1, None).astype(np.float32)
    return _Thing(inside, shade, _skin(rng, side))


def _skin(rng: np.random.Generator, side: int) -> Float32:
    """Return the reflectance of one thing: its kind, its ripeness, blotches, and spots in every band."""
    kind = np.array(_KINDS[int(rng.integers(len(_KINDS)))], np.float32)
    ripe = np.array(_KINDS[int(rng.integers(len(_KINDS)))], np.float32)
    share = rng.uniform(0, 0.35) * (1 + waves(rng, side, side, side / 2.5)[..., None]) / 2
    spectrum = (kind * (1 - share) + ripe * share) * rng.uniform(0.85, 1.12)
    spectrum = spectrum * (1 + rng.normal(0, 0.04, len(_BANDS)))
    spectrum = spectrum * (1 + 0.05 * waves(rng, side, side, side / 8)[..., None])
    for _ in range(int(rng.integers(0, 4))):  # earth and scars, which every band shows
        spectrum = spectrum * (1 - rng.uniform(0.2, 0.6) * _spot(rng, side, 0.05, 0.16)[..., None])
    skin: Float32 = spectrum.astype(np.float32)
    return skin


def _spot(rng: np.random.Generator, side: int, least: float, most: float) -> Float32:
    """Return a soft, uneven spot near the middle, float32 (S, S) from 0 to 1."""
    y, x = _grid(side)
    turn, far = rng.uniform(0, 2 * np.pi), 0.4 * np.sqrt(rng.random())
    wide = rng.uniform(least, most) * rng.uniform(0.8, 1.25, 2)
    away = np.hypot((x - far * np.cos(turn)) / wide[0], (y - far * np.sin(turn)) / wide[1])
    uneven = 1 + 0.25 * waves(rng, side, side, side / 5)
    spot: Float32 = (1 / (1 + np.exp(6 * (away * uneven - 1)))).astype(np.float32)
    return spot


def _draw(rng: np.random.Generator, label: int, side: int) -> UInt16:
    thing = _thing(rng, side)
    belt = np.array(_BELT, np.float32) * rng.uniform(0.7, 1.4)
    ground = belt * (1 + 0.15 * waves(rng, side, side, side / 12)[..., None])
    lamp = light(rng, side, side) * rng.uniform(0.75, 1.1)
    colour = rng.normal(1, 0.03, len(_BANDS))  # no two lamps are the same in all bands
    bruise = rng.uniform(0.25, 0.5) * _spot(rng, side, 0.14, 0.28)
    grain = rng.standard_normal((2, side, side, len(_BANDS)))

    skin = thing.skin.copy()
    if label == _BRUISED:
        for band, strength in BRUISED_BANDS.items():
            skin[..., band] *= 1 - strength * bruise
    seen = thing.inside[..., None] * thing.shade[..., None] * skin + (1 - thing.inside[..., None]) * ground
    signal = np.clip(seen * lamp[..., None] * colour, 0, 1)
    values = _BLACK + (_WHITE - _BLACK) * (signal + np.sqrt(signal / _ELECTRONS) * grain[0])
    whole: UInt16 = np.rint(values + _READ_NOISE * grain[1]).clip(0, 65_535).astype(np.uint16)
    return whole


sorting = Stacks(
    about="fruit in eight bands of 16 bits, some with a bruise that only two infrared bands show",
    classes=("bruised", "sound"),
    bands=_BANDS,
    side=64,
    pictures=1200,
    draw=_draw,
)
