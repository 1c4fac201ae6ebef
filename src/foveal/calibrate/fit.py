"""Temperature and decision from one set of calibration images, each fitted on a part of its own.

Why they do not share images: docs/decisions/0005-calibration-splits.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.abstain import abstain, candidates
from foveal.calibrate.conformal import lac
from foveal.calibrate.temperature import calibrated, temperature
from foveal.core.promises import DELTA, RISK, TUNING_ONE_IN
from foveal.core.random import stream
from foveal.metrics._arrays import check_rows
from foveal.tasks.classify.decode import Decision

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Promises:
    """What the decision rule is to guarantee.

    Attributes:
        alpha: Share of prediction sets that may miss the truth.
        risk: Share of errors among the answers it does not decline.
        delta: Probability that the promise about the risk is wrong.
    """

    alpha: float = 0.1
    risk: float = RISK
    delta: float = DELTA


DEFAULT = Promises()


def split_roles(labels: NDArray[np.integer], *, seed: int = 0) -> tuple[Indices, Indices]:
    """Return (a third for tuning, the other two thirds for proving), as rising indices, int64.

    Every class is divided as evenly as its number allows; each image is in the third with probability 1/3.
    Two images or more leave none of the two empty.

    Args:
        labels: Integers (N,), N ≥ 1.
        seed: Equal seeds give equal parts.
    """
    rng = stream(seed, "calibrate", "split")
    order = np.lexsort((rng.random(len(labels)), labels))  # class by class, shuffled inside
    tuning = np.zeros(len(labels), dtype=bool)
    tuning[order[int(rng.integers(min(TUNING_ONE_IN, len(labels)))) :: TUNING_ONE_IN]] = True
    return np.flatnonzero(tuning), np.flatnonzero(~tuning)


def fit_decision(
    logits: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    promises: Promises = DEFAULT,
    seed: int = 0,
) -> tuple[float, Decision]:
    """Return the temperature and the decision rule of a classifier.

    Args:
        logits: What the exported graph gives for the calibration images, before its temperature,
            float32 (N, K), N ≥ 1. The images were not trained on.
        labels: Integers (N,) in [0, K).
        promises: What to guarantee.
        seed: Decides which images tune and which prove.

    Raises:
        UsageError: The arrays or the promises are not such.
    """
    check_rows(logits, labels, name="logits")
    tuning, proving = split_roles(labels, seed=seed)
    fitted = temperature(logits[tuning], labels[tuning])
    probabilities = calibrated(logits, fitted)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    limits = {"risk": promises.risk, "delta": promises.delta}
    thresholds = candidates(confidence[tuning], correct[tuning], images=len(proving), **limits)
    return fitted, Decision(
        abstain=abstain(confidence[proving], correct[proving], thresholds=thresholds, **limits),
        conformal=lac(probabilities[proving], labels[proving], alpha=promises.alpha),
    )
