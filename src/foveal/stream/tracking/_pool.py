"""All tracks of a tracker, as arrays with a row for each."""

import numpy as np
from numpy.typing import NDArray

from foveal.stream.tracking.motion import Motion, centred

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PAST = 3  # observations between the two that say in which direction a track goes
_STILL = 0.1  # what has moved by less than this share of its size goes nowhere
_STEPS = 30  # of a path that is made up between two observations


class Pool:
    """Tracks in the order in which they began.

    Attributes:
        ids: int64 (N,), from 1 on.
        hits: Pictures in which each was seen, int64 (N,).
        missed: Pictures since it was seen, int64 (N,).
        seen_s: When that was, float64 (N,).
        boxes: Where it was seen, float64 (N, 4).
        motion: Where it is expected now.
    """

    def __init__(self) -> None:
        """Begin without tracks."""
        none = np.empty((0, 4))
        self.ids, self.hits, self.missed = (np.empty(0, np.int64) for _ in range(3))
        self.seen_s, self.boxes = np.empty(0), none
        self.motion = Motion.begin(none)
        self._known = Motion.begin(none)  # at the last observation
        self._past = np.empty((0, _PAST, 2))  # middles of the last observations, the newest first
        self._votes = np.empty((0, 0), np.int64)
        self._next = 1

    def __len__(self) -> int:
        return len(self.ids)

    def forecast(self, seconds: float) -> None:
        """Go on to the next picture; nothing has been seen in it yet."""
        self.motion = self.motion.after(seconds)
        self.missed = self.missed + 1

    def direction(self, middles: Floats) -> Floats:
        """Return how well going to a place fits the direction of each track, from −0.5 to 0.5, (N, D).

        The direction is that from an earlier observation to the last; the other one that from the same to the
        place. A track that stands still, or was seen once, has none: 0.

        Args:
            middles: Places, (D, 2).
        """
        earlier, last = self._past[:, -1], self._past[:, 0]
        own, other = last - earlier, middles[None] - earlier[:, None]
        length, way = np.linalg.norm(own, axis=1), np.linalg.norm(other, axis=2)
        moving = length > _STILL * np.sqrt(np.maximum(centred(self.boxes)[:, 2:], 1).prod(axis=1))
        both = length[:, None] * way
        cosine = np.divide((other @ own[:, :, None])[..., 0], both, out=np.zeros(both.shape), where=both > 0)
        fit = 0.5 - np.arccos(np.clip(cosine, -1, 1)) / np.pi
        return np.where(moving[:, None] & (both > 0), fit, 0.0)

    def see(self, rows: Ints, boxes: Floats, labels: NDArray[np.integer], time_s: float) -> Floats:
        """Say where tracks are seen now, and return the seconds since they were seen before, (R,)."""
        gaps = time_s - self.seen_s[rows]
        lost = self.missed[rows] > 1
        self.motion.put(rows[~lost], self.motion[rows[~lost]].seen(boxes[~lost]))
        for row, box, gap in zip(rows[lost], boxes[lost], gaps[lost], strict=True):
            self._walk(row, box, float(gap))
        self._known.put(rows, self.motion[rows])
        self.boxes[rows], self.seen_s[rows] = boxes, time_s
        self.missed[rows] = 0
        self.hits[rows] += 1
        self._past[rows] = np.concatenate(
            [centred(boxes)[:, None, :2], self._past[rows, :-1]], axis=1
        ).reshape(len(rows), _PAST, 2)
        self._vote(rows, labels)
        return gaps

    def drop(self, over: Bools) -> Ints:
        """Forget tracks, bool (N,), and return their ids."""
        ended = self.ids[over]
        if len(ended):
            kept = ~over
            self.ids, self.hits, self.missed = self.ids[kept], self.hits[kept], self.missed[kept]
            self.seen_s, self.boxes, self._past = self.seen_s[kept], self.boxes[kept], self._past[kept]
            self.motion, self._known, self._votes = self.motion[kept], self._known[kept], self._votes[kept]
        return ended

    def begin(self, boxes: Floats, labels: NDArray[np.integer], time_s: float) -> None:
        """Begin a track with each box."""
        count, old = len(boxes), len(self)
        if count == 0:
            return
        new = Motion.begin(boxes)
        self.ids = np.concatenate([self.ids, self._next + np.arange(count)])
        self._next += count
        self.hits = np.concatenate([self.hits, np.ones(count, np.int64)])
        self.missed = np.concatenate([self.missed, np.zeros(count, np.int64)])
        self.seen_s = np.concatenate([self.seen_s, np.full(count, time_s)])
        self.boxes = np.concatenate([self.boxes, boxes])
        self.motion, self._known = self.motion.joined(new), self._known.joined(new)
        self._past = np.concatenate([self._past, np.repeat(centred(boxes)[:, None, :2], _PAST, axis=1)])
        self._votes = np.concatenate([self._votes, np.zeros((count, self._votes.shape[1]), np.int64)])
        self._vote(np.arange(old, old + count), labels)

    def labels(self) -> Ints:
        """Return the class with most votes of each track, the first in a tie, int64 (N,)."""
        if len(self) == 0:
            return np.empty(0, np.int64)
        most: Ints = self._votes.argmax(axis=1)
        return most

    def _vote(self, rows: Ints, labels: NDArray[np.integer]) -> None:
        missing = int(labels.max(initial=-1)) + 1 - self._votes.shape[1]
        if missing > 0:
            self._votes = np.pad(self._votes, ((0, 0), (0, missing)))
        self._votes[rows, labels] += 1

    def _walk(self, row: np.int64, box: Floats, gap: float) -> None:
        """Bring a track that was lost up to date as if it had been seen on a straight path since then."""
        steps = min(int(self.missed[row]), _STEPS)
        one = np.array([row])
        motion, start = self._known[one], self.boxes[row]
        for step in range(1, steps + 1):
            motion = motion.after(gap / steps).seen((start + (box - start) * step / steps)[None])
        self.motion.put(one, motion)
