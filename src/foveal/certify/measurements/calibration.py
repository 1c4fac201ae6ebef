"""C2: whether a confidence of 90 % is right in 90 % of cases, also under corruption."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.comparison import compare_calibrations
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Evidence, Statement
from foveal.certify.subject import Answered, Subject
from foveal.core.types import Measured
from foveal.metrics.adaptive_ece import adaptive_ece
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.brier import brier_per_image
from foveal.metrics.classwise_ece import classwise_ece
from foveal.metrics.debiased_ece import debiased_ece
from foveal.metrics.ece import ece, ece_draws
from foveal.metrics.nll import nll_per_image
from foveal.metrics.reliability import reliability

_NLL = Claim("nll", "mean negative logarithm of the true class's probability", "estimate", "at_most", "nats")
_BRIER = Claim(
    "brier", "mean squared distance of the probabilities from the truth", "estimate", "at_most", "plain"
)
_ERROR = Claim("calibration_error", "expected calibration error", "estimate", "at_most")
_OVER = Claim("overconfidence", "mean confidence minus accuracy", "indicator", "at_most")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_NLL, _BRIER, _ERROR, _OVER)


def error_of(
    claim: Claim, probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int
) -> Statement:
    """Return what the expected calibration error says, judged by simulated models.

    The ECE of a perfect model is above 0 by chance, and noise and a true error do not add up: so no number is
    taken off. That a limit is kept is shown where models that miss it just so show an ECE as small as this in
    few of 1,000 draws; that it is missed, where chance alone on top of the limit hardly reaches it.

    Args:
        claim: What is stated.
        probabilities: Calibrated, float32 (N, K).
        labels: The truth, int64 (N,).
        seed: Of the draws.
    """
    found, n = ece(probabilities, labels), len(labels)
    chance = ece_draws(probabilities, seed=seed)

    def evidence(limit: float) -> Evidence:
        missing = ece_draws(probabilities, shift=limit, seed=seed)
        kept = (1 + int((missing <= found).sum())) / (1 + len(missing))
        missed = (1 + int((chance + limit >= found).sum())) / (1 + len(chance))
        # How many pictures would decide depends on the true error, which is what nobody knows.
        return Evidence(kept, missed, lambda level: None)

    low, high = max(0.0, found - float(np.quantile(chance, 0.975))), _largest(probabilities, found, seed)
    details = {
        "ece_null_p95": float(np.quantile(chance, 0.95)),
        "adaptive_ece": adaptive_ece(probabilities, labels),
        "debiased_ece": debiased_ece(probabilities, labels),
        "classwise_ece": classwise_ece(probabilities, labels),
    }
    note = "15 bins of equal width (Guo et al. 2017); the interval is of the true error, by simulation"
    value = Measured(found, min(low, found), max(high, found), n, "simulation")
    return Statement(claim, value, evidence, note, seed, details)


def _largest(probabilities: NDArray[np.float32], found: float, seed: int) -> float:
    """Return the largest error, within 0.001, whose models show an ECE as small as this in 1 of 40 draws."""
    few, many = 0.0, 1.0
    while many - few > 0.001:
        middle = (few + many) / 2
        shown = ece_draws(probabilities, shift=middle, draws=200, seed=seed)
        few, many = (middle, many) if (shown <= found).mean() >= 0.025 else (few, middle)
    return many


def _measure(subject: Subject) -> Section:
    test, draws, seed = subject.test, subject.level.draws, subject.seed
    probabilities, labels = test.probabilities, test.labels
    bins = [
        {"low": b.low, "high": b.high, "n": b.n, "confidence": b.confidence, "accuracy": b.accuracy.as_json()}
        for b in reliability(probabilities, labels)
    ]
    mean = bootstrap(nll_per_image(probabilities, labels), draws=draws, seed=seed)
    square = bootstrap(brier_per_image(probabilities, labels), draws=draws, seed=seed)
    return Section(
        (
            _NLL.estimate(mean, seed=seed),
            _BRIER.estimate(square, seed=seed),
            error_of(_ERROR, probabilities, labels, seed=seed),
            _overconfidence(test, draws, seed),
        ),
        figures={"reliability": bins, "other_calibrations": _others(subject)},
    )


def _others(subject: Subject) -> list[dict[str, Any]]:
    """Return what each calibration does on tuning pictures that it was not fitted on, against a temperature.

    An indicator: the file holds a temperature, and is judged by that.
    """
    tuning = subject.tuning
    if tuning is None or len(tuning) < 2:
        return []
    units = tuning.held_out.units
    if units is not None and len(np.unique(units)) < 2:
        return []
    found = compare_calibrations(tuning.logits, tuning.labels, units=units, seed=subject.seed)
    return [
        {
            "calibration": name,
            "nll": nll.as_json(),
            "gained": found.gained[name].as_json() if name in found.gained else None,
            "best": name == found.chosen,
        }
        for name, nll in found.nll.items()
    ]


def _overconfidence(test: Answered, draws: int, seed: int) -> Statement:
    gap = bootstrap(test.probabilities.max(axis=1).astype(np.float64) - test.right, draws=draws, seed=seed)
    return _OVER.estimate(gap, seed=seed)


calibration = Measurement("C2", "Confidence", _claims, _measure)
