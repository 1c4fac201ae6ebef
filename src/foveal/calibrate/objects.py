"""From what a detector answers for the calibration pictures to what its bundle decides."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.data.attributes import Attribute, numbered
from foveal.data.outline import Runs
from foveal.data.scene import Objects
from foveal.metrics._found import Found, Truth
from foveal.metrics.best_thresholds import best_thresholds
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.match import Matches, match
from foveal.tasks.detect.decode import ObjectAnswers

IOU = 0.5  # at which an answer counts as right
UNKNOWN = 0.5  # threshold of a class that the calibration pictures say nothing about
_FEWEST = 20  # right answers, and wrong ones, below which scores stay as they are
_CHANCE = 0.05  # that a threshold of a class seems better by luck
_STEPS = 50
_STEEPEST, _FLATTEST = 10.0, 0.05  # of the scale: more says that there was too little to fit it to
_EDGE = 1e-6


def truth_of(
    objects: Objects, size: tuple[int, int] | None = None, attributes: Sequence[Attribute] = ()
) -> Truth:
    """Return what is stated of a picture as metrics want it.

    Args:
        objects: With boxes in any unit.
        attributes: What is told of objects beside their class.
        size: Height and width of the picture in whose pixels outlines are wanted; None: these play no part.
    """
    masks = None
    if size is not None:
        masks = [
            outline if isinstance(outline, Runs) else Runs.of(outline.mask(*size))
            for outline in objects.outlines
        ]
    said = numbered(objects, attributes) if attributes else None
    return Truth(objects.boxes, objects.labels, objects.ignored, masks, said)


def found_of(answers: ObjectAnswers) -> list[Found]:
    """Return what was found on each picture, without the padding."""
    rows = []
    for row in range(len(answers.scores)):
        there = answers.at(row).at(answers.scores[row] > 0)
        rows.append(Found(there.boxes, there.scores, there.labels, attributes=there.attributes))
    return rows


def fit_scores(found: Sequence[Found], truths: Sequence[Truth], *, classes: int) -> tuple[float, float]:
    """Return scale and shift of the logits of scores, so that of answers with score s a share s is right.

    Logistic regression on whether an answer is right (Platt, "Probabilistic Outputs for Support Vector
    Machines", 1999), by Newton's method; 1 and 0 where there are too few of either kind. The order of the
    answers stays; which of the faintest are given out may change.

    Args:
        found: On the calibration pictures, scored by plain logits.
        truths: What is there.
        classes: How many there are.
    """
    matches = match(found, truths, classes=classes, ious=[IOU], most=_most(found))
    right, ignored = matches.only()
    scores = np.clip(matches.scores[~ignored], _EDGE, 1 - _EDGE)
    hits = right[~ignored].astype(np.float64)
    if min(hits.sum(), len(hits) - hits.sum()) < _FEWEST:
        return 1.0, 0.0
    # Platt's targets keep the fit from running off where scores divide right from wrong.
    positives, negatives = hits.sum(), len(hits) - hits.sum()
    wanted = np.where(hits > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([np.log(scores / (1 - scores)), np.ones_like(scores)], axis=1)
    scale, shift = _newton(design, wanted)
    if not _FLATTEST <= scale <= _STEEPEST:
        return 1.0, 0.0
    return scale, shift


def _newton(design: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float]:
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (p - wanted)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step / max(1.0, np.abs(step).max())  # far from the answer a step may be too long
        if np.abs(step).max() < 1e-10:
            break
    return float(weights[0]), float(weights[1])


def thresholds_of(found: Sequence[Found], truths: Sequence[Truth], *, classes: int) -> tuple[float, ...]:
    """Return for each class the score from which on its findings are shown: the one with the best F1.

    Scores are calibrated together, so one threshold serves all classes; a class has its own only where that
    is better beyond chance. Chosen for each class alone they follow a few objects: on pictures of other
    groups that lost up to two points of F1.

    A class of which nothing was found right gets 0.5.

    Args:
        found: On the calibration pictures, scored as the file scores.
        truths: What is there.
        classes: How many there are.
    """
    matches = match(found, truths, classes=classes, ious=[IOU], most=_most(found))
    own, [common] = best_thresholds(matches), best_thresholds(_of_one_class(matches))
    limits = []
    for label, limit in enumerate(own.tolist()):
        if np.isnan(limit):
            limits.append(UNKNOWN)
        else:
            better = _is_better(matches, label, limit, float(common))
            limits.append(min(1.0, max(0.0, limit if better else float(common))))
    return tuple(limits)


def _of_one_class(matches: Matches) -> Matches:
    """Return the same where all classes are one."""
    labels, truths = np.zeros_like(matches.labels), matches.truths.sum(axis=1, keepdims=True)
    return replace(matches, labels=labels, truths=truths)


def _is_better(matches: Matches, label: int, own: float, common: float) -> bool:
    """Return whether a threshold of a class beats the common one by an exact sign test.

    It is about findings that only one of both shows: McNemar, 1947.
    """
    right, ignored = matches.only()
    low, high = sorted((own, common))
    between = (matches.labels == label) & ~ignored & (matches.scores >= low) & (matches.scores < high)
    hits, misses = int((right & between).sum()), int((~right & between).sum())
    wins, losses = (hits, misses) if own < common else (misses, hits)
    return 1 - binomial_cdf(wins - 1, wins + losses, 0.5) < _CHANCE if wins else False


def shown(found: Found, thresholds: Sequence[float]) -> Found:
    """Return what is certain enough to be an object, of what was found on a picture."""
    kept = found.scores >= np.array(thresholds, np.float32)[found.labels]
    said = None if found.attributes is None else found.attributes[kept]
    return Found(found.boxes[kept], found.scores[kept], found.labels[kept], attributes=said)


def _most(found: Sequence[Found]) -> int:
    """Return how many objects of a picture count: all of them."""
    return max([1, *map(len, found)])
