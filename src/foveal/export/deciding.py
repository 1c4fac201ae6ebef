"""From what a graph answers for the calibration pictures to all that its bundle decides and compares with."""

from foveal.bundle.session import Float32
from foveal.calibrate.fit import Promises, fit_decision, split_roles
from foveal.calibrate.reference import watched
from foveal.calibrate.temperature import calibrated
from foveal.tasks.classify.decode import Decision
from foveal.train.examples import Examples


def decided(logits: Float32, calib: Examples, *, promises: Promises, seed: int) -> tuple[float, Decision]:
    """Return the temperature and the decision, with what a monitor needs.

    Args:
        logits: Of the graph before its temperature, float32 (N, K).
        calib: The N pictures.
        promises: What the decision is to guarantee.
        seed: Decides which of them tune and which prove.
    """
    labels = calib.labels[calib.indices]
    units = None if calib.units is None else calib.units[calib.indices]
    temperature, decision = fit_decision(logits, labels, units=units, promises=promises, seed=seed)
    confidence = calibrated(logits, temperature).max(axis=1)
    roles = split_roles(labels, units, seed=seed)
    return temperature, watched(
        decision, confidence, roles, lambda i: calib.images[calib.indices[i]], seed=seed
    )
