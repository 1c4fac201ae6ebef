"""How long export, calibration, evaluation and report will take, which a budget has to leave room for."""

import math

from foveal.core import catalog
from foveal.evaluate.robustness import MOST_IMAGES, NAMES
from foveal.export.outputs import MOST_COMPARED
from foveal.export.rejection import MOST_FIT, MOST_TUNING, most_strange
from foveal.flows import _mistake_maps
from foveal.flows._prepare import Prepared
from foveal.perturb import unknowns

# Measured with nano on two cores; the baseline beside it is exported, too.
_EXPORT_SECONDS = 12.0
_PIXELS_PER_SECOND = 2.5e6
_EXPLAINED_PIXELS_PER_SECOND = 5e6  # the bundle alone answers: nothing is disturbed or compared


def seconds_after_training(prepared: Prepared) -> float:
    """Return a forecast of what follows the training.

    Most is fixed (the exporter's imports); the rest grows with the pictures that are looked at, the test
    pictures by network and baseline.

    Args:
        prepared: How many pictures there are, and of what size.
    """
    fit, calib, test = (len(prepared.split.role(role)) for role in ("fit", "calib", "test"))
    compared = 2 * min(calib + test, MOST_COMPARED)  # by the network and by the file
    disturbed = (1 + len(NAMES)) * min(test, MOST_IMAGES)
    explained = min(test, _mistake_maps.MOST) * _mistake_maps.ANSWERS_EACH
    most = most_strange(prepared.preprocess.shape)
    strange = (min(fit, most) + min(calib, most)) * len(catalog.names(unknowns))
    rejecting = min(fit, MOST_FIT) + min(calib, MOST_TUNING) + strange + calib
    seconds = (calib + 2 * test + compared + disturbed + rejecting) / _PIXELS_PER_SECOND
    seconds += explained / _EXPLAINED_PIXELS_PER_SECOND
    return _EXPORT_SECONDS + seconds * math.prod(prepared.preprocess.shape[:-1])
