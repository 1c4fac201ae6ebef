"""What other calibrations than a temperature would gain: on images that none of them was fitted on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.isotonic import isotonic
from foveal.calibrate.temperature import calibrated, temperature
from foveal.calibrate.vector import vector
from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics._arrays import check_rows
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.nll import nll_per_image

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]
DEFAULT = "temperature"
_NAMES = ("none", DEFAULT, "vector", "isotonic")
_FOLDS = 5


@dataclass(frozen=True)
class Comparison:
    """How well each calibration does on held-out images.

    Attributes:
        nll: Mean negative log-likelihood of each, in nats, each interval of 95 % for itself: `none`,
            `temperature`, `vector`, `isotonic`.
        gained: NLL of the temperature minus that of `vector` and `isotonic`, over the same images; the two
            intervals hold together with 95 % (Bonferroni).
        chosen: The one that gains most if it gains for certain, that is if its interval lies above 0; else
            the temperature.
    """

    nll: dict[str, Measured]
    gained: dict[str, Measured]
    chosen: str


def compare_calibrations(
    logits: NDArray[np.floating], labels: Integers, *, units: Integers | None = None, seed: int = 0
) -> Comparison:
    """Return the NLL of every calibration on images it was not fitted on, by cross-validation in five parts.

    Args:
        logits: What the graph gives before its temperature for the tuning images, float (N, K), N ≥ 2.
        labels: Integers (N,) in [0, K).
        units: A number for each image, equal for those that belong together, (N,): they are in one part, and
            resampled together. None: each stands alone.
        seed: Decides the parts and the resampling.

    Raises:
        UsageError: The arrays are not such, or everything belongs together.
    """
    check_rows(logits, labels, name="logits")
    alone = np.arange(len(labels)) if units is None else np.unique(units, return_inverse=True)[1]
    count = int(alone.max()) + 1
    if count < 2:
        raise UsageError("a comparison needs two images that do not belong together", code="empty")
    part = stream(seed, "calibrations").permutation(count)[alone] % min(_FOLDS, count)
    costs = {name: np.zeros(len(labels)) for name in _NAMES}
    for held in np.unique(part):
        out = part == held
        for name, found in _calibrations(logits[~out], labels[~out], logits[out]).items():
            costs[name][out] = nll_per_image(found, labels[out])
    gained = {
        name: _mean(costs[DEFAULT] - costs[name], alone, seed=seed, confidence=1 - 0.05 / 2)
        for name in ("vector", "isotonic")
    }
    best = max(gained, key=lambda name: gained[name].value)
    chosen = best if gained[best].low > 0 else DEFAULT
    return Comparison({name: _mean(cost, alone, seed=seed) for name, cost in costs.items()}, gained, chosen)


def _mean(costs: Floats, alone: NDArray[np.int64], *, seed: int, confidence: float = 0.95) -> Measured:
    """Return the mean over images with its interval over units; each unit weighs as its images do."""
    sums = np.bincount(alone, weights=costs)
    table = np.stack([sums, np.bincount(alone).astype(np.float64)], axis=1)
    return bootstrap(table, lambda means: means[:, 0] / means[:, 1], seed=seed, confidence=confidence)


def _calibrations(
    logits: NDArray[np.floating], labels: Integers, new: NDArray[np.floating]
) -> dict[str, NDArray[np.floating]]:
    """Return the probabilities of new images by every calibration that is fitted on the others."""
    single = new.astype(np.float32)
    fitted = temperature(logits, labels)
    cool = calibrated(logits.astype(np.float32), fitted)
    return {
        "none": calibrated(single, 1.0),
        DEFAULT: calibrated(single, fitted),
        "vector": vector(logits, labels).calibrated(new),
        "isotonic": isotonic(cool, labels).calibrated(calibrated(single, fitted)),
    }
