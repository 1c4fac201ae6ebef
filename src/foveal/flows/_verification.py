"""How well scores tell whether two pictures show the same person, on people that nothing was learned from.

People are divided: from some the projection is learned, on others the thresholds are chosen, on the rest the
errors are counted; in turn, so that every person is measured once. No threshold has seen whom it judges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.embedder import unit
from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics.bootstrap import bootstrap_counts
from foveal.metrics.equal_error_rate import equal_error_rate
from foveal.metrics.error_rates import ErrorRates, error_rates
from foveal.metrics.tar_at_far import tar_at_far
from foveal.search.whitening import whitening

FAR = 0.01  # share of pairs of different people that a threshold is chosen to accept
_FOLDS = 6
_PAIRS = 50_000  # of different people in a fold: more make the intervals hardly narrower
_DRAWS = 500

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class Pairs(NamedTuple):
    """Pairs of pictures: scores, and the number of the person on each, (P,)."""

    scores: Float64
    one: Int64
    other: Int64

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether both show one person."""
        found: NDArray[np.bool_] = self.one == self.other
        return found


@dataclass(frozen=True)
class Verified:
    """What was measured.

    Attributes:
        numbers: For the document.
        rates: Over all pairs of people that were measured, for the drawing.
    """

    numbers: dict[str, Any]
    rates: ErrorRates = field(repr=False)


def folds(people: Int64, *, seed: int) -> list[Int64]:
    """Return disjoint groups of people, each in exactly one.

    Raises:
        DataError: `few_people`: fewer than six.
    """
    there = np.unique(people)
    if len(there) < _FOLDS:
        raise DataError(
            f"there are {len(there)} people; to learn, choose and measure on different ones needs {_FOLDS}",
            code="few_people",
            hint="two people in each of three groups are the least that has pairs of different people",
        )
    count = min(_FOLDS, len(there) // 2)
    return [np.sort(part) for part in np.array_split(stream(seed, "people").permutation(there), count)]


def verified(features: Float32, people: Int64, *, learn: bool, seed: int = 0) -> Verified:
    """Measure verification on people that were not seen.

    Args:
        features: float32 (N, D), of any length.
        people: Who is on each, (N,).
        learn: Whether a projection is learned from other people.
        seed: How people are divided, and of the intervals.

    Raises:
        DataError: `few_people`, or `no_pairs`: nobody has two pictures.
    """
    groups = folds(people, seed=seed)
    parts: list[Pairs] = []
    accepted: dict[str, list[NDArray[np.bool_]]] = {"equal": [], "far": []}
    thresholds: dict[str, list[float]] = {"equal": [], "far": []}
    for number, test in enumerate(groups):
        chosen = groups[(number + 1) % len(groups)]
        fit = ~np.isin(people, np.concatenate([test, chosen]))
        project = whitening(features[fit], people[fit]) if learn else unit
        judges = np.isin(people, chosen) if learn else ~np.isin(people, test)
        choice = _rates(_pairs(project(features[judges]), people[judges], seed))
        mine = np.isin(people, test)
        measured = _pairs(project(features[mine]), people[mine], seed)
        parts.append(measured)
        for name, limit in (("equal", equal_error_rate(choice)[1]), ("far", tar_at_far(choice, FAR)[1])):
            thresholds[name].append(limit)
            accepted[name].append(measured.scores >= limit)
    together = Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    decided = {name: np.concatenate(those) for name, those in accepted.items()}
    return Verified(_numbers(together, decided, thresholds, seed), _rates(together))


def _numbers(
    pairs: Pairs,
    accepted: Mapping[str, NDArray[np.bool_]],
    thresholds: Mapping[str, Sequence[float]],
    seed: int,
) -> dict[str, Any]:
    there, one = np.unique(np.concatenate([pairs.one, pairs.other]), return_inverse=True)
    one, other = np.split(one, 2)
    same = pairs.same

    def statistic(times: Int64) -> Float64:
        rows = []
        for drawn in times:
            weights = np.where(same, drawn[one], drawn[one] * drawn[other]).astype(np.float64)
            rows.append([_equal(pairs.scores, same, weights), *_shares(accepted, same, weights)])
        return np.array(rows)

    found = bootstrap_counts(len(there), statistic, draws=_DRAWS, seed=seed)
    equal, *shares = (
        Measured(one.value, one.low, one.high, one.n, "bootstrap-bca-people").as_json() for one in found
    )
    decided = {
        name: {
            "false_accepts": shares[2 * place],
            "false_rejects": shares[2 * place + 1],
            "threshold": _middle(thresholds[name]),
        }
        for place, name in enumerate(accepted)
    }
    return {
        "equal_error_rate": equal,
        "at_equal_error": decided["equal"],
        f"at_far_{FAR:g}": decided["far"],
        "pairs": {"same": int(same.sum()), "different": int((~same).sum())},
    }


def _equal(scores: Float64, same: NDArray[np.bool_], weights: Float64) -> float:
    """Return the equal error rate of weighted pairs; where a draw has no pairs of a kind, 0.5."""
    if not (weights[same].any() and weights[~same].any()):
        return 0.5
    rates = error_rates(
        scores[same], scores[~same], same_weights=weights[same], different_weights=weights[~same]
    )
    return equal_error_rate(rates)[0]


def _shares(
    accepted: Mapping[str, NDArray[np.bool_]], same: NDArray[np.bool_], weights: Float64
) -> list[float]:
    """Return false accepts and false rejects of each threshold."""
    found = []
    for yes in accepted.values():
        for wrong, among in ((yes, ~same), (~yes, same)):
            total = weights[among].sum()
            found.append(float(weights[among & wrong].sum() / total) if total else 0.5)
    return found


def _middle(thresholds: Sequence[float]) -> float | None:
    """Return the median of the folds' thresholds; None where it is infinite: most of them accept nothing."""
    value = float(np.median(thresholds))
    return value if np.isfinite(value) else None


def _rates(pairs: Pairs) -> ErrorRates:
    same = pairs.same
    if not (same.any() and (~same).any()):
        raise DataError(
            "some people have no second picture: there are no pairs of the same person",
            code="no_pairs",
            hint="two pictures of a person at least, ten are good",
        )
    return error_rates(pairs.scores[same], pairs.scores[~same])


def _pairs(features: Float32, people: Int64, seed: int) -> Pairs:
    """Return all pairs of the same person, and all or many of different ones."""
    units = unit(features).astype(np.float64)
    one, other = np.triu_indices(len(people), 1)
    different = np.flatnonzero(people[one] != people[other])
    if len(different) > _PAIRS:
        kept = stream(seed, "pairs").choice(different, _PAIRS, replace=False)
        keep = np.sort(np.concatenate([np.flatnonzero(people[one] == people[other]), kept]))
        one, other = one[keep], other[keep]
    scores = np.einsum("pd,pd->p", units[one], units[other])
    return Pairs(scores, people[one], people[other])
