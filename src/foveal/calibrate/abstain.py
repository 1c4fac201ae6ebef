"""A confidence above which the answers are wrong at most as often as promised, or none.

Source: Angelopoulos et al., "Learn then Test", 2021, §4.1 (fixed-sequence testing of thresholds that were
chosen on other images); the exact binomial test of the selective risk: Geifman & El-Yaniv, "Selective
Classification for Deep Neural Networks", 2017. https://arxiv.org/abs/2110.01052

A sequence of thresholds goes from strict to loose. Each is tested: could this few errors among the answered
images be luck if the true risk were above the limit? The first that may be luck ends the sequence, and the
last one before it is the threshold. To promise too much, the first threshold in the sequence whose true
risk is above the limit has to pass its test, which happens with probability ≤ delta. That argument needs
the sequence to be fixed before the tests: hence `candidates` sees the tuning images and `abstain` others.
"""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.promises import DELTA, RISK, images_needed
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.tasks.classify.decode import Abstain

Floats = NDArray[np.floating]
_MOST = 100


def candidates(
    confidence: Floats, correct: NDArray[np.bool_], *, images: int, risk: float = RISK, delta: float = DELTA
) -> NDArray[np.float64]:
    """Return the thresholds to test, at most 100, from strict to loose, ending with 0 (answer everything).

    They lie between neighbouring confidences of the tuning images, so that rounding in another engine moves
    no image across one. Any sequence keeps the promise; where it starts decides how often it succeeds:
    where too few images are answered no test can pass, and just above the limit one unlucky error ends it
    all. It starts at the strictest threshold that would pass clearly (at delta / 5) if the calibration
    images had the tuning images' share of errors, with one error more; else where the number of answers is
    safely (two standard deviations) above what an answer without errors needs.

    Args:
        confidence: Largest probability of each tuning image, float (M,), M ≥ 1.
        correct: Whether its answer was right, bool (M,).
        images: How many calibration images the thresholds will be tested on.
        risk: Promised share of errors among the answers.
        delta: Probability that the promise is wrong.

    Raises:
        UsageError: The arrays, the risk or delta are not such.
    """
    needed = images_needed(risk, delta)
    _check(confidence, correct)
    if len(confidence) == 0:
        raise UsageError("thresholds need at least one tuning image", code="empty")
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order].astype(np.float64)
    steps = np.append(np.flatnonzero(np.diff(ranked)) + 1, len(ranked))  # answered, at each distinct value
    steps = steps[np.unique(np.linspace(0, len(steps) - 1, min(_MOST, len(steps))).round().astype(int))]
    errors = np.cumsum(~correct[order])[steps - 1]
    thresholds = np.append((ranked[steps[:-1] - 1] + ranked[steps[:-1]]) / 2, 0.0)

    scale = images / len(ranked)
    answered = np.floor(steps * scale).astype(int)
    expected = np.ceil((errors + 1) * scale).astype(int)
    clear = [binomial_cdf(int(e), int(a), risk) <= delta / 5 for e, a in zip(expected, answered, strict=True)]
    enough = answered >= needed + 2 * math.sqrt(needed)
    viable = clear if any(clear) else enough
    return thresholds[int(np.argmax(viable)) if any(viable) else -1 :]


def abstain(
    confidence: Floats,
    correct: NDArray[np.bool_],
    *,
    thresholds: NDArray[np.float64],
    risk: float = RISK,
    delta: float = DELTA,
) -> Abstain:
    """Return the loosest threshold that is proven: P(risk of the answers > `risk`) ≤ `delta`.

    Args:
        confidence: Largest probability of each calibration image, float (N,), N ≥ 0.
        correct: Whether its answer was right, bool (N,).
        thresholds: What to test, falling, chosen without looking at these images: see `candidates`.
        risk: Promised share of errors among the answers.
        delta: Probability that the promise is wrong, over the draw of the calibration images.

    Returns:
        A threshold of None where not even the first could be proven, with the number of images that would
        have been enough had none of their answers been wrong.

    Raises:
        UsageError: The arrays, the risk or delta are not such, or the thresholds do not fall.
    """
    needed = images_needed(risk, delta)
    answered, errors = answered_and_wrong(confidence, correct, thresholds)
    proven = None
    for threshold, count, wrong in zip(thresholds, answered, errors, strict=True):
        if binomial_cdf(int(wrong), int(count), risk) > delta:
            break
        proven = float(threshold)
    return Abstain(
        threshold=proven,
        risk=risk,
        delta=delta,
        n=len(confidence),
        needed=needed if proven is None else None,
    )


def answered_and_wrong(
    confidence: Floats, correct: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many images each threshold answers, and how many of these answers are wrong, (M,) each.

    Raises:
        UsageError: The arrays are not such, or the thresholds do not fall.
    """
    _check(confidence, correct)
    if thresholds.ndim != 1 or (np.diff(thresholds) >= 0).any():
        raise UsageError("thresholds must fall strictly, from strict to loose")
    rising = np.sort(confidence.astype(np.float64))
    wrong = np.sort(confidence[~correct].astype(np.float64))
    return len(rising) - np.searchsorted(rising, thresholds), len(wrong) - np.searchsorted(wrong, thresholds)


def _check(confidence: Floats, correct: NDArray[np.bool_]) -> None:
    if confidence.ndim != 1 or correct.shape != confidence.shape or correct.dtype != np.bool_:
        raise UsageError(
            f"need confidence float (N,) and correct bool (N,); "
            f"got {confidence.dtype} {confidence.shape} and {correct.dtype} {correct.shape}"
        )
    if not (np.isfinite(confidence).all() and ((confidence >= 0) & (confidence <= 1)).all()):
        raise UsageError("confidence must be in [0, 1]; got NaN or a value outside")
