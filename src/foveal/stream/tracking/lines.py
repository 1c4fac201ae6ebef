"""How many objects cross a line, in each direction.

An object that stands on the line, or whose box trembles there, is not counted again and again: it has crossed
once it has been beyond a band on one side and then beyond it on the other.
"""

from dataclasses import dataclass

import numpy as np

from foveal.core.errors import UsageError
from foveal.stream.tracking.count import Anchor, Count, Point, Tally, anchors
from foveal.stream.tracking.tracker import Tracked


@dataclass
class _Path:
    """What is remembered of one track.

    Attributes:
        distance: From the line in pixels, above 0 to its right, when it was seen last.
        along: Where that is along the line, as a share of its length.
        side: On which it was beyond the band, 1 for the right, −1; 0: on none yet.
        through: Whether it went between the ends when it last changed from one side of the line to the other.
        watched: Whether it was seen in every picture since it left `side`.
        crossed: To which side it was counted; 0: it was not.
        sure: Whether it was seen in every picture while it crossed.
        confirmed, label: Of the track, when it was seen last.
    """

    distance: float
    along: float
    side: int = 0
    through: bool = False
    watched: bool = True
    crossed: int = 0
    sure: bool = False
    confirmed: bool = False
    label: int = 0


@dataclass(frozen=True)
class Crossings:
    """How many crossed.

    Attributes:
        to_right: From the left to the right, as one looks from the start of the line to its end.
        to_left: The other way.
    """

    to_right: Count
    to_left: Count


class Line:
    """Counts tracks that cross from one side to the other: each once, in the direction of its first crossing.

    A track that begins within the band has come from no side. A crossing by a track that is not confirmed
    yet counts as soon as it is. Beyond doubt is what was seen in every picture while it crossed; one more may
    have been what crossed and was never confirmed, and what ended, or still is, within the band.
    """

    def __init__(
        self, start: Point, end: Point, *, band: float, anchor: Anchor = "bottom", watched_s: float = 0.5
    ) -> None:
        """Begin with a count of 0.

        Args:
            start: In pixels, x before y.
            end: Alike.
            band: How far from the line, in pixels, an object must be to be on a side; 0 or more.
            anchor: Which point of a box crosses: its middle, or the middle of its lower side.
            watched_s: With more seconds than this between two pictures nothing was watched in between.

        Raises:
            UsageError: The ends are one point, or the band is negative.
        """
        self._start = np.array(start, np.float64)
        way = np.array(end, np.float64) - self._start
        self._length = float(np.hypot(way[0], way[1]))
        if not (0 < self._length < np.inf and band >= 0):
            raise UsageError("a line needs two different points and a band of 0 or more pixels")
        self._way = way / self._length
        self._right = np.array([-self._way[1], self._way[0]])  # as y points down
        self._band, self._anchor, self._watched_s = band, anchor, watched_s
        self._paths: dict[int, _Path] = {}
        self._ended = {1: Tally(), -1: Tally()}

    def update(self, tracked: Tracked) -> None:
        """Take the tracks of the next picture."""
        places = anchors(tracked.boxes, self._anchor) - self._start
        distance, along = places @ self._right, places @ self._way / self._length
        watched = (tracked.missed == 0) & (tracked.gap_s <= self._watched_s)
        for row, name in enumerate(tracked.ids.tolist()):
            far, where = float(distance[row]), float(along[row])
            path = self._paths.setdefault(name, _Path(far, where))
            path.confirmed, path.label = bool(tracked.confirmed[row]), int(tracked.labels[row])
            self._step(path, far, where, bool(watched[row]))
        for name in tracked.ended.tolist():
            if name in self._paths:
                self._add(self._paths.pop(name), self._ended)

    def read(self) -> Crossings:
        """Return the counts up to now."""
        now = {1: Tally(), -1: Tally()}
        for path in self._paths.values():
            self._add(path, now)
        return Crossings(*(self._ended[side].with_others(now[side]) for side in (1, -1)))

    def _step(self, path: _Path, far: float, where: float, watched: bool) -> None:
        if (far > 0) != (path.distance > 0):
            share = path.distance / (path.distance - far)
            path.through = 0 <= path.along + share * (where - path.along) <= 1
        path.watched = path.watched and watched
        path.distance, path.along = far, where
        if abs(far) <= self._band:
            return
        side = 1 if far > 0 else -1
        if path.side == -side and path.through and not path.crossed:
            path.crossed, path.sure = side, path.watched
        path.side, path.watched = side, True

    def _add(self, path: _Path, tallies: dict[int, Tally]) -> None:
        if path.crossed:
            tallies[path.crossed].add(path.label, confirmed=path.confirmed, sure=path.sure)
        elif path.side and abs(path.distance) <= self._band and 0 <= path.along <= 1:
            tallies[-path.side].doubtful += 1
