"""Several recognizers on the same pictures: which is better, and is that more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics.holm import holm
from foveal.metrics.mcnemar import mcnemar
from foveal.metrics.paired_difference import paired_difference

SIGNIFICANCE = 0.05
Verdict = Literal["a_better", "b_better", "no_difference_shown"]


@dataclass(frozen=True)
class Pair:
    """Two recognizers on the same pictures; of pictures that belong together one counts.

    Attributes:
        a, b: Places of the two among all that are compared.
        n: Pictures that count.
        only_a, only_b: Pictures that only one of them named correctly.
        both, neither: The other pictures.
        difference: Accuracy of a minus that of b; with more than one pair its interval is the wider one that
            holds for all pairs together (Bonferroni).
        confidence: Of that interval: 0.95 for one pair.
        p_value: Of the exact test of these two alone.
        p_adjusted: With regard to all pairs that are compared.
        verdict: What `p_adjusted` below 0.05 shows.
    """

    a: int
    b: int
    n: int
    only_a: int
    only_b: int
    both: int
    neither: int
    difference: Measured
    confidence: float
    p_value: float
    p_adjusted: float
    verdict: Verdict


def independent(units: NDArray[np.int64] | None, count: int, *, seed: int) -> NDArray[np.int64]:
    """Return the positions that count, rising, int64 (M,): of those that belong together one, drawn.

    Args:
        units: A number for each picture, equal for those that belong together, (N,); None: each stands alone.
        count: N.
        seed: Of the draw.
    """
    if units is None:
        return np.arange(count)
    order = stream(seed, "compare", "units").permutation(count)
    return np.sort(order[np.unique(units[order], return_index=True)[1]])


def joined(columns: Sequence[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """Return one number for each picture, equal for those that any column links, also over others.

    Args:
        columns: Each int64 (N,), equal for those that belong together.

    Returns:
        int64 (N,), or None where there is no column.
    """
    if not columns:
        return None
    found, before = np.unique(columns[0], return_inverse=True)[1], None
    while before is None or not np.array_equal(found, before):
        before = found.copy()
        for column in columns:  # the least number of a unit becomes that of all its pictures
            member = np.unique(column, return_inverse=True)[1]
            least = np.full(member.max() + 1, len(found), dtype=np.int64)
            np.minimum.at(least, member, found)
            found = least[member]
    return found


def paired(right: Sequence[NDArray[np.bool_]]) -> tuple[Pair, ...]:
    """Return the comparison of every two recognizers.

    Args:
        right: For each recognizer whether it named each picture correctly, bool (N,); the pictures are
            independent.
    """
    places = list(combinations(range(len(right)), 2))
    tests = [mcnemar(right[a], right[b]) for a, b in places]
    confidence = 1 - SIGNIFICANCE / max(1, len(places))
    adjusted = holm([test.p_value for test in tests])
    pairs = []
    for (a, b), test, p_adjusted in zip(places, tests, adjusted, strict=True):
        both = int((right[a] & right[b]).sum())
        pairs.append(
            Pair(
                a=a,
                b=b,
                n=test.n,
                only_a=test.only_a,
                only_b=test.only_b,
                both=both,
                neither=test.n - both - test.only_a - test.only_b,
                difference=paired_difference(test.only_a, test.only_b, test.n, confidence),
                confidence=confidence,
                p_value=test.p_value,
                p_adjusted=p_adjusted,
                verdict=_verdict(test.only_a, test.only_b, p_adjusted),
            )
        )
    return tuple(pairs)


def _verdict(only_a: int, only_b: int, p: float) -> Verdict:
    if p >= SIGNIFICANCE:
        return "no_difference_shown"
    return "a_better" if only_a > only_b else "b_better"
