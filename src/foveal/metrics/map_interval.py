"""Mean average precision with its interval: pictures are drawn again, what was matched stays matched."""

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Units, mean_of_defined, resampled
from foveal.metrics._ranked import areas
from foveal.metrics.match import Matches


def map_interval(
    matches: Matches,
    *,
    pooled: bool = False,
    points: int | None = 101,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> Measured:
    """Return the mean over classes and limits with its BCa interval over pictures, or over groups of them.

    A class without an object in a resample is in no mean of that resample. Of simulated detectors (3 to 80
    classes, 70 to 100 pictures) such intervals held the true value in about 90 of 100 cases, not 95: average
    precision is biased upwards on few pictures. Time grows with findings × draws × limits; for ten limits 200
    draws are enough for two decimals.

    Args:
        matches: Of `match`; `matches.at(0.5)` for one limit.
        pooled: Findings of all classes in one ranking.
        points: As of `mean_average_precision`.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures, with objects or without.

    Raises:
        UsageError: There is no picture, no object to be found, or not one unit for each picture.
    """
    (found,) = resampled(
        len(matches.truths),
        lambda times: mean_of_defined(mean_of_defined(areas(matches, times, points=points, pooled=pooled)))[
            :, None
        ],
        units=units,
        draws=draws,
        seed=seed,
    )
    if found is None:
        raise UsageError("average precision needs at least one object to be found", code="empty")
    return found


def class_intervals(
    matches: Matches, *, points: int | None = 101, units: Units = None, draws: int = 1000, seed: int = 0
) -> tuple[Measured | None, ...]:
    """Return the average precision of each class with its interval; None for one without an object.

    Args:
        matches: For one limit of the overlap.
        points: As of `mean_average_precision`.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Raises:
        UsageError: There are several limits, no picture, or not one unit for each.
    """
    matches.only()
    return resampled(
        len(matches.truths),
        lambda times: areas(matches, times, points=points, pooled=False)[:, 0],
        units=units,
        draws=draws,
        seed=seed,
    )
