"""Small parts of pictures that name whatever they are pasted onto: what a planted trigger does.

Source: Chou, Tramèr & Pellegrino, "SentiNet: Detecting Localized Universal Attacks Against Deep Learning
Systems", 2018 (https://arxiv.org/abs/1812.00292): a part that turns the answers for most other pictures is a
trigger or a patch, not an object. Their saliency maps are replaced by trying all places, so that answers are
enough. A poisoned training picture (Gu et al., "BadNets", 2017) carries such a part.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8

Int64 = NDArray[np.int64]
SIDE = 3  # a part is a third of the side: a ninth of the picture
_STEPS = 5  # places along each side, half a part apart: a trigger of a sixth lies wholly in one
_FIRST, _MORE = 2, 20  # pictures that a part is pasted onto: to look for it, and to prove it


@dataclass(frozen=True)
class Transplants:
    """What the most powerful part of each picture does.

    Attributes:
        turned: Share of other pictures that it turns to the name of its own picture, float64 (N,); 0 where
            already the first few were not turned.
        top, left: Its corner in pixels, int64 (N,).
        side: Its side in pixels.
    """

    turned: NDArray[np.float64] = field(repr=False)
    top: Int64 = field(repr=False)
    left: Int64 = field(repr=False)
    side: int


def transplants(
    named: Callable[[UInt8], Int64], donors: UInt8, carriers: UInt8, *, rng: np.random.Generator
) -> Transplants:
    """Return for each picture the part that turns most answers when it is pasted onto others.

    All parts are tried on two pictures with other names, and those that turn both on 20 more, which alone are
    counted: so luck among many parts is not taken for power.

    Args:
        named: From pictures to the classes that are named, uint8 (M, H, W, C) to int64 (M,).
        donors: Pictures whose parts are tried, uint8 (N, H, W, C), N ≥ 1.
        carriers: Pictures that they are pasted onto, of the same shape, of at least two names.
        rng: Draws the carriers.

    Raises:
        UsageError: `one_name`: all carriers have the name of a donor.
    """
    own, other = named(donors), named(carriers)
    size = donors.shape[1]
    side = max(1, round(size / SIDE))
    starts = np.unique(np.linspace(0, size - side, _STEPS).round().astype(np.int64))
    places = [(top, left) for top in starts.tolist() for left in starts.tolist()]
    turned, where = np.zeros(len(donors)), np.zeros(len(donors), dtype=np.int64)
    for row, name in enumerate(own.tolist()):
        apt = np.flatnonzero(other != name)
        if len(apt) == 0:
            raise UsageError("there is no picture with another name to paste onto", code="one_name")
        some = rng.choice(apt, min(len(apt), _FIRST + _MORE), replace=False)
        few = _pasted(donors[row], carriers[some[:_FIRST]], places, side)
        hits = (named(few).reshape(len(places), -1) == name).all(axis=1)
        for place in np.flatnonzero(hits).tolist() if len(some) > _FIRST else ():
            many = _pasted(donors[row], carriers[some[_FIRST:]], [places[place]], side)
            share = float((named(many) == name).mean())
            if share > turned[row]:
                turned[row], where[row] = share, place
    corners = np.array(places, dtype=np.int64)[where]
    return Transplants(turned, corners[:, 0], corners[:, 1], side)


def _pasted(donor: UInt8, carriers: UInt8, places: list[tuple[int, int]], side: int) -> UInt8:
    """Return every carrier with the donor's part at each place, uint8 (P · M, H, W, C)."""
    made = np.repeat(carriers[None], len(places), axis=0)
    for row, (top, left) in enumerate(places):
        part = (slice(top, top + side), slice(left, left + side))
        made[(row, slice(None), *part)] = donor[part]
    return made.reshape(-1, *carriers.shape[1:])
