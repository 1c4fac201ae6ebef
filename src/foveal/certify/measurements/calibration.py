"""C2: whether a confidence of 90 % is right in 90 % of cases, also under corruption."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.comparison import compare_calibrations
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Answered, Subject
from foveal.core.types import Measured
from foveal.metrics.adaptive_ece import adaptive_ece
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.brier import brier_per_image
from foveal.metrics.classwise_ece import classwise_ece
from foveal.metrics.debiased_ece import debiased_ece
from foveal.metrics.ece import ece, ece_null, gaps
from foveal.metrics.nll import nll_per_image
from foveal.metrics.reliability import reliability

_NLL = Claim("nll", "mean negative logarithm of the true class's probability, nats", "estimate", "at_most")
_BRIER = Claim("brier", "mean squared distance of the probabilities from the truth", "estimate", "at_most")
_ERROR = Claim(
    "calibration_error",
    "expected calibration error beyond what a perfect model shows by chance",
    "estimate",
    "at_most",
)
_OVER = Claim("overconfidence", "mean confidence minus accuracy", "indicator", "at_most")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_NLL, _BRIER, _ERROR, _OVER)


def beyond_chance(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, draws: int, seed: int
) -> Measured:
    """Return the ECE minus the mean ECE of a perfect model with these confidences, not below 0.

    A perfect model's ECE is above 0 by chance, the more the fewer pictures there are; what is left is what
    can be held against the recognizer. The interval is that of the ECE, moved by the same amount.

    Args:
        probabilities: Calibrated, float32 (N, K).
        labels: The truth, int64 (N,).
        draws: Of the bootstrap.
        seed: Of bootstrap and chance.
    """
    chance = ece_null(probabilities, level=0.5, seed=seed)
    raw = bootstrap(
        gaps(probabilities, labels), lambda means: np.abs(means).sum(axis=1), draws=draws, seed=seed
    )
    value, low, high = (max(0.0, end - chance) for end in (raw.value, raw.low, raw.high))
    return Measured(value, min(low, value), max(high, value), raw.n, "bootstrap-bca minus chance")


def _measure(subject: Subject) -> Section:
    test, draws, seed = subject.test, subject.level.draws, subject.seed
    probabilities, labels = test.probabilities, test.labels
    error = beyond_chance(probabilities, labels, draws=draws, seed=seed)
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
            _ERROR.estimate(
                error, note="15 bins of equal width (Guo et al. 2017)", seed=seed,
                details={
                    "ece": ece(probabilities, labels), "ece_null_p95": ece_null(probabilities, seed=seed),
                    "adaptive_ece": adaptive_ece(probabilities, labels),
                    "debiased_ece": debiased_ece(probabilities, labels),
                    "classwise_ece": classwise_ece(probabilities, labels),
                },
            ),
            _overconfidence(test, draws, seed),
        ),
        figures={"reliability": bins, "other_calibrations": _others(subject)},
    )  # fmt: skip


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
            "nll": nll,
            "gained": found.gained[name].as_json() if name in found.gained else None,
            "best": name == found.chosen,
        }
        for name, nll in found.nll.items()
    ]


def _overconfidence(test: Answered, draws: int, seed: int) -> Statement:
    gap = bootstrap(test.probabilities.max(axis=1).astype(np.float64) - test.right, draws=draws, seed=seed)
    return _OVER.estimate(gap, seed=seed)


calibration = Measurement("C2", "Confidence", _claims, _measure)
