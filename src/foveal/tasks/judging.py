"""From the score of a part to what is done with it: accept, reject or review.

A score says how defective a part looks, larger is worse; where it comes from is the task's business. The
rule is part of a bundle and of its digest; `calibrate.inspection` fits it, and
docs/decisions/0058-accept-reject-review.md says what its promises mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from foveal.core.errors import UsageError
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import UInt8
from foveal.data.pixels.agreement import agreement
from foveal.data.pixels.quality import exposure, quality

Verdict = Literal["accept", "reject", "review"]
VERDICTS: tuple[Verdict, ...] = ("accept", "reject", "review")
Chosen = Literal["accept_below", "reject_from"]
UNSURE, DEFECTIVE, NO_SCORE = "unsure", "defective", "no_score"
FAULTS = ("too_dark", "too_bright", "blurred", "wrong_template", "misregistered")

_MOST_PARTS = 10**9
_SMALLEST = 8  # side of what `quality` looks at
Share = Annotated[float, Field(ge=1e-12, lt=1)]
Score = Annotated[float, Field(ge=-1e12, le=1e12)]
Cost = Annotated[float, Field(ge=0, le=1e12)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Promise(_Frozen):
    """What is proven of one side: with probability 1 - delta, over the draw of the parts that proved it.

    Attributes:
        rate: At most this share of defective parts is accepted (or of good parts rejected).
        delta: Probability that the promise is wrong.
        n: Parts of that kind that proved it.
        events: How many of them are on the wrong side of the threshold.
        unit: What `rate`, `n` and `events` count: parts, or groups of such that belong together, of which any
            is on the wrong side.
        method: The bound: `binomial`, the exact test of an order statistic.
    """

    rate: Share
    delta: Share
    n: int = Field(ge=1, le=_MOST_PARTS)
    events: int = Field(ge=0, le=_MOST_PARTS)
    unit: Literal["part", "group"] = "part"
    method: Literal["binomial"] = "binomial"

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Self:
        if self.events > self.n:
            raise ValueError(f"{self.events} events in {self.n} parts")
        return self


class Costs(_Frozen):
    """What a decision costs, in any unit; accepting a good part and rejecting a defective one cost nothing.

    Attributes:
        miss: A defective part is accepted.
        false_call: A good part is rejected.
        review: Somebody looks at a part.
    """

    miss: Cost
    false_call: Cost
    review: Cost


class Quality(_Frozen):
    """Limits outside of which a picture is not judged; None where a limit is not known.

    Of pairs light, brightness and crispness are those of the inspected picture. Units are those of
    `data.pixels.quality` and `data.pixels.agreement`.

    Attributes:
        light_from: Level that 1 % of the picture is above, 0 to 255; below it is too dark.
        brightness_to: Mean level, 0 to 255; above it is too bright.
        crispness_from: How narrow edges are; below it is blurred.
        correlation_from: Between the inspected picture and its template.
        shift_to: Pixels at model size that are left between the two.
        layers: How many pictures the channels hold, one after the other: 1, or of pairs the inspected
            picture, its template and what else there is.
    """

    light_from: Score | None = None
    brightness_to: Score | None = None
    crispness_from: Score | None = None
    correlation_from: Score | None = None
    shift_to: Score | None = None
    layers: int = Field(default=1, ge=1, le=8)

    @model_validator(mode="after")
    def _pairs_have_layers(self) -> Self:
        if self.layers == 1 and not (self.correlation_from is None and self.shift_to is None):
            raise ValueError("only pairs, with 2 or more layers, have a correlation and a shift")
        return self


class Inspection(_Frozen):
    """The rule of an inspection, part of a bundle and of its digest.

    Attributes:
        accept_below: A part whose score is below is accepted; None: nothing is.
        reject_from: A part whose score is at least this is rejected; None: nothing is.
        miss: What is promised of defective parts that are accepted; None: nothing.
        false_call: What is promised of good parts that are rejected; None: nothing.
        chosen: Thresholds that are a choice, of which nothing is promised: such as `accept_below` where no
            defective part was known. Every other threshold has its promise.
        costs: What the thresholds were chosen by inside of what is proven; None: fewest reviews.
        quality: Limits of the pictures.
        good: Of a classifier the classes that are good; () of what is no classifier.
    """

    accept_below: Score | None = None
    reject_from: Score | None = None
    miss: Promise | None = None
    false_call: Promise | None = None
    chosen: tuple[Chosen, ...] = ()
    costs: Costs | None = None
    quality: Quality = Quality()
    good: tuple[str, ...] = Field(default=(), max_length=10**6)

    @model_validator(mode="after")
    def _each_threshold_is_proven_or_said_to_be_chosen(self) -> Self:
        for name, threshold, promise in (
            ("accept_below", self.accept_below, self.miss),
            ("reject_from", self.reject_from, self.false_call),
        ):
            if (threshold is not None) != ((promise is not None) + (name in self.chosen) == 1):
                raise ValueError(f"{name} has a promise or is in `chosen`, not both, and else is null")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        below, start = self.accept_below, self.reject_from
        if below is not None and start is not None and below > start:
            raise ValueError("accept_below is at most reject_from, or a part is both")
        return self


@dataclass(frozen=True)
class Judgement:
    """What is done with one part.

    Attributes:
        verdict: `accept`, `reject` or `review`.
        score: How defective it looks; None where the picture could not be read.
        reasons: Of a review what is the matter with the picture (of `FAULTS`, or the code of an error), or
            `unsure` where the score lies between the thresholds; of a rejection `defective`; else ().
    """

    verdict: Verdict
    score: float | None
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the contract's entries."""
        return {"verdict": self.verdict, "score": self.score, "reasons": list(self.reasons)}


