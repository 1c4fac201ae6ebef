"""What a monitor will compare later pictures with: scores, rejections and properties.

Scores and counts are of the proving pictures, which decided neither temperature nor ranges: only then are
later pictures of the same kind exchangeable with them. They are drawn by chance, not by their size: evenly
spaced quantiles would look neater, and be no sample.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.data.pixels.quality import quality
from foveal.tasks.classify.decode import Decision
from foveal.tasks.classify.reference import MOST_SCORES, PROPERTIES, Range, Rate, Reference, doubt, rounded

MOST_LOOKED_AT = 2000  # pictures whose properties are measured, of each role: under a second
_OUTSIDE = 0.05  # of the tuning pictures, half on either side

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Looked:
    """What is known of N calibration pictures.

    Attributes:
        confidence: Of the answer to each, as the file that ships gives it, float (N,).
        unknown: How unknown the file finds each of those that prove, float (M,); none where it does not say.
        picture: Returns one at model size, uint8 (S, S, C), by its number.
    """

    confidence: NDArray[np.floating] = field(repr=False)
    unknown: NDArray[np.floating] = field(repr=False)
    picture: Callable[[int], UInt8] = field(repr=False)


def watched(decision: Decision, looked: Looked, roles: tuple[Indices, Indices], *, seed: int = 0) -> Decision:
    """Return the decision with what a monitor needs.

    Args:
        decision: As it was fitted on these pictures.
        looked: What is known of the pictures.
        roles: Pictures that tuned and independent ones that proved, as `fit.split_roles` divides them.
        seed: Decides which ones are kept.
    """
    tuning, proving = roles
    if len(proving) == 0:
        return decision
    kept = _drawn(proving, MOST_SCORES, seed, "scores")
    confidence, unknown = looked.confidence, looked.unknown
    reference = Reference(
        doubt=tuple(sorted(doubt(float(confidence[i])) for i in kept)),
        unknown=tuple(sorted(rounded(float(one)) for one in unknown[np.isin(proving, kept)[: len(unknown)]])),
        rejected=_rejected(decision, confidence[proving], unknown),
        quality=_ranges(
            _drawn(tuning, MOST_LOOKED_AT, seed, "tuning"),
            _drawn(proving, MOST_LOOKED_AT, seed, "proving"),
            looked.picture,
        ),
    )
    return decision.model_copy(update={"monitor": reference})


def _rejected(
    decision: Decision, confidence: NDArray[np.floating], unknown: NDArray[np.floating]
) -> Rate | None:
    """Return how many of the proving pictures get no answer: declined, or taken for unknown."""
    threshold, rule = decision.abstain.threshold, decision.unknown
    refused = np.zeros(len(confidence), dtype=bool)
    if threshold is not None:
        refused |= confidence < threshold
    if rule is not None and rule.threshold is not None and len(unknown):
        refused |= unknown > rule.threshold
    elif threshold is None:
        return None
    return Rate(count=int(refused.sum()), n=len(confidence))


def _drawn(pictures: Indices, most: int, seed: int, purpose: str) -> Indices:
    return np.sort(stream(seed, "monitor", purpose).permutation(pictures)[:most])


def _ranges(tuning: Indices, proving: Indices, picture: Callable[[int], UInt8]) -> dict[str, Range]:
    """Return where the tuning pictures lie, and how many proving ones lie outside that."""
    if len(tuning) == 0:
        return {}
    usual, counted = (_measured(some, picture) for some in (tuning, proving))
    found = {}
    for column, name in enumerate(PROPERTIES):
        low, high = (
            rounded(float(q)) for q in np.quantile(usual[:, column], [_OUTSIDE / 2, 1 - _OUTSIDE / 2])
        )
        values = counted[:, column]
        found[name] = Range(
            low=low,
            high=high,
            below=int((values < low).sum()),
            above=int((values > high).sum()),
            n=len(values),
        )
    return found


def _measured(pictures: Indices, picture: Callable[[int], UInt8]) -> NDArray[np.float64]:
    return np.array([[quality(picture(int(i)))[name] for name in PROPERTIES] for i in pictures])
