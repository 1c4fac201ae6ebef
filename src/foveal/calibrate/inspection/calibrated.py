"""The whole rule of an inspection, from pictures of parts whose truth is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Answers, UInt8
from foveal.calibrate.inspection.fit import Demands, FittedRule, Scores, fit_rule
from foveal.calibrate.inspection.limits import MOST_LOOKED_AT, FittedLimits, fit_limits
from foveal.core.errors import UsageError
from foveal.data.sizing import evenly_spaced
from foveal.tasks.judging import Inspection, score_of
from foveal.train.examples import Examples

_BATCH = 8


@dataclass(frozen=True)
class Asked:
    """Who is asked about the parts, and what the answers mean.

    Attributes:
        ask: Returns what the graph that ships answers for uint8 (N, H, W, C): `Predictor.ask`.
        task: Of the recognizer.
        classes: In the order of its outputs.
        good: Of a classifier: which of them are good.
        layers: How many pictures the channels hold; of pairs 2 or more.
    """

    ask: Callable[[UInt8], Answers]
    task: str
    classes: tuple[str, ...]
    good: tuple[str, ...] = ()
    layers: int = 1


@dataclass(frozen=True)
class CalibratedInspection:
    """A rule to seal, and what is to be said of it.

    Attributes:
        rule: Thresholds, promises and limits of pictures.
        fitted: Where the thresholds come from.
        limits: Where the limits come from.
    """

    rule: Inspection
    fitted: FittedRule
    limits: FittedLimits

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not promised, and which spoiled pictures are not stopped."""
        return (*self.fitted.notes, *self.limits.notes)

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        told = {"rule": self.rule.model_dump(mode="json"), "limits": self.limits.as_json()}
        return {**self.fitted.as_json(), **told}


def calibrated_inspection(
    asked: Asked, parts: Examples, defective: NDArray[np.bool_], demands: Demands | None = None
) -> CalibratedInspection:
    """Return the rule whose promises the pictures prove.

    Args:
        asked: Who gives the scores.
        parts: Pictures at model size that nothing was learned from, and that chose nothing which changes the
            order of scores; those of one unit are not independent and count once.
        defective: Whether each of these is defective, bool (N,), in the order of `parts.indices`.
        demands: What is asked of the rule.

    Raises:
        UsageError: There is not one truth for each part, or the demands or the recognizer do not fit.
        BundleError: The graph failed.
    """
    if defective.shape != (len(parts),) or defective.dtype != np.bool_:
        raise UsageError(f"need one truth for each of {len(parts)} parts; got {defective.shape}")
    scores = scores_of(asked, parts)
    units = None if parts.units is None else parts.units[parts.indices]
    fitted = fit_rule(
        Scores(
            scores[~defective],
            scores[defective],
            None if units is None else units[~defective],
            None if units is None else units[defective],
        ),
        demands,
        good_classes=asked.good,
    )
    spread = evenly_spaced(len(parts), at_most=MOST_LOOKED_AT)  # in their order they are of one kind or board
    normal = [parts.images[parts.indices[place]] for place in spread]
    limits = fit_limits(normal, layers=asked.layers)
    return CalibratedInspection(fitted.rule.model_copy(update={"quality": limits.limits}), fitted, limits)


def scores_of(asked: Asked, parts: Examples) -> NDArray[np.float64]:
    """Return how defective each part looks, float64 (N,), in the order of `parts.indices`."""
    found = [np.empty(0)]
    for start in range(0, len(parts), _BATCH):
        images: UInt8 = np.asarray(parts.images[parts.indices[start : start + _BATCH]])
        answers = asked.ask(images)
        found.append(score_of(answers, task=asked.task, classes=asked.classes, good=asked.good))
    return np.concatenate(found)
