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

_MOST_IMAGES = 10**9


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


class Unknown(BaseModel):
    """When a picture shows nothing that is known: the graph's output `unknown` is above `threshold`.

    Attributes:
        score: What the graph computes there: a file of `calibrate/unknowns`.
        threshold: A finite-sample quantile of known pictures; None when n is too small for one.
        alpha: Of known pictures at most this share is taken for unknown, over the draw of calibration and
            test pictures. Of unknown ones nothing is promised.
        n: Calibration images it rests on; there is a threshold where they are enough for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    score: str = Field(pattern="^[a-z][a-z0-9_]{0,63}$")
    threshold: float | None
    alpha: float = Field(gt=0, lt=1)
    n: int = Field(ge=0, le=_MOST_IMAGES)

    @model_validator(mode="after")
    def _enough(self) -> "Unknown":
        if self.threshold is not None and conformal_rank(self.n, self.alpha) > self.n:
            raise ValueError(f"{self.n} images give no threshold at alpha {self.alpha}")
        return self


class Decision(BaseModel):
    """What turns a graph's outputs into an answer; it is part of the bundle and of its digest.

    Attributes:
        abstain: When to decline.
        conformal: Which classes are in a prediction set.
        unknown: When a picture shows nothing that is known; None: the graph does not say how unknown it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    abstain: Abstain
    conformal: Conformal
    unknown: Unknown | None = None

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: older bundles keep their digests."""
        return {name: value for name, value in plain(self).items() if value is not None}


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
    unknown: NDArray[np.float32] | None = None,
) -> list[Label]:
    """Return one prediction per image.

    Args:
        probabilities: Calibrated, (N, K), rows sum to 1.
        classes: K names.
        decision: The fitted thresholds.
        sources: N names.
        unknown: How unknown each picture is, (N,); None: it was not measured.
    """
    strange = _rejected(unknown, decision.unknown, len(probabilities))
    inside = prediction_sets(probabilities, decision.conformal)
    threshold = decision.abstain.threshold
    predictions = []
    for row, members, source, reject in zip(probabilities, inside, sources, strange, strict=True):
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
                unknown=reject,
            )
        )
    return predictions


def _rejected(
    scores: NDArray[np.float32] | None, rule: Unknown | None, count: int
) -> list[bool] | list[None]:
    if scores is None or rule is None or rule.threshold is None:
        return [None] * count
    return [bool(float(score) > rule.threshold) for score in scores]
