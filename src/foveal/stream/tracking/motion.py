"""Where boxes will be: a Kalman filter with constant velocity for each of four numbers of a box.

Source: Bar-Shalom, Li & Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, §6.2.2
(white noise acceleration in continuous time): unlike a filter that counts frames it knows how much time has
passed, so dropped frames cost nothing but certainty. The four numbers, middle, width and height, do not
influence each other, so no matrix is inverted.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SIGHT = 0.05  # standard deviation of a measured number, in sizes of the box (as in SORT and ByteTrack)
_SPEED = 3.0  # that of an unknown speed, in sizes per second
_UNREST = 1.0  # by how much the speed changes, in sizes per second to the 1.5


@dataclass(frozen=True, eq=False)
class Motion:
    """What is known of N boxes at one moment.

    Attributes:
        place: Middle, width and height in pixels, float64 (N, 4).
        speed: Their change in pixels per second, float64 (N, 4).
        place_variance, covariance, speed_variance: Of both, float64 (N, 4).
    """

    place: Floats
    speed: Floats
    place_variance: Floats
    covariance: Floats
    speed_variance: Floats

    @classmethod
    def begin(cls, boxes: Floats) -> Self:
        """Return what is known after boxes, left, top, right, bottom (N, 4), were seen once."""
        place = centred(boxes)
        size = _size(place)
        one = np.ones(place.shape)
        return cls(place, 0 * one, one * (_SIGHT * size) ** 2, 0 * one, one * (_SPEED * size) ** 2)

    def after(self, seconds: float) -> "Motion":
        """Return what is known some seconds later, with nothing seen."""
        unrest = (_UNREST * _size(self.place)) ** 2
        return Motion(
            self.place + seconds * self.speed,
            self.speed.copy(),
            self.place_variance
            + 2 * seconds * self.covariance
            + seconds**2 * self.speed_variance
            + unrest * seconds**3 / 3,
            self.covariance + seconds * self.speed_variance + unrest * seconds**2 / 2,
            self.speed_variance + unrest * seconds,
        )

    def seen(self, boxes: Floats) -> "Motion":
        """Return what is known once boxes, left, top, right, bottom (N, 4), are seen."""
        place = centred(boxes)
        whole = self.place_variance + (_SIGHT * _size(place)) ** 2
        trust, push = self.place_variance / whole, self.covariance / whole
        surprise = place - self.place
        return Motion(
            self.place + trust * surprise,
            self.speed + push * surprise,
            (1 - trust) * self.place_variance,
            (1 - trust) * self.covariance,
            self.speed_variance - push * self.covariance,
        )

    @property
    def boxes(self) -> Floats:
        """Left, top, right and bottom, float64 (N, 4)."""
        half = np.maximum(self.place[:, 2:], 0) / 2
        return np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Motion":
        return Motion(*(getattr(self, one.name)[rows] for one in fields(self)))

    def joined(self, other: "Motion") -> "Motion":
        """Return what is known of the boxes of both, those of `other` last."""
        both = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Motion(*(np.concatenate(pair) for pair in both))

    def put(self, rows: NDArray[np.integer], other: "Motion") -> None:
        """Replace what is known of the boxes at `rows`."""
        for one in fields(self):
            getattr(self, one.name)[rows] = getattr(other, one.name)


def centred(boxes: NDArray[np.floating]) -> Floats:
    """Return middle, width and height, float64 (N, 4), of left, top, right, bottom."""
    corners = np.asarray(boxes, np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2] + sides / 2, sides], axis=1)


def _size(place: Floats) -> Floats:
    """Return the root of the area of each box in pixels, at least 1, (N, 1)."""
    size: Floats = np.sqrt(np.maximum(place[:, 2:], 1).prod(axis=1, keepdims=True))
    return size
