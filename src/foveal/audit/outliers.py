"""Pictures unlike all others, or hardly pictures at all: uniform, clipped, blurred."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.core.random import stream

Int64 = NDArray[np.int64]
FEWEST_IMAGES = 50  # below it nothing is usual enough for something to be unusual
BLANK_CONTRAST = 0.01  # about 2.5 grey levels
CLIPPED_SHARE = 0.9
_FAR = 6.0  # robust standard deviations: in a normal distribution 1 of a thousand million
_NEIGHBOURS = 10
_MOST_COMPARED = 20_000  # neighbours are looked for among so many; the distance changes little
_BLOCK = 1024
_MAD = 1.4826  # the median absolute deviation of a normal distribution, times this, is its standard deviation


@dataclass(frozen=True)
class Outlier:
    """One unusual picture.

    Attributes:
        row: Its index.
        reason: `blank`, `clipped`, `blurred` or `unlike_others`.
        score: How unusual: robust standard deviations; for `blank` and `clipped` the contrast and the share.
    """

    row: int
    reason: str
    score: float


def outliers(glances: Glances, features: NDArray[np.float32], rows: Int64) -> list[Outlier]:
    """Return the unusual pictures, each with its first reason.

    Args:
        glances: Of all pictures.
        features: What pictures are compared by, float32 (M, D): an embedding, or thumbnails.
        rows: The readable pictures, which the features belong to, int64 (M,).
    """
    found: dict[int, Outlier] = {}
    for reason, scores, unusual in _kinds(glances, features, rows):
        places = np.flatnonzero(unusual)
        for i in places[np.argsort(-np.abs(scores[places]), kind="stable")].tolist():
            found.setdefault(int(rows[i]), Outlier(int(rows[i]), reason, float(scores[i])))
    return list(found.values())


Kind = tuple[str, NDArray[np.floating], NDArray[np.bool_]]


def _kinds(glances: Glances, features: NDArray[np.float32], rows: Int64) -> Iterator[Kind]:
    contrast = glances.contrast[rows]
    blank = contrast < BLANK_CONTRAST
    yield "blank", contrast, blank
    clipped = glances.clipped[rows]
    # Where most pictures are nearly black and white (drawings, clothes on black), that is no fault.
    usual = float(np.median(clipped)) if len(rows) else 0.0
    yield "clipped", clipped, (clipped > CLIPPED_SHARE) & (usual < CLIPPED_SHARE / 2)
    if len(rows) < FEWEST_IMAGES:
        return
    sharpness = robust_scores(np.log(glances.sharpness[rows] + 1e-6))
    yield "blurred", sharpness, (sharpness < -_FAR) & ~blank  # never where there is none: NaN
    distances = robust_scores(np.log(neighbour_distances(features) + 1e-6))
    yield "unlike_others", distances, distances > _FAR


def robust_scores(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how many standard deviations each value lies from the median, by the median deviation.

    NaN stays NaN and has no part in the others' scores.
    """
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return np.full(len(values), np.nan)
    deviations = values.astype(np.float64) - np.median(known)
    scale = _MAD * float(np.median(np.abs(known - np.median(known))))
    return np.asarray(deviations / scale) if scale > 0 else 0 * deviations


def neighbour_distances(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each row the mean distance to its ten nearest others, float64 (M,).

    Of more than 20,000 rows the neighbours are looked for in a fixed random sample.
    Source: Angiulli & Pizzuti, "Fast outlier detection in high dimensional spaces", 2002.

    Args:
        features: float32 (M, D).
    """
    count = len(features)
    sampled = np.arange(count)
    if count > _MOST_COMPARED:
        sampled = np.sort(stream(0, "outliers", count).choice(count, _MOST_COMPARED, replace=False))
    others = features[sampled]
    squares = (others**2).sum(axis=1)
    wanted = min(_NEIGHBOURS, len(others) - 1)
    if wanted < 1:
        return np.zeros(count)
    found = np.empty(count)
    for start in range(0, count, _BLOCK):
        block = features[start : start + _BLOCK]
        distances = squares - 2 * (block @ others.T) + (block**2).sum(axis=1)[:, None]
        distances[sampled[None] == np.arange(start, start + len(block))[:, None]] = np.inf
        nearest = np.partition(distances, wanted - 1, axis=1)[:, :wanted]
        found[start : start + len(block)] = np.sqrt(nearest.clip(min=0)).mean(axis=1)
    return found
