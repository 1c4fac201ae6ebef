"""A count of tracked objects, and between what it lies if every doubtful case is decided one way."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Anchor = Literal["middle", "bottom"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Count:
    """How many were counted.

    The interval is no confidence interval and has no probability: it says what the count would be if all
    tracks that are in doubt were decided one way or the other. An object that was never found, and two
    objects that were found as one, are in none of the three numbers.

    Attributes:
        value: Confirmed tracks, each once.
        low: Those of them that are beyond doubt. The others may be the same object under another number.
        high: `value`, and all tracks that may have been one more: not confirmed, or lost half-way.
        by_label: `value` for each class; of a track, the class it was mostly found to be.
    """

    value: int
    low: int
    high: int
    by_label: Mapping[int, int] = field(default_factory=dict)


@dataclass
class Tally:
    """What has been counted so far.

    Attributes:
        labels: Confirmed tracks of each class.
        sure: Those beyond doubt.
        doubtful: Tracks that may have been one more.
    """

    labels: Counter[int] = field(default_factory=Counter)
    sure: int = 0
    doubtful: int = 0

    def add(self, label: int, *, confirmed: bool, sure: bool) -> None:
        """Count one track."""
        if confirmed:
            self.labels[label] += 1
            self.sure += sure
        else:
            self.doubtful += 1

    def with_others(self, other: "Tally") -> Count:
        """Return the count of both."""
        labels = self.labels + other.labels
        value = labels.total()
        high = value + self.doubtful + other.doubtful
        return Count(value, self.sure + other.sure, high, dict(sorted(labels.items())))


def anchors(boxes: NDArray[np.floating], anchor: Anchor) -> NDArray[np.float64]:
    """Return the point of each box, (T, 4), that says where it is, float64 (T, 2).

    Args:
        boxes: Left, top, right and bottom in pixels.
        anchor: Its middle, or the middle of its lower side: where what stands meets the ground.
    """
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    y = boxes[:, 3] if anchor == "bottom" else (boxes[:, 1] + boxes[:, 3]) / 2
    return np.stack([x, y], axis=1).astype(np.float64)
