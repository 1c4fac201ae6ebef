"""Is one recognizer more robust than another, or is it the draw of the pictures?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.evaluate.paired import SIGNIFICANCE, Verdict
from foveal.evaluate.resistance import Resistance
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.holm import holm
from foveal.metrics.mcnemar import mcnemar
from foveal.metrics.paired_difference import paired_difference
from foveal.metrics.sign_flips import sign_flips

MEAN_CORRUPTION = "mean_corruption"


@dataclass(frozen=True)
class Harder:
    """Two recognizers under one kind of stress, on the same pictures.

    Attributes:
        a, b: Places of the two among all that are compared.
        stress: `mean_corruption`, or the ball of an attack.
        difference: Accuracy of a minus that of b under it; its interval holds for all pairs and stresses
            together (Bonferroni).
        confidence: Of that interval.
        p_value: Of the test of these two under this stress alone: by drawn signs for corruptions, McNemar's
            exact test for an attack.
        p_adjusted: With regard to all pairs and stresses (Holm).
        verdict: What `p_adjusted` below 0.05 shows.
    """

    a: int
    b: int
    stress: str
    difference: Measured
    confidence: float
    p_value: float
    p_adjusted: float
    verdict: Verdict


def paired_resistance(found: Sequence[Resistance], *, seed: int) -> tuple[Harder, ...]:
    """Return the comparison of every two recognizers under every stress.

    Args:
        found: Of each recognizer, on the same pictures, which are independent.
        seed: Of resampling and of the drawn signs.
    """
    cells = [
        (a, b, stress)
        for a, b in combinations(range(len(found)), 2)
        for stress in (MEAN_CORRUPTION, *found[0].attacked)
    ]
    confidence = 1 - SIGNIFICANCE / max(1, len(cells))
    tests = [_tested(found[a], found[b], stress, confidence, seed) for a, b, stress in cells]
    adjusted = holm([p for _, p in tests])
    return tuple(
        Harder(a, b, stress, difference, confidence, p, p_adjusted, _verdict(difference.value, p_adjusted))
        for (a, b, stress), (difference, p), p_adjusted in zip(cells, tests, adjusted, strict=True)
    )


def _tested(
    a: Resistance, b: Resistance, stress: str, confidence: float, seed: int
) -> tuple[Measured, float]:
    if stress == MEAN_CORRUPTION:
        gains: NDArray[np.float64] = a.shares - b.shares
        return bootstrap(gains, seed=seed, confidence=confidence), sign_flips(gains, seed=seed)
    test = mcnemar(a.attacked[stress], b.attacked[stress])
    return paired_difference(test.only_a, test.only_b, test.n, confidence), test.p_value


def _verdict(difference: float, p: float) -> Verdict:
    if p >= SIGNIFICANCE:
        return "no_difference_shown"
    return "a_better" if difference > 0 else "b_better"
