"""From what a detector tells of objects beside their class to probabilities that are shares."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.objects import IOU
from foveal.calibrate.temperature import calibrated, temperature
from foveal.data.attributes import UNSAID, Attribute
from foveal.metrics._found import Found, Truth
from foveal.metrics._pairs import pairs
from foveal.tasks.detect.decode import AttributeDecision

RIGHT = 0.95  # share of what is told that was right on the calibration pictures
LEAST = 0.5  # a value that is less probable than all others together is never told
_FEWEST = 20  # objects below which probabilities stay as they are
_TINY = 1e-9


def fit_attributes(
    found: Sequence[Found], truths: Sequence[Truth], attributes: Sequence[Attribute]
) -> tuple[AttributeDecision, ...]:
    """Return factors of the logits, and the probability from which on a value is told.

    A factor is one over the temperature that explains the calibration objects best; the threshold is the
    lowest from which on 95 % of what is told was right there, and 0.5 at least.

    Args:
        found: What is shown on the calibration pictures, with plain probabilities.
        truths: What is there.
        attributes: In the order of the probabilities.
    """
    together = [pairs(*pair, iou=IOU) for pair in zip(found, truths, strict=True)]
    decisions, start = [], 0
    for place, one in enumerate(attributes):
        end = start + len(one.values)
        shares, values = joined(found, truths, together, place, slice(start, end))
        start = end
        sharpness = 1.0
        learned = values >= 0  # what has another value is always told wrongly, at any temperature
        if learned.sum() >= _FEWEST:
            logits = np.log(np.maximum(shares, _TINY))
            sharpness = 1.0 / temperature(logits[learned], values[learned])
            shares = calibrated(logits.astype(np.float32), 1.0 / sharpness)
        threshold = _threshold(shares, values)
        decisions.append(
            AttributeDecision(
                name=one.name, values=one.values, threshold=threshold, scale=sharpness, n=len(values)
            )
        )
    return tuple(decisions)


def joined(
    found: Sequence[Found],
    truths: Sequence[Truth],
    together: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    place: int,
    columns: slice,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return probabilities (M, V) and right values (M,) of an attribute, of all objects of which it is said.

    A value that was not learned is `data.attributes.OTHER`, which no answer is.

    Args:
        found: On each picture.
        truths: What is there.
        together: Which of both belong together.
        place: Of the attribute.
        columns: Of its values.
    """
    shares, values = [np.empty((0, columns.stop - columns.start), np.float32)], [np.empty(0, np.int64)]
    for one, truth, (rows, places) in zip(found, truths, together, strict=True):
        assert one.attributes is not None
        assert truth.attributes is not None
        own = truth.attributes[places, place]
        said = own != UNSAID
        shares.append(one.attributes[rows][said, columns].astype(np.float32))
        values.append(own[said])
    return np.concatenate(shares), np.concatenate(values)


def _threshold(shares: NDArray[np.float32], values: NDArray[np.int64]) -> float:
    """Return the lowest probability from which on enough of what is told is right."""
    if len(values) < _FEWEST:
        return LEAST
    sure = shares.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    right = (shares.argmax(axis=1) == values)[order]
    last = np.append(np.diff(sure[order]) < 0, True)  # of those that are equally sure: all are told or none
    enough = np.flatnonzero(last & (np.cumsum(right) >= RIGHT * np.arange(1, len(right) + 1)))
    if len(enough) == 0:
        return 1.0
    return float(max(LEAST, sure[order[enough[-1]]]))