def judge(score: float, faults: Sequence[str], rule: Inspection) -> Judgement:
    """Return what is done with a part.

    Args:
        score: How defective it looks. No finite number is a review, for `no_score`.
        faults: What is the matter with its picture: with any, a person looks at it, whatever the score.
        rule: Thresholds.
    """
    if not math.isfinite(score):
        return Judgement("review", None, (*faults, NO_SCORE))
    if faults:
        return Judgement("review", score, tuple(faults))
    if rule.accept_below is not None and score < rule.accept_below:
        return Judgement("accept", score)
    if rule.reject_from is not None and score >= rule.reject_from:
        return Judgement("reject", score, (DEFECTIVE,))
    return Judgement("review", score, (UNSURE,))


def score_of(
    answers: Mapping[str, NDArray[Any]], *, task: str, classes: Sequence[str] = (), good: Sequence[str] = ()
) -> NDArray[np.float64]:
    """Return how defective each of N pictures looks, float64 (N,), larger is worse.

    Args:
        answers: Of `Predictor.ask`.
        task: Of the recognizer. What finds objects: the score of the most certain one, shown or not; 0
            without any. `defect`: its own score. `classify`: the probability that it is of no good class.
        classes: Of a classifier, in the order of its outputs.
        good: Those of them that are good.

    Raises:
        UsageError: `other_task`: it gives no score. `unknown_name`: a good class is none, or none is named.
    """
    if task in OBJECT_TASKS:
        found: NDArray[np.float64] = answers["scores"].max(axis=1, initial=0.0).astype(np.float64)
        return found
    if task == "defect":
        return answers["scores"].astype(np.float64)
    if task != "classify":
        raise UsageError(f"a recognizer for {task} does not say how defective a part is", code="other_task")
    strange = [name for name in good if name not in classes]
    if strange or not good:
        named = f"{strange[0]!r} is no class" if strange else "no class is named as good"
        raise UsageError(f"{named}; it has {', '.join(classes)}", code="unknown_name")
    columns = [classes.index(name) for name in good]
    bad: NDArray[np.float64] = np.delete(answers["probabilities"], columns, axis=1).sum(
        axis=1, dtype=np.float64
    )
    return bad


def properties(image: UInt8, layers: int = 1) -> dict[str, float]:
    """Return what `Quality` limits, of one picture at model size.

    They are `light`, `brightness` and `crispness`, and of pairs `correlation` and `shift`, too.

    Args:
        image: uint8 (H, W, layers · C), H and W ≥ 8; of pairs the inspected picture first, then the template.
        layers: How many pictures the channels hold.

    Raises:
        UsageError: The channels are no multiple of the layers.
    """
    channels, rest = divmod(image.shape[2], layers)
    if rest or not channels:
        raise UsageError(f"{image.shape[2]} channels are not {layers} pictures")
    inspected = image[:, :, :channels]
    found = {"brightness": quality(inspected)["brightness"], **exposure(inspected)}
    if layers > 1:
        found |= agreement(inspected, image[:, :, channels : 2 * channels])
    return found


def quality_faults(image: UInt8, limits: Quality) -> tuple[str, ...]:
    """Return what is the matter with a picture, of `FAULTS`; () where nothing is, or nothing is limited.

    Args:
        image: At model size, as for `properties`. One with a side below 8 pixels is not looked at.
        limits: Of the rule.
    """
    if limits == Quality(layers=limits.layers) or min(image.shape[:2]) < _SMALLEST:
        return ()
    found = properties(image, limits.layers)
    checks = (
        ("too_dark", "light", limits.light_from, -1),
        ("too_bright", "brightness", limits.brightness_to, 1),
        ("blurred", "crispness", limits.crispness_from, -1),
        ("wrong_template", "correlation", limits.correlation_from, -1),
        ("misregistered", "shift", limits.shift_to, 1),
    )
    return tuple(
        fault for fault, name, limit, side in checks if limit is not None and side * (found[name] - limit) > 0
    )
