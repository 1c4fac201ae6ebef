"""From a classifier's probabilities to predictions: label, prediction set, abstention."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

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

from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank, sets_need
from foveal.core.types import Label
from foveal.tasks.classify.reference import Reference
from foveal.tasks.classify.set_scores.aps import aps
from foveal.tasks.classify.set_scores.lac import lac
from foveal.tasks.classify.set_scores.raps import raps

# What a stranger's file says is bounded: a number that no calibration gives must not stop an answer later.
_MOST_IMAGES = 10**9
_MOST_CLASSES = 10**6
_MOST_NEEDED = 10**15
_RAREST = 1e-12  # 1 / share is still a number of images
_DEAREST = 1e6  # penalty of a rank

Share = Annotated[float, Field(ge=_RAREST, lt=1)]
Cutoff = Annotated[float, Field(ge=-1e12, le=1e12)]


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
    threshold: Cutoff | None
    risk: Share
    delta: Share
    n: int = Field(ge=0, le=_MOST_IMAGES)
    needed: int | None = Field(default=None, ge=0, le=_MOST_NEEDED)


SetMethod = Literal["lac", "aps", "raps", "mondrian"]

# Entries of `Conformal` that earlier versions refuse, and what says nothing there.
_LATER: dict[str, tuple[Any, ...]] = {
    "delta": (None,),
    "penalty": (0.0,),
    "free": (0,),
    "quantiles": ([], ()),
    "counts": ([], ()),
    "randomized": (False,),
}


class Conformal(BaseModel):
    """Split-conformal prediction sets: the true class is inside with probability ≥ 1 - alpha.

    Attributes:
        method: `lac`: all classes with 1 - probability ≤ quantile (Sadinle et al., 2019); `aps`, `raps`: with
            the scores of `set_scores`; `mondrian`: as `lac`, with a quantile for each class, so that the
            promise holds for the images of each class.
        alpha: Promised share of misses, over the draw of calibration and test images.
        quantile: The finite-sample quantile; None when n is too small, then the set is all classes. Of
            `mondrian` the largest of its classes'.
        n: Calibration images it rests on; there is a quantile where they are enough for one.
        delta: Where the promise is not an average over draws of the calibration images: the probability that
            it is wrong for the ones that were drawn. None: it is an average.
        penalty, free: Of `raps`.
        quantiles: Of `mondrian`, for each class; None where its images are too few: it is in every set.
        counts: Of `mondrian`, the calibration images of each class.
        randomized: Whether the scores of `aps` and `raps` take a random number for each image. Such sets can
            be measured, not sealed: the same image would not get the same answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    method: SetMethod = "lac"
    alpha: Share
    quantile: Cutoff | None
    n: int = Field(ge=0, le=_MOST_IMAGES)
    delta: Share | None = None
    penalty: float = Field(default=0.0, ge=0, le=_DEAREST)
    free: int = Field(default=0, ge=0, le=_MOST_CLASSES)
    quantiles: tuple[Cutoff | None, ...] = Field(default=(), max_length=_MOST_CLASSES)
    counts: tuple[Annotated[int, Field(ge=0, le=_MOST_IMAGES)], ...] = Field(
        default=(), max_length=_MOST_CLASSES
    )
    randomized: bool = False

    @model_validator(mode="after")
    def _enough(self) -> "Conformal":
        pairs = [(self.quantile, self.n), *zip(self.quantiles, self.counts, strict=False)]
        for quantile, n in pairs[1:] or pairs:
            if quantile is not None and n < sets_need(self.alpha, self.delta):
                raise ValueError(f"{n} images give no quantile at alpha {self.alpha}")
        return self

    @model_validator(mode="after")
    def _entries_of_the_method(self) -> "Conformal":
        known = [quantile for quantile in self.quantiles if quantile is not None]
        if (self.method == "mondrian") != bool(self.quantiles) or len(self.counts) != len(self.quantiles):
            raise ValueError("mondrian, and no other method, has a quantile and a count for each class")
        if self.quantiles and (sum(self.counts) != self.n or max(known, default=None) != self.quantile):
            raise ValueError("n is the sum of the classes' counts, and quantile the largest of theirs")
        if self.method != "raps" and (self.penalty or self.free):
            raise ValueError("only raps has a penalty")
        if self.method not in ("aps", "raps") and self.randomized:
            raise ValueError("only aps and raps can be randomized")
        return self

    @model_serializer(mode="wrap")
    def _without_what_older_versions_refuse(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: then versions that lack them read the bundle."""
        return {k: v for k, v in plain(self).items() if k not in _LATER or v not in _LATER[k]}


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
    alpha: Share
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
        monitor: What the calibration pictures looked like; None where nobody noted it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    abstain: Abstain
    conformal: Conformal
    unknown: Unknown | None = None
    monitor: Reference | None = None

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: older bundles keep their digests."""
        return {name: value for name, value in plain(self).items() if value is not None}

    @model_validator(mode="after")
    def _same_answer_twice(self) -> "Decision":
        if self.conformal.randomized:
            raise ValueError("randomized sets are measured, not sealed: an image would get different answers")
        return self


def prediction_sets(
    probabilities: NDArray[np.float32],
    conformal: Conformal,
    *,
    uniform: NDArray[np.floating] | None = None,
) -> NDArray[np.bool_]:
    """Return which classes are in each image's set, bool (N, K).

    The most probable class always is: a set that names nothing helps nobody, and adding it can only
    raise the coverage. Randomized sets are left as they are, or their coverage would not be exact.

    Args:
        probabilities: Calibrated, (N, K).
        conformal: The fitted rule.
        uniform: For a randomized rule, a number in [0, 1] drawn for each image, (N,).

    Raises:
        UsageError: Numbers for a rule that is not randomized, or none for one that is; or the rule is for
            another number of classes.
    """
    if (uniform is not None) != conformal.randomized:
        raise UsageError("a randomized rule takes a random number for each image, and no other rule does")
    if conformal.quantile is None:
        return np.ones(probabilities.shape, dtype=bool)
    inside = set_scores(probabilities, conformal, uniform=uniform) <= _limits(conformal, probabilities)
    if uniform is None:
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return inside


def set_scores(
    probabilities: NDArray[np.floating],
    conformal: Conformal,
    *,
    uniform: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Return the score of every class that a rule compares with its quantile, float64 (N, K)."""
    if conformal.method == "aps":
        return aps(probabilities, uniform=uniform)
    if conformal.method == "raps":
        return raps(probabilities, penalty=conformal.penalty, free=conformal.free, uniform=uniform)
    return lac(probabilities)


def _limits(conformal: Conformal, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the largest score inside, for all classes (1,) or each (K,)."""
    quantiles = conformal.quantiles or (conformal.quantile,)
    if len(quantiles) not in (1, probabilities.shape[1]):
        raise UsageError(f"a rule for {len(quantiles)} classes, and {probabilities.shape[1]} probabilities")
    return np.array([np.inf if quantile is None else quantile for quantile in quantiles])


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
    rejected = _rejected(unknown, decision.unknown, len(probabilities))
    strange = [None] * len(probabilities) if unknown is None else unknown.tolist()
    inside = prediction_sets(probabilities, decision.conformal)
    threshold = decision.abstain.threshold
    predictions = []
    for row, members, source, reject, strangeness in zip(
        probabilities, inside, sources, rejected, strange, strict=True
    ):
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
                strangeness=strangeness,
            )
        )
    return predictions


def _rejected(
    scores: NDArray[np.float32] | None, rule: Unknown | None, count: int
) -> list[bool] | list[None]:
    if scores is None or rule is None or rule.threshold is None:
        return [None] * count
    return [bool(float(score) > rule.threshold) for score in scores]
