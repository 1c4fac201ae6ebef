"""From a classifier's probabilities and the truth to every number of the report."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.evaluate.document import Metrics, Mistake, Report
from foveal.metrics.accuracy import accuracy
from foveal.metrics.balanced_accuracy import balanced_accuracy
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.brier import brier_per_image
from foveal.metrics.confusion import confused_pairs, confusion
from foveal.metrics.coverage_at_risk import coverage_at_risk
from foveal.metrics.ece import ece, ece_null
from foveal.metrics.majority import majority
from foveal.metrics.nll import nll_per_image
from foveal.metrics.per_class import per_class
from foveal.metrics.reliability import reliability
from foveal.metrics.risk_coverage import risk_coverage
from foveal.metrics.set_coverage import set_coverage
from foveal.metrics.worst_class import worst_class
from foveal.tasks.classify.decode import Decision, prediction_sets

_SHOWN_MISTAKES = 24


def measure(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    classes: Sequence[str],
    decision: Decision,
    sources: Sequence[str] | None = None,
    seed: int = 0,
) -> Report:
    """Return everything that is known from the answers and the truth alone.

    Args:
        probabilities: Calibrated, float32 (N, K), rows sum to 1, N ≥ 1.
        labels: The truth, integers (N,) in [0, K).
        classes: K names.
        decision: The bundle's thresholds; fitted on other images.
        sources: N names for the worst mistakes; None numbers them `#0`, `#1` …
        seed: For the resampling behind some intervals.

    Raises:
        UsageError: The arrays are not such, or the names are not as many.
    """
    if sources is None:
        sources = [f"#{index}" for index in range(len(labels))]
    if probabilities.shape != (len(sources), len(classes)):
        raise UsageError(
            f"need probabilities ({len(sources)}, {len(classes)}), a row per source and a column per class; "
            f"got {probabilities.shape}"
        )
    curve = risk_coverage(probabilities, labels)
    matrix = confusion(probabilities, labels)
    threshold = decision.abstain.threshold
    metrics = Metrics(
        accuracy=accuracy(probabilities, labels),
        balanced_accuracy=balanced_accuracy(probabilities, labels),
        worst_class=worst_class(probabilities, labels),
        nll=bootstrap(nll_per_image(probabilities, labels), seed=seed),
        brier=bootstrap(brier_per_image(probabilities, labels), seed=seed),
        ece=ece(probabilities, labels),
        ece_null_p95=ece_null(probabilities, seed=seed),
        aurc=curve.aurc,
        answered=(
            None if threshold is None else coverage_at_risk(probabilities, labels, threshold=threshold)
        ),
        sets=set_coverage(prediction_sets(probabilities, decision.conformal), labels),
        per_class=per_class(probabilities, labels),
        majority=majority(labels),
    )
    return Report(
        classes=tuple(classes),
        decision=decision,
        metrics=metrics,
        confusion=matrix,
        confused_pairs=confused_pairs(matrix),
        reliability=reliability(probabilities, labels),
        risk_coverage=curve.points(),
        worst_mistakes=_worst_mistakes(probabilities, labels, sources),
        answers=probabilities.argmax(axis=1),
    )


def worst_first(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the wrong answers, the most confident first, int64 (M,).

    Args:
        probabilities: Calibrated, float32 (N, K).
        labels: The truth, integers (N,).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def _worst_mistakes(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], sources: Sequence[str]
) -> tuple[Mistake, ...]:
    """Return the wrong answers with the highest confidence."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    worst = worst_first(probabilities, labels)[:_SHOWN_MISTAKES]
    return tuple(Mistake(sources[i], int(labels[i]), int(answers[i]), float(confidence[i])) for i in worst)
