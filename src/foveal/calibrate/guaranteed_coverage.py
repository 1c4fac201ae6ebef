"""How many images get an answer if the share of wrong ones must be proven to be small, for several shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.abstain import abstain, candidates
from foveal.core.errors import UsageError
from foveal.core.promises import DELTA
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.classify.decode import Abstain

RISKS = (0.005, 0.01, 0.02)


@dataclass(frozen=True)
class Scored:
    """Answers as far as declining looks at them.

    Attributes:
        confidence: Largest probability of each image, float (N,).
        correct: Whether its answer is right, bool (N,).
    """

    confidence: NDArray[np.floating]
    correct: NDArray[np.bool_]

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> "Scored":
        """Return them of probabilities (N, K) and labels (N,)."""
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)


@dataclass(frozen=True)
class Guaranteed:
    """What one promise costs.

    Attributes:
        abstain: The threshold and what it promises; a guarantee, made before the test images were looked at.
        coverage: Share of test images that get an answer, with its exact interval: the lower end is what can
            be relied on. None where no threshold was proven.
        risk: Share of wrong ones among these answers, an estimate; None where there is none.
    """

    abstain: Abstain
    coverage: Measured | None
    risk: Measured | None


def guaranteed_coverage(
    tuning: Scored,
    proving: Scored,
    test: Scored,
    *,
    risks: Sequence[float] = RISKS,
    delta: float = DELTA,
    bound: Callable[..., Abstain] = abstain,
) -> tuple[Guaranteed, ...]:
    """Return for each risk the coverage of a threshold that is proven for it.

    Each promise holds by itself with probability 1 - delta; that all do at once is not promised.

    Args:
        tuning: Images that thresholds are proposed by, N ≥ 1.
        proving: Other images, that prove one of them.
        test: Again others, on which the coverage is measured, N ≥ 1.
        risks: Promised shares of errors among the answers.
        delta: Probability that a promise is wrong.
        bound: `abstain` or `sgr`.

    Raises:
        UsageError: The arrays, a risk or delta are not such.
    """
    if len(test.confidence) == 0:
        raise UsageError("a coverage needs at least one test image", code="empty")
    found = []
    for risk in risks:
        limits = {"risk": risk, "delta": delta}
        count = len(proving.confidence)
        thresholds = candidates(tuning.confidence, tuning.correct, images=count, **limits)
        rule = bound(proving.confidence, proving.correct, thresholds=thresholds, **limits)
        found.append(_measured(rule, test))
    return tuple(found)


def _measured(rule: Abstain, test: Scored) -> Guaranteed:
    if rule.threshold is None:
        return Guaranteed(rule, None, None)
    answered = test.confidence.astype(np.float64) >= rule.threshold
    count, wrong = int(answered.sum()), int((answered & ~test.correct).sum())
    coverage = clopper_pearson(count, len(answered))
    return Guaranteed(rule, coverage, clopper_pearson(wrong, count) if count else None)
