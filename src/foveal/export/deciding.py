"""From what a graph answers for the calibration pictures to what its bundle decides and compares with."""

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.calibrate.fit import Promises, fit_decision, split_roles
from foveal.calibrate.reference import Looked, watched
from foveal.data.clip import still
from foveal.tasks.classify.decode import Decision
from foveal.train.examples import Examples


def decided(logits: Float32, calib: Examples, *, promises: Promises, seed: int) -> tuple[float, Decision]:
    """Return the temperature and the decision.

    Args:
        logits: Of the graph before its temperature, float32 (N, K).
        calib: The N pictures.
        promises: What the decision is to guarantee.
        seed: Decides which of them tune and which prove.
    """
    labels = calib.labels[calib.indices]
    return fit_decision(logits, labels, units=_units(calib), promises=promises, seed=seed)


def monitored(
    decision: Decision, probabilities: Float32, unknown: Float32, calib: Examples, *, seed: int
) -> Decision:
    """Return the decision with what a monitor needs.

    Args:
        decision: All of it, with the rule for unknown pictures.
        probabilities: What the graph answers for the calibration pictures, float32 (N, K).
        unknown: How unknown it finds those that prove, float32 (M,); none where it does not say.
        calib: The N pictures.
        seed: Decided which of them tune and which prove.
    """
    roles = split_roles(calib.labels[calib.indices], _units(calib), seed=seed)
    looked = Looked(probabilities.max(axis=1), unknown, lambda i: still(calib.images[calib.indices[i]]))
    return watched(decision, looked, roles, seed=seed)


def _units(calib: Examples) -> NDArray[np.int64] | None:
    return None if calib.units is None else calib.units[calib.indices]
