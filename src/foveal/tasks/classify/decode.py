"""From a classifier's probabilities to predictions: label, prediction set, abstention."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from foveal.core.promises import conformal_rank
from foveal.core.types import Label
from foveal.tasks.classify.reference import Reference

_MOST_IMAGES = 10**9
_LATER = {"monitor"}  # entries of `Decision` that earlier versions refuse


class Abstain(BaseModel):
    """When to decline: below `threshold` the guaranteed error rate would not hold.

    Attributes:
        score: What is compared with the threshold; `confidence` is the largest probability.
        threshold: Answer when the score is at least this; None if no threshold could be proven.
        risk: Promised share of errors among the answers.
        delta: Probability that the promise is wrong (over the draw of the calibration images).
        n: Calibration images it rests on.
        needed: With a threshold of None: error-free images that would have been needed at least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    score: Literal["confidence"] = "confidence"
    threshold: float | None
    risk: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    n: int = Field(ge=0, le=_MOST_IMAGES)
    needed: int | None = None


class Conformal(BaseModel):
    """Split-conformal prediction sets: the true class is inside with probability ≥ 1 - alpha.

    Attributes:
        method: `lac`: all classes with 1 - probability ≤ quantile (Sadinle et al., 2019).
        alpha: Promised share of misses, over the draw of calibration and test images.
        quantile: The finite-sample quantile; None when n is too small, then the set is all classes.
        n: Calibration images it rests on; there is a quantile where they are enough for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    method: Literal["lac"] = "lac"
    alpha: float = Field(gt=0, lt=1)
    quantile: float | None
    n: int = Field(ge=0, le=_MOST_IMAGES)

    @model_validator(mode="after")
    def _enough(self) -> "Conformal":
        if self.quantile is not None and conformal_rank(self.n, self.alpha) > self.n:
            raise ValueError(f"{self.n} images give no quantile at alpha {self.alpha}")
        return self


class Decision(BaseModel):
    """What turns probabilities into an answer; it is part of the bundle and of its digest.

    Attributes:
        abstain: When to decline.
        conformal: Which classes are in the set.
        monitor: What the calibration pictures looked like; None where nobody noted it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    abstain: Abstain
    conformal: Conformal
    monitor: Reference | None = None

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: earlier files and digests stay valid."""
        return {k: v for k, v in plain(self).items() if v is not None or k not in _LATER}


def prediction_sets(probabilities: NDArray[np.float32], conformal: Conformal) -> NDArray[np.bool_]:
    """Return which classes are in each image's set, bool (N, K).

    The most probable class always is: a set that names nothing helps nobody, and adding it can only
    raise the coverage.

    Args:
        probabilities: Calibrated, (N, K).
        conformal: The fitted rule.
    """
    if conformal.quantile is None:
        return np.ones(probabilities.shape, dtype=bool)
    inside = 1.0 - probabilities.astype(np.float64) <= conformal.quantile
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return inside


def decode(
    probabilities: NDArray[np.float32],
    *,
    classes: Sequence[str],
    decision: Decision,
    sources: Sequence[str],
) -> list[Label]:
    """Return one prediction per image.

    Args:
        probabilities: Calibrated, (N, K), rows sum to 1.
        classes: K names.
        decision: The fitted thresholds.
        sources: N names.
    """
    inside = prediction_sets(probabilities, decision.conformal)
    threshold = decision.abstain.threshold
    predictions = []
    for row, members, source in zip(probabilities, inside, sources, strict=True):
        order = np.argsort(-row, kind="stable")
        best = int(order[0])
        confidence = float(row[best])
        predictions.append(
            Label(
                source=source,
                label=classes[best],
                confidence=confidence,
                abstain=None if threshold is None else confidence < threshold,
                set=tuple(classes[k] for k in order if members[k]),
                scores={name: float(p) for name, p in zip(classes, row, strict=True)},
            )
        )
    return predictions
