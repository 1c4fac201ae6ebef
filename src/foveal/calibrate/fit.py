"""Temperature and decision from one set of calibration images, each fitted on a part of its own.

Why they do not share images: docs/decisions/0005-calibration-splits.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate import sets
from foveal.calibrate.abstain import abstain, candidates
from foveal.calibrate.sets.raps import penalty_for
from foveal.calibrate.temperature import calibrated, temperature
from foveal.core import catalog
from foveal.core.promises import DELTA, RISK, TUNING_ONE_IN, images_needed
from foveal.core.random import stream
from foveal.metrics._arrays import check_rows
from foveal.tasks.classify.decode import Abstain, Conformal, Decision, SetMethod

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Promises:
    """What the decision rule is to guarantee.

    Attributes:
        alpha: Share of prediction sets that may miss the truth.
        risk: Share of errors among the answers it does not decline.
        delta: Probability that the promise about the risk is wrong.
        sets: How the sets are made: a file of `calibrate/sets`.
        sets_delta: Probability that the promise about the sets is wrong for the images that were drawn; None:
            it is an average over draws.
    """

    alpha: float = 0.1
    risk: float = RISK
    delta: float = DELTA
    sets: SetMethod = "lac"
    sets_delta: float | None = None

    @classmethod
    def of(cls, decision: Decision) -> "Promises":
        """Return what a decision rule promises, so that another file for the same network promises it too."""
        abstain, conformal = decision.abstain, decision.conformal
        return cls(conformal.alpha, abstain.risk, abstain.delta, conformal.method, conformal.delta)


DEFAULT = Promises()


def split_roles(
    labels: NDArray[np.integer], units: NDArray[np.integer] | None = None, *, seed: int = 0
) -> tuple[Indices, Indices]:
    """Return (a third for tuning, the other two thirds for proving), as rising indices, int64.

    Every class is divided as evenly as its number allows; each image is in the third with probability 1/3.
    Two images or more that do not belong together leave none of the two empty. Those that do all tune, or one
    of them, drawn by chance, proves: ten frames of one object prove no more than one.

    Args:
        labels: Integers (N,), N ≥ 1.
        units: A number for each image, equal for those that belong together, (N,); None: each stands alone.
        seed: Equal seeds give equal parts.
    """
    alone = np.arange(len(labels))
    if units is not None:
        shuffled = stream(seed, "calibrate", "units").permutation(len(labels))
        alone = np.sort(shuffled[np.unique(units[shuffled], return_index=True)[1]])
    rng = stream(seed, "calibrate", "split")
    order = alone[np.lexsort((rng.random(len(alone)), labels[alone]))]  # class by class, shuffled inside
    tuning = order[int(rng.integers(min(TUNING_ONE_IN, len(order)))) :: TUNING_ONE_IN]
    proving = np.setdiff1d(order, tuning)
    if units is not None:
        tuning = np.flatnonzero(np.isin(units, units[tuning]))
    return np.sort(tuning), proving


def fit_decision(
    logits: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    units: NDArray[np.integer] | None = None,
    promises: Promises = DEFAULT,
    seed: int = 0,
) -> tuple[float, Decision]:
    """Return the temperature and the decision rule of a classifier.

    Args:
        logits: What the exported graph gives for the calibration images, before its temperature,
            float32 (N, K), N ≥ 1. The images were not trained on.
        labels: Integers (N,) in [0, K).
        units: A number for each image, equal for those that belong together, (N,); None: each stands alone.
        promises: What to guarantee.
        seed: Decides which images tune and which prove.

    Raises:
        UsageError: The arrays or the promises are not such.
    """
    check_rows(logits, labels, name="logits")
    tuning, proving = split_roles(labels, units, seed=seed)
    fitted = temperature(logits[tuning], labels[tuning])
    probabilities = calibrated(logits, fitted)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    limits = {"risk": promises.risk, "delta": promises.delta}
    thresholds = candidates(confidence[tuning], correct[tuning], images=len(proving), **limits)
    return fitted, Decision(
        abstain=abstain(confidence[proving], correct[proving], thresholds=thresholds, **limits),
        conformal=_sets(probabilities, labels, tuning, proving, promises),
    )


def _sets(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.integer],
    tuning: Indices,
    proving: Indices,
    promises: Promises,
) -> Conformal:
    rule: Callable[..., Conformal] = catalog.find(sets, promises.sets)
    if promises.sets == "raps":
        rule = partial(rule, penalty=penalty_for(probabilities[tuning], labels[tuning], alpha=promises.alpha))
    return rule(probabilities[proving], labels[proving], alpha=promises.alpha, delta=promises.sets_delta)


def unproven(promises: Promises = DEFAULT, *, classes: int) -> Decision:
    """Return the decision rule of a classifier that no labelled picture calibrated: nothing is promised.

    Args:
        promises: What would be promised with pictures.
        classes: How many there are.
    """
    needed, none = images_needed(promises.risk, promises.delta), np.empty(0, dtype=np.int64)
    return Decision(
        abstain=Abstain(threshold=None, risk=promises.risk, delta=promises.delta, n=0, needed=needed),
        conformal=_sets(np.empty((0, classes), np.float32), none, none, none, promises),
    )
