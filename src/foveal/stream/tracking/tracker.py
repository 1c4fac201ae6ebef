"""Boxes that belong to one object, from picture to picture.

Sources: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022:
doubtful boxes go on with tracks that sure ones left over, and begin none. https://arxiv.org/abs/2110.06864
Cao et al., "Observation-Centric SORT", CVPR 2023: after a gap what was seen counts, not what the filter made
of
it: the direction of what was seen (momentum), the last box that was seen (recovery), and the path between the
last and the new one (re-update). https://arxiv.org/abs/2203.14360
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.box_iou import box_iou
from foveal.stream.tracking._pool import Pool
from foveal.stream.tracking.assignment import pairs
from foveal.stream.tracking.motion import centred

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """When boxes belong together.

    Attributes:
        sure: Score from which on a box is looked at first.
        doubtful: Score from which on a box may go on with a track that is being seen.
        begins: Score from which on a box that belongs to nothing begins a track.
        overlap: Smallest IoU of a box with where a track is expected.
        confirmed_after: In how many pictures, one after the other, a track has to be seen to be confirmed.
        lost_after_s: For how many seconds a confirmed track that is not seen is kept.
        momentum: Weight of the direction beside the IoU, at most 0.5.
    """

    sure: float = 0.5
    doubtful: float = 0.1
    begins: float = 0.6
    overlap: float = 0.3
    confirmed_after: int = 3
    lost_after_s: float = 1.0
    momentum: float = 0.2

    def __post_init__(self) -> None:
        if not self.doubtful <= self.sure <= self.begins:
            got = f"{self.doubtful}, {self.sure} and {self.begins}"
            raise UsageError(f"scores must rise from doubtful to sure to begins; got {got}")
        if not (0 < self.overlap <= 1 and self.confirmed_after >= 1 and self.lost_after_s >= 0):
            raise UsageError("need an overlap in (0, 1], confirmed_after ≥ 1 and lost_after_s ≥ 0")
        if not 0 <= self.momentum <= 0.5:
            raise UsageError(f"momentum must be in [0, 0.5]; got {self.momentum}")


@dataclass(frozen=True, eq=False)
class Tracked:
    """The tracks that were seen in one picture, in the order in which they began.

    Attributes:
        time_s: Of the picture.
        ids: Of each track, from 1 on, int64 (T,). Also of one that is not confirmed: it is its own, not
            shared.
        confirmed: Whether it was seen often enough to be relied on, bool (T,). What is counted is confirmed.
        boxes: As they were found, float64 (T, 4).
        labels: The class that each track was mostly found to be so far, int64 (T,).
        detections: Which of the boxes given it is, int64 (T,).
        missed: Pictures in which it was not seen since it was seen before, int64 (T,); 0 at first.
        gap_s: Seconds since it was seen before; 0 at first, float64 (T,).
        ended: Ids of tracks that will not come back, confirmed or not.
    """

    time_s: float
    ids: Ints
    confirmed: Bools
    boxes: Floats = field(repr=False)
    labels: Ints = field(repr=False)
    detections: Ints = field(repr=False)
    missed: Ints = field(repr=False)
    gap_s: Floats = field(repr=False)
    ended: Ints = field(repr=False)


class Tracker:
    """Gives each object a number that it keeps; looks at no class and at no pixel."""

    def __init__(self, rules: Rules | None = None) -> None:
        """Begin without tracks."""
        self._rules = rules or Rules()
        self._pool = Pool()
        self._time: float | None = None

    def update(
        self,
        boxes: NDArray[np.floating],
        scores: NDArray[np.floating],
        labels: NDArray[np.integer],
        time_s: float,
    ) -> Tracked:
        """Take the boxes of the next picture and return the tracks that are seen in it.

        Args:
            boxes: Left, top, right and bottom in pixels, finite, (D, 4); D may be 0.
            scores: In [0, 1], (D,).
            labels: Classes, 0 or more, (D,).
            time_s: Time of the picture in seconds; not before that of the last one.

        Raises:
            UsageError: The arrays are not such, or time goes back.
        """
        _check(boxes, scores, labels)
        if self._time is not None and not time_s >= self._time:
            raise UsageError(f"time goes back from {self._time} s to {time_s} s", hint="begin a new tracker")
        self._pool.forecast(time_s - (time_s if self._time is None else self._time))
        self._time = time_s
        found = np.asarray(boxes, np.float64)
        given = self._given(found, np.asarray(scores, np.float64))
        return self._seen(found, scores, labels, given)

    def cut(self, time_s: float) -> Tracked:
        """End all tracks, as where a film is cut: what comes next goes on with none of them.

        Args:
            time_s: Time of the first picture after the cut.

        Returns:
            No track that is seen; all of them among those that ended.
        """
        none, whole = np.empty((0, 4)), np.empty(0, np.int64)
        return Tracked(
            time_s=time_s,
            ids=whole,
            confirmed=np.empty(0, np.bool_),
            boxes=none,
            labels=whole,
            detections=whole,
            missed=whole,
            gap_s=np.empty(0),
            ended=self._pool.drop(np.ones(len(self._pool), np.bool_)),
        )

    def _given(self, boxes: Floats, scores: Floats) -> Ints:
        """Return the track of each box, −1 where it belongs to none, int64 (D,)."""
        pool, rules = self._pool, self._rules
        given = np.full(len(boxes), -1, np.int64)
        free = np.ones(len(pool), np.bool_)
        firm = pool.hits >= rules.confirmed_after
        seen_before = pool.missed == 1  # this picture counts as one until it is seen there

        def take(tracks: Bools, chosen: Bools, places: Floats, push: Floats | None = None) -> None:
            rows = np.flatnonzero(tracks & free)
            columns = np.flatnonzero(chosen & (given < 0))
            overlap = box_iou(places[rows], boxes[columns])
            benefit = overlap if push is None else overlap + push[np.ix_(rows, columns)]
            one, other = pairs(benefit, overlap >= rules.overlap)
            given[columns[other]] = rows[one]
            free[rows[one]] = False

        sure, doubtful = scores >= rules.sure, (scores >= rules.doubtful) & (scores < rules.sure)
        expected = pool.motion.boxes
        take(firm, sure, expected, rules.momentum * pool.direction(centred(boxes)[:, :2]) * scores)
        take(firm & seen_before, doubtful, expected)
        take(firm, sure, pool.boxes)
        take(~firm, sure, expected)
        return given

    def _seen(
        self, boxes: Floats, scores: NDArray[np.floating], labels: NDArray[np.integer], given: Ints
    ) -> Tracked:
        """Bring the tracks up to date and return those that are seen."""
        pool, time_s = self._pool, self._time or 0.0
        rows = np.flatnonzero(given >= 0)
        rows = rows[np.argsort(given[rows])]  # in the order of the tracks
        missed = pool.missed[given[rows]] - 1
        gaps = pool.see(given[rows], boxes[rows], labels[rows], time_s)
        firm = pool.hits >= self._rules.confirmed_after
        over = (pool.missed > 0) & (~firm | (time_s - pool.seen_s > self._rules.lost_after_s))
        ended = pool.drop(over)
        new = np.flatnonzero((given < 0) & (scores >= self._rules.begins))
        pool.begin(boxes[new], labels[new], time_s)
        now = pool.missed == 0
        return Tracked(
            time_s=time_s,
            ids=pool.ids[now],
            confirmed=pool.hits[now] >= self._rules.confirmed_after,
            boxes=pool.boxes[now],
            labels=pool.labels()[now],
            detections=np.concatenate([rows, new]),
            missed=np.concatenate([missed, np.zeros(len(new), np.int64)]),
            gap_s=np.concatenate([gaps, np.zeros(len(new))]),
            ended=ended,
        )


def _check(boxes: NDArray[np.floating], scores: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    count = len(scores)
    if boxes.shape != (count, 4) or not np.isfinite(boxes).all():
        raise UsageError(f"boxes must be finite, ({count}, 4); got shape {boxes.shape}")
    if scores.shape != (count,) or not ((scores >= 0) & (scores <= 1)).all():
        raise UsageError("scores must be in [0, 1], one per box")
    whole = np.issubdtype(labels.dtype, np.integer)
    if labels.shape != (count,) or not whole or (labels < 0).any():
        raise UsageError(f"labels must be integers of 0 or more, one per box; got {labels.dtype}")
