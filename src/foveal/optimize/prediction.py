"""How long a network will take, from what its layers take alone: pure functions on measured seconds.

    seconds = input + intercept + factor · Σ layers

`input` and the sum are measured (`optimize.lookup`); factor and intercept are fitted to networks that were
measured as a whole. A layer takes longer in a network than alone: its weights have left the nearest cache,
and additions and poolings between layers are not in the table. That share differs more between families of
networks than within one (docs/benchmarks.md, where other work beside it blurs this): fit to the family that
is searched.

A part of the library around `optimize.lookup`, which says why `foveal optimize` does not use it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from foveal.core.errors import DataError, UsageError

_SCHEMA = "foveal.prediction/1"
_FACTORS = (0.25, 4.0)  # beyond, something else was measured than was looked up
_MOST_INTERCEPT = 0.5  # of the fastest network's time


@dataclass(frozen=True)
class Parts:
    """What the table says about a network for one picture, each finite and at least 0.

    Attributes:
        input: Seconds from the bytes of a picture to the first layer, and of the call itself.
        layers: Sum of the seconds of its layers.
    """

    input: float
    layers: float

    def __post_init__(self) -> None:
        if not (0 <= self.input < math.inf and 0 <= self.layers < math.inf):
            raise UsageError(f"times are finite and at least 0; got {self.input} and {self.layers}")


@dataclass(frozen=True)
class Point:
    """A network that was measured as a whole.

    Attributes:
        parts: What the table says.
        seconds: What was measured for one picture, above 0.
    """

    parts: Parts
    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise UsageError(f"a measured time is finite and above 0; got {self.seconds}")


@dataclass(frozen=True)
class Prediction:
    """Fitted to points; made by `fit`.

    Attributes:
        factor: How many times longer layers take in a network than alone.
        intercept: Seconds that every network takes beyond input and layers; may be negative.
        points: What it was fitted to, at least one.
    """

    factor: float
    intercept: float
    points: tuple[Point, ...]

    def predict(self, parts: Parts) -> float:
        """Return the seconds of a network for one picture, ≥ 0."""
        return max(0.0, parts.input + self.intercept + self.factor * parts.layers)

    def error(self, points: Sequence[Point]) -> float:
        """Return the mean of |predicted − measured| / measured; 0.1 is 10 %.

        Args:
            points: At least one; those that it was not fitted to say how good it is.
        """
        if not points:
            raise UsageError("an error needs at least one measured network", code="empty")
        return math.fsum(abs(self.predict(p.parts) / p.seconds - 1) for p in points) / len(points)

    def as_json(self) -> dict[str, Any]:
        """Return the fit and its points."""
        points = [{**asdict(point.parts), "seconds": point.seconds} for point in self.points]
        return {"schema": _SCHEMA, "factor": self.factor, "intercept": self.intercept, "points": points}


def fit(points: Sequence[Point]) -> Prediction:
    """Return the least squares of relative errors, with one observation more that says: no intercept.

    That one weighs as much as a network, in shares of the fastest one's time: two networks that are alike
    would give any intercept otherwise. One network alone gives the factor. The factor stays within 1/4 to 4,
    the intercept within half the fastest network's time.

    Args:
        points: At least one.

    Raises:
        UsageError: There is none, or the layers of none take any time.
    """
    if not points:
        raise UsageError("a prediction needs at least one measured network", code="empty")
    measured = np.array([point.seconds for point in points])
    layers = np.array([point.parts.layers for point in points])
    rest = measured - np.array([point.parts.input for point in points])
    fastest = float(measured.min())
    if not layers.any():
        raise UsageError("a factor cannot be fitted to networks whose layers take no time")
    rows = np.vstack([np.stack([layers / measured, 1 / measured], axis=1), [[0, 1 / fastest]]])
    wanted = np.append(rest / measured, 0.0)
    intercept = float(np.linalg.lstsq(rows, wanted, rcond=None)[0][1])
    intercept = min(max(intercept, -_MOST_INTERCEPT * fastest), _MOST_INTERCEPT * fastest)
    shares = layers / measured
    factor = float(shares @ ((rest - intercept) / measured) / (shares @ shares))
    return Prediction(min(max(factor, _FACTORS[0]), _FACTORS[1]), intercept, tuple(points))


def from_json(written: Mapping[str, Any]) -> Prediction:
    """Return what `as_json` wrote, fitted anew to its points.

    Raises:
        DataError: It is no such object.
    """
    try:
        if written["schema"] != _SCHEMA:
            raise ValueError(f"its schema is {written['schema']!r}")
        return fit(
            [
                Point(Parts(float(entry["input"]), float(entry["layers"])), float(entry["seconds"]))
                for entry in written["points"]
            ]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no prediction of times: {error}") from error
