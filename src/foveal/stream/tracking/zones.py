"""How many objects are in an area, and how many have been there.

An object whose box trembles at the border does not come and go: it is in once it is deeper inside than a
band, and out once it is farther outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.stream.tracking.count import Anchor, Count, Point, Tally, anchors
from foveal.stream.tracking.tracker import Tracked

Floats = NDArray[np.float64]


@dataclass
class _Stay:
    """What is remembered of one track.

    Attributes:
        inside: Whether it is, or was when it was seen last.
        entered: Whether it ever was.
        from_outside: Whether it was outside when it was seen first.
        seen: Whether it is in the last picture.
        confirmed, label: Of the track, when it was seen last.
    """

    inside: bool
    entered: bool
    from_outside: bool
    seen: bool = True
    confirmed: bool = False
    label: int = 0


@dataclass(frozen=True)
class Occupancy:
    """How many are there and were there.

    Attributes:
        now: Tracks that are inside, or were when they were seen last and may come back. Beyond doubt is what
            is in the last picture; one more may be what is not confirmed.
        entered: Tracks that have been inside, each once. Beyond doubt is what was seen outside first: what
            begins inside may be an object that was lost there, under another number.
    """

    now: Count
    entered: Count


class Zone:
    """Counts tracks inside a polygon."""

    def __init__(self, corners: Sequence[Point], *, band: float = 0.0, anchor: Anchor = "bottom") -> None:
        """Begin with a count of 0.

        Args:
            corners: At least three, in pixels, x before y; in any direction, the last joined to the first.
            band: How far from the border, in pixels, an object must be to change from out to in or back.
            anchor: Which point of a box is looked at: its middle, or the middle of its lower side.

        Raises:
            UsageError: There are too few corners, or the band is negative.
        """
        self._corners = np.array(corners, np.float64)
        shape = self._corners.shape
        if len(shape) != 2 or shape[0] < 3 or not np.isfinite(self._corners).all() or not band >= 0:
            raise UsageError("a zone needs three corners or more and a band of 0 or more pixels")
        self._band, self._anchor = band, anchor
        self._stays: dict[int, _Stay] = {}
        self._entered = Tally()

    def update(self, tracked: Tracked) -> None:
        """Take the tracks of the next picture."""
        depth = depths(anchors(tracked.boxes, self._anchor), self._corners)
        for stay in self._stays.values():
            stay.seen = False
        for row, name in enumerate(tracked.ids.tolist()):
            deep = float(depth[row])
            stay = self._stays.setdefault(name, _Stay(deep > 0, False, deep <= 0))
            if abs(deep) > self._band:
                stay.inside = deep > 0
            stay.seen, stay.entered = True, stay.entered or stay.inside
            stay.confirmed, stay.label = bool(tracked.confirmed[row]), int(tracked.labels[row])
        for name in tracked.ended.tolist():
            ended = self._stays.pop(name, None)
            if ended is not None and ended.entered:
                self._entered.add(ended.label, confirmed=ended.confirmed, sure=ended.from_outside)

    def read(self) -> Occupancy:
        """Return the counts up to now."""
        inside, entered = Tally(), Tally()
        for stay in self._stays.values():
            if stay.inside:
                inside.add(stay.label, confirmed=stay.confirmed, sure=stay.seen)
            if stay.entered:
                entered.add(stay.label, confirmed=stay.confirmed, sure=stay.from_outside)
        return Occupancy(Tally().with_others(inside), self._entered.with_others(entered))


def depths(points: Floats, corners: Floats) -> Floats:
    """Return how far inside a polygon each point is in pixels, below 0 outside, float64 (P,).

    Args:
        points: (P, 2).
        corners: (C, 2); where edges cross each other, what they enclose an odd number of times is inside.
    """
    one, other = corners, np.roll(corners, -1, axis=0)
    edge = other - one
    away = points[:, None] - one
    squared = np.maximum((edge**2).sum(axis=1), np.finfo(np.float64).tiny)
    share = np.clip((away * edge).sum(axis=2) / squared, 0, 1)
    distance = np.linalg.norm(away - share[..., None] * edge, axis=2).min(axis=1)
    height = points[:, None, 1]
    spans = (one[:, 1] <= height) != (other[:, 1] <= height)
    rise = np.where(spans, edge[:, 1], 1.0)
    left_of = points[:, None, 0] < one[:, 0] + (height - one[:, 1]) / rise * edge[:, 0]
    odd = (spans & left_of).sum(axis=1) % 2 == 1
    signed: Floats = np.where(odd, distance, -distance)
    return signed
